package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/demo"
)

func TestStoryComesOutAsItShould(t *testing.T) {
	var out bytes.Buffer
	err := demo.Run(context.Background(), demo.StoryOptions{Out: &out, Once: true, Listen: "127.0.0.1:0", Customers: 700})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"700 created, 0 updated, 0 deleted", "1 created, 1 updated, 1 deleted", "Grace Hopper", "no contact has this number", "Every step came out as it should."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story does not say %q:\n%s", want, out.String())
		}
	}
}

// A hub that is thrown away needs no administrator.
func TestTheDemosConsoleNeedsNoPassword(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := demo.Run(ctx, demo.StoryOptions{Out: write, Listen: "127.0.0.1:0", Hub: "127.0.0.1:0", Customers: 100})
		_ = write.Close()
		ended <- err
	}()
	told := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "http://127.0.0.1:") && strings.HasSuffix(line, "/") {
				told <- line
			}
		}
	}()
	var console string
	select {
	case console = <-told:
	case <-time.After(time.Minute):
		t.Fatal("it does not say where the console is")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var page []byte
	client := http.Client{Jar: jar}
	for range 100 { // it begins to serve
		answer, err := client.Get(console + "integrations")
		if err == nil {
			page, _ = io.ReadAll(answer.Body)
			answer.Body.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !strings.Contains(string(page), "crm") || strings.Contains(string(page), `type="password"`) {
		t.Errorf("the console asks for a password: %.500s", page)
	}
	if !strings.Contains(string(page), `href="/catalogue`) {
		t.Error("the catalogue is not one click away")
	}
	answer, err := client.Get(console + "catalogue")
	if err != nil {
		t.Fatal(err)
	}
	page, _ = io.ReadAll(answer.Body)
	answer.Body.Close()
	if !strings.Contains(string(page), "PostgreSQL") || !strings.Contains(string(page), "Excel workbook") {
		t.Errorf("the demo's catalogue: %.500s", page)
	}
	// Others are not signed in: who comes by another name, or through a proxy.
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Host = "evil.example" }, func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") },
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, console+"sign-in", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("somebody else is signed in: %s", answer.Status)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
