package listener_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/contactbridge/contactbridge/internal/listener"
)

func TestOnlyProxiesSayWhomTheyAskFor(t *testing.T) {
	of := listener.ParseProxies([]string{"127.0.0.1/32", "10.0.0.0/8"}).Client
	for _, c := range []struct {
		from      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1/32"},
		{"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1/32"}, // anyone can write that
		{"127.0.0.1:5", nil, "127.0.0.1/32"},
		{"127.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7/32"},
		{"127.0.0.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7/32"},
		{"127.0.0.1:5", []string{"203.0.113.9", "198.51.100.7, 10.1.2.3"}, "198.51.100.7/32"},
		{"127.0.0.1:5", []string{"nonsense"}, "127.0.0.1/32"},
		{"127.0.0.1:5", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		{"[::ffff:127.0.0.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7/32"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.from
		for _, value := range c.forwarded {
			r.Header.Add("X-Forwarded-For", value)
		}
		if got := of(r); got.String() != c.want {
			t.Errorf("%s for %q: %s, want %s", c.from, c.forwarded, got, c.want)
		}
	}
}

func TestAddressesOfOneNetworkCountAsOne(t *testing.T) {
	of := listener.Proxies(nil).Client
	for remote, want := range map[string]string{
		"192.0.2.7:80": "192.0.2.7/32", "[::ffff:192.0.2.7]:80": "192.0.2.7/32", "[2001:db8:1:2:3::4]:1": "2001:db8:1:2::/64",
	} {
		if have := of(&http.Request{RemoteAddr: remote}); have.String() != want {
			t.Errorf("%s is %s, want %s", remote, have, want)
		}
	}
	if of(&http.Request{RemoteAddr: "@"}).IsValid() {
		t.Error("a socket has an address")
	}
}
