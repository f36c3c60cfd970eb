package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// A process is a running hub.
type process struct {
	args []string
	env  []string
	log  *os.File
	cmd  *exec.Cmd
	url  string
}

// build compiles the command under test, unless CONTACTBRIDGE_BINARY names one that is built already.
func build(ctx context.Context, dir string) (string, error) {
	if built := os.Getenv("CONTACTBRIDGE_BINARY"); built != "" {
		return built, nil
	}
	binary := filepath.Join(dir, "contactbridge")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/contactbridge/contactbridge/cmd/contactbridge").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build contactbridge: %w\n%s", err, out)
	}
	return binary, nil
}

// newProcess prepares a hub with a role.
func newProcess(dir, binary, config, role string, n int, env []string) (*process, error) {
	address, err := ports.Address()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.log", role, n)))
	if err != nil {
		return nil, err
	}
	return &process{args: []string{binary, "hub", "-c", config, "--role", role, "--listen", address}, env: env, log: log, url: "http://" + address}, nil
}

func (p *process) start() error {
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	return p.cmd.Start()
}

// ready waits until the process answers.
func (p *process) ready(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(p.url + "/readyz")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	log, _ := os.ReadFile(p.log.Name())
	return fmt.Errorf("a hub did not come up:\n%s", log[max(0, len(log)-4000):])
}

// kill ends the process with SIGKILL.
func (p *process) kill() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// A caller asks the API, by turns of all web processes.
type caller struct {
	webs  []*process
	token string

	mu   sync.Mutex
	turn int
}

func (c *caller) call(ctx context.Context, method, path string, body, into any) error {
	c.mu.Lock()
	c.turn++
	web := c.webs[c.turn%len(c.webs)]
	c.mu.Unlock()
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, web.url+path, &content)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	text, err := send(request)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// text asks for what is not JSON.
func (c *caller) text(ctx context.Context, path string) (string, error) {
	c.mu.Lock()
	c.turn++
	web := c.webs[c.turn%len(c.webs)]
	c.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, web.url+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	text, err := send(request)
	return string(text), err
}

func send(request *http.Request) ([]byte, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, response.Status, text)
	}
	return text, err
}
