// Package telemetry traces requests across the hub and its bridges with OpenTelemetry. Traces are sent where
// OTEL_EXPORTER_OTLP_ENDPOINT says; without it nothing is traced and nothing is wrapped. A span never holds an address, a
// path or a query: they may hold people's numbers, and credentials.
package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const shutdownTimeout = 5 * time.Second // a collector that is down must not hold the program

// Setup makes this process send its traces, as the OTEL_* variables of the environment say (SDK and OTLP/HTTP exporter know
// them). Call it once, before anything is served, and shutdown at the end: it sends what is left. Service and version name
// the program; OTEL_SERVICE_NAME comes before them.
func Setup(ctx context.Context, service, version string) (shutdown func(context.Context) error, err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(described))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
		defer cancel()
		return provider.Shutdown(ctx)
	}, nil
}

// enabled reports whether [Setup] made this process send traces.
func enabled() bool {
	_, ok := otel.GetTracerProvider().(*sdk.TracerProvider)
	return ok
}

// Handler traces requests to a server, if anything is traced. Who serves one says by [Named] what it is.
func Handler(next http.Handler) http.Handler {
	if !enabled() {
		return next
	}
	traced := otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, reveal(r))
	}), "request")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { traced.ServeHTTP(w, hide(r)) })
}

// Named says which route a request took, such as /api/v1/callers/{number}.
func Named(ctx context.Context, method, route string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetName(method + " " + route)
		span.SetAttributes(attribute.String("http.route", route))
	}
}

// Begin opens a span for work that no request asked for, such as a run: all requests of it are one trace. Attributes are
// pairs of name and value. The span ends with the returned function.
func Begin(ctx context.Context, name string, attributes ...string) (context.Context, func()) {
	ctx, span := otel.Tracer("github.com/contactbridge/contactbridge").Start(ctx, name)
	for i := 0; i+1 < len(attributes); i += 2 {
		span.SetAttributes(attribute.String(attributes[i], attributes[i+1]))
	}
	return ctx, func() { span.End() }
}

// Failed says of the work that a context was made for by [Begin] that it failed, and why: a code, never a text that may hold
// what is private.
func Failed(ctx context.Context, code string) {
	span := trace.SpanFromContext(ctx)
	span.SetStatus(codes.Error, code)
	span.SetAttributes(attribute.String("error.type", code))
}

// Transport traces requests of ours and passes the trace on to who answers them, if anything is traced.
func Transport(next http.RoundTripper) http.RoundTripper {
	if !enabled() {
		return next
	}
	return hiding{otelhttp.NewTransport(revealing{next})}
}

type hiding struct{ next http.RoundTripper }

// RoundTrip sends a request.
func (t hiding) RoundTrip(r *http.Request) (*http.Response, error) { return t.next.RoundTrip(hide(r)) }

type revealing struct{ next http.RoundTripper }

// RoundTrip sends a request.
func (t revealing) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.next.RoundTrip(reveal(r))
}

type hiddenKey struct{}

type hidden struct {
	url        *url.URL
	requestURI string
}

// hide takes from a request what a span would show of it.
func hide(r *http.Request) *http.Request {
	r = r.WithContext(context.WithValue(r.Context(), hiddenKey{}, hidden{r.URL, r.RequestURI}))
	r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host}
	if r.RequestURI != "" {
		r.RequestURI = "/"
	}
	return r
}

// reveal gives it back.
func reveal(r *http.Request) *http.Request {
	was, ok := r.Context().Value(hiddenKey{}).(hidden)
	if !ok {
		return r
	}
	shown := *r
	shown.URL, shown.RequestURI = was.url, was.requestURI
	return &shown
}
