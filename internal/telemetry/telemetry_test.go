package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	proto "go.opentelemetry.io/proto/otlp/trace/v1"
	wire "google.golang.org/protobuf/proto"

	"github.com/contactbridge/contactbridge/internal/telemetry"
)

// A sink is where traces are sent to.
type sink struct {
	mu     sync.Mutex
	spans  []*proto.Span
	bodies []string
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var export collector.ExportTraceServiceRequest
	if err := wire.Unmarshal(body, &export); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(body))
	for _, rs := range export.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			s.spans = append(s.spans, ss.Spans...)
		}
	}
}

// collect sets traces up, does something, and returns what was sent.
func collect(t *testing.T, do func()) *sink {
	t.Helper()
	s := &sink{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	provider, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	t.Cleanup(func() { otel.SetTracerProvider(provider); otel.SetTextMapPropagator(propagator) })
	shutdown, err := telemetry.Setup(t.Context(), "contactbridge", "test")
	if err != nil {
		t.Fatal(err)
	}
	do()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestATraceGoesFromHubToBridgeAndHoldsNoAddresses(t *testing.T) {
	const private = "447700900123"
	var path, query string
	s := collect(t, func() {
		bridge := httptest.NewServer(telemetry.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			path, query = r.URL.Path, r.URL.RawQuery
			telemetry.Named(r.Context(), r.Method, "/crm/contact_sync")
		})))
		defer bridge.Close()
		client := &http.Client{Transport: telemetry.Transport(http.DefaultTransport)}
		hub := httptest.NewServer(telemetry.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			telemetry.Named(r.Context(), r.Method, "/api/v1/callers/{number}")
			request, _ := http.NewRequestWithContext(r.Context(), http.MethodPost, bridge.URL+"/"+private+"?token="+private, nil)
			answer, err := client.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		})))
		defer hub.Close()
		answer, err := http.Get(hub.URL + "/api/v1/callers/" + private + "?number=" + private)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	})
	if path != "/"+private || query != "token="+private {
		t.Errorf("the bridge was asked for %s?%s", path, query)
	}
	var names []string
	traces := map[string]bool{}
	for _, span := range s.spans {
		names = append(names, span.Name)
		traces[string(span.TraceId)] = true
	}
	slices.Sort(names)
	if want := []string{"GET /api/v1/callers/{number}", "HTTP POST", "POST /crm/contact_sync"}; !slices.Equal(names, want) {
		t.Errorf("spans %q, want %q", names, want)
	}
	if len(traces) != 1 {
		t.Errorf("%d traces instead of one", len(traces))
	}
	for _, body := range s.bodies {
		if strings.Contains(body, private) {
			t.Error("a span holds what was asked for")
		}
	}
}

func TestTheRequestsOfARunAreOneTrace(t *testing.T) {
	s := collect(t, func() {
		bridge := httptest.NewServer(telemetry.Handler(http.NotFoundHandler()))
		defer bridge.Close()
		ctx, end := telemetry.Begin(t.Context(), "run", "contactbridge.account", "acme")
		defer end()
		for range 2 {
			request, _ := http.NewRequestWithContext(ctx, http.MethodPost, bridge.URL, nil)
			answer, err := telemetry.Transport(http.DefaultTransport).RoundTrip(request)
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
		}
	})
	traces := map[string]int{}
	for _, span := range s.spans {
		traces[string(span.TraceId)]++
	}
	if len(traces) != 1 || len(s.spans) != 5 {
		t.Errorf("%d spans in %d traces, want 5 in 1", len(s.spans), len(traces))
	}
}

func TestAFailedRunIsAFailedSpan(t *testing.T) {
	s := collect(t, func() {
		ctx, end := telemetry.Begin(t.Context(), "run")
		telemetry.Failed(ctx, "unauthorized")
		end()
	})
	if len(s.spans) != 1 || s.spans[0].Status.GetCode() != proto.Status_STATUS_CODE_ERROR || s.spans[0].Status.GetMessage() != "unauthorized" {
		t.Errorf("the spans are %v", s.spans)
	}
}

func TestNothingIsTracedUnlessTheEnvironmentSaysSo(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	shutdown, err := telemetry.Setup(t.Context(), "contactbridge", "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shutdown(t.Context()) }()
	if next := http.DefaultTransport; telemetry.Transport(next) != next {
		t.Error("requests are wrapped")
	}
	mux := http.NewServeMux()
	if telemetry.Handler(mux) != http.Handler(mux) {
		t.Error("the server is wrapped")
	}
}
