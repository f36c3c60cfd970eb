package outbound_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/outbound"
)

// ask sends a request through a transport and reads what comes.
func ask(t *testing.T, transport http.RoundTripper, address string) (string, error) {
	t.Helper()
	client := &http.Client{Transport: transport}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func greeter(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(server.Close)
	return server.URL
}

func TestOnlyThePublicInternetIsAsked(t *testing.T) {
	transport := outbound.New(outbound.Policy{})
	for _, host := range []string{
		"127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
		"169.254.169.254", "224.0.0.1", "255.255.255.255",
		"[::1]", "[::]", "[fd00::1]", "[fe80::1]", "[ff02::1]",
		"192.0.0.1", "198.18.0.1", "240.0.0.1", "0.1.2.3", "100.127.255.254", "172.31.255.254",
		"localhost", "LOCALHOST",
		"[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::7f00:1]", "[fec0::1]", "[fe80::1%25lo]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fc00::1]", "[::ffff:0:127.0.0.1]",
		"[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
	} {
		_, err := ask(t, transport, "http://"+host+":8080/contact_sync")
		refused, ok := errors.AsType[*outbound.Refused](err)
		if !ok || !outbound.IsRefused(err) {
			t.Errorf("%s: %v", host, err)
			continue
		}
		if !strings.HasSuffix(refused.Address, ":8080") || !strings.Contains(refused.Explain().Hint, "allow") || !strings.Contains(refused.Error(), refused.Address) {
			t.Errorf("%s: %+v", host, refused)
		}
	}
}

// What the hint says to allow lets the address in, and nothing else.
func TestTheHintNamesTheNetworkToAllow(t *testing.T) {
	address := greeter(t)
	_, err := ask(t, outbound.New(outbound.Policy{}), address)
	hint := failure.Of(err).Hint
	_, rest, _ := strings.Cut(hint, "[")
	network, _, _ := strings.Cut(rest, "]")
	prefix, err := netip.ParsePrefix(network)
	if err != nil || prefix.String() != "127.0.0.1/32" {
		t.Fatalf("%q names %q: %v", hint, network, err)
	}
	transport := outbound.New(outbound.Policy{Allow: []netip.Prefix{prefix}})
	defer transport.CloseIdleConnections()
	if body, err := ask(t, transport, address); body != "hello" {
		t.Error(body, err)
	}
	if _, err := ask(t, transport, "http://127.0.0.2:1/"); !outbound.IsRefused(err) {
		t.Error(err)
	}
}

func TestWhatIsAllowedIsAsked(t *testing.T) {
	address := greeter(t)
	for name, o := range map[string]outbound.Policy{
		"allow":         {Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}},
		"allow_private": {AllowPrivate: true},
	} {
		transport := outbound.New(o)
		if body, err := ask(t, transport, address); body != "hello" {
			t.Errorf("%s: %q, %v", name, body, err)
		}
		transport.CloseIdleConnections()
	}
}

// A name server on this machine says where a name leads, each time another address.
func resolver(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		packet, asked := make([]byte, 1024), 0
		for {
			n, from, err := server.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}
			m.Additionals = nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(answers[min(asked, len(answers)-1)]).As4()},
				}}
				asked++
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func TestANameThatLeadsInsideIsRefused(t *testing.T) {
	u, err := url.Parse(greeter(t))
	if err != nil {
		t.Fatal(err)
	}
	transport := outbound.New(outbound.Policy{Dialer: &net.Dialer{Resolver: resolver(t, "127.0.0.1")}})
	_, err = ask(t, transport, "http://crm.example.com:"+u.Port()+"/")
	if refused, ok := errors.AsType[*outbound.Refused](err); !ok || refused.Address != u.Host {
		t.Error(err)
	}
	open := outbound.New(outbound.Policy{Dialer: &net.Dialer{Resolver: resolver(t, "127.0.0.1")}, AllowPrivate: true})
	defer open.CloseIdleConnections()
	if body, err := ask(t, open, "http://crm.example.com:"+u.Port()+"/"); body != "hello" { // the name does lead there
		t.Error(body, err)
	}
}

// A name that first led outside is judged again where it leads now.
func TestANamesSecondAnswerIsJudgedAsWell(t *testing.T) {
	inside := greeter(t)
	u, err := url.Parse(inside)
	if err != nil {
		t.Fatal(err)
	}
	first := netip.MustParsePrefix("127.0.0.1/32")
	transport := outbound.New(outbound.Policy{Allow: []netip.Prefix{first}, Dialer: &net.Dialer{Resolver: resolver(t, "127.0.0.1", "127.0.0.2")}})
	address := "http://crm.example.com:" + u.Port() + "/"
	if body, err := ask(t, transport, address); body != "hello" {
		t.Fatal(body, err)
	}
	transport.CloseIdleConnections()
	if _, err := ask(t, transport, address); !outbound.IsRefused(err) {
		t.Error(err)
	}
}

func TestARedirectIsJudgedAgain(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data", http.StatusFound))
	t.Cleanup(server.Close)
	transport := outbound.New(outbound.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer transport.CloseIdleConnections()
	_, err := ask(t, transport, server.URL)
	if refused, ok := errors.AsType[*outbound.Refused](err); !ok || refused.Address != "169.254.169.254:80" {
		t.Error(err)
	}
}

// A dialer's own ControlContext would go before the guard.
func TestADialerCannotLeadAroundTheGuard(t *testing.T) {
	dialer := &net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error { return nil }}
	if _, err := ask(t, outbound.New(outbound.Policy{Dialer: dialer}), greeter(t)); !outbound.IsRefused(err) {
		t.Error(err)
	}
	if dialer.ControlContext == nil || dialer.Control != nil {
		t.Error("the caller's dialer was changed")
	}
}

func TestNoProxyOfTheEnvironmentDials(t *testing.T) {
	if outbound.New(outbound.Policy{}).Proxy != nil {
		t.Error("a proxy would dial what is refused")
	}
}
