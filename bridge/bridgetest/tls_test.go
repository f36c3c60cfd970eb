package bridgetest

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"
)

func TestCertificatesThatNobodyTrustsStopTheCheck(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	l := newLive(Target{}, Options{}.withDefaults())
	h := l.handshake(t.Context(), server.Listener.Addr().String())
	if h.Problem == "" || h.Expires.IsZero() {
		t.Errorf("%+v", h)
	}
	s, err := open(Target{URL: "https://bridge.example.com/contact_sync"}, Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	s.carrier = untrusted{s.carrier}
	reachable(t.Context(), s, s.verdict("reachable"))
	certificate(t.Context(), s, s.verdict("certificate"))
	if s.full != nil || !s.failed("certificate") {
		t.Error("credentials were sent to a host that may be anybody")
	}
}

// untrusted is a bridge with an expired certificate.
type untrusted struct{ carrier }

func (untrusted) handshake(context.Context, string) handshake {
	return handshake{Problem: "the certificate has expired", Expires: time.Unix(0, 0)}
}
