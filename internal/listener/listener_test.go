package listener_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/listener"
)

func TestListenSaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		taken.Addr().String():                            "Another process",
		"unix:" + t.TempDir() + "/no/such/folder/socket": "folder",
		"192.0.2.1:0":                                    "no such address",
	} {
		_, err := listener.Open(t.Context(), address)
		if e := failure.Of(err); !strings.Contains(e.Hint, want) || !strings.Contains(e.Message, address) {
			t.Errorf("%s: %v, hint %q", address, err, e.Hint)
		}
	}
}

func TestASocketIsNotForEverybody(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "socket")
	l, err := listener.Open(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Error(info.Mode(), err)
	}
}
