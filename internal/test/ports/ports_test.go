package ports

import (
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func onLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has abstract sockets: elsewhere two processes may choose the same port")
	}
}

// Ports are given once, also to several processes, and none is one that the system gives away.
func TestAPortIsGivenOnce(t *testing.T) {
	onLinux(t)
	const each = 200
	if os.Getenv("PORTS_OF_A_CHILD") != "" {
		for range each {
			t.Log("port", ForTest(t))
		}
		return
	}
	given := map[int]bool{}
	note := func(port int) {
		if given[port] {
			t.Errorf("%d was given twice", port)
		}
		if port >= 32768 || port < 1024 {
			t.Errorf("%d may be given to anybody", port)
		}
		given[port] = true
	}
	for range 10 * each { // a tenth of all: a child would draw some of them
		note(ForTest(t))
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAPortIsGivenOnce$", "-test.v")
	child.Env = append(os.Environ(), "PORTS_OF_A_CHILD=1")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		if _, number, ok := strings.Cut(strings.TrimSpace(line), "port "); ok {
			port, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			note(port)
			seen++
		}
	}
	if seen != each {
		t.Errorf("a child was given %d ports, not %d", seen, each)
	}
}

func TestAPortInUseIsNotTaken(t *testing.T) {
	onLinux(t)
	for name, listen := range map[string]func(address string) (io.Closer, error){
		"tcp": func(address string) (io.Closer, error) { return net.Listen("tcp", address) },
		"any address": func(address string) (io.Closer, error) {
			return net.Listen("tcp", strings.TrimPrefix(address, "127.0.0.1"))
		},
		"udp": func(address string) (io.Closer, error) { return net.ListenPacket("udp", address) },
	} {
		address := AddressForTest(t)
		user, err := listen(address)
		if err != nil {
			t.Fatal(name, err)
		}
		_, number, _ := strings.Cut(address, ":")
		port, _ := strconv.Atoi(number)
		_ = claims[port].Close() // as if another had found it
		if _, ok := claim(port); ok {
			t.Errorf("%s: taken while somebody listens there", name)
		}
		_ = user.Close()
		c, ok := claim(port)
		if !ok {
			t.Fatalf("%s: not taken while nobody listens there", name)
		}
		claims[port] = c
	}
}
