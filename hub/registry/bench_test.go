package registry_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

const benchIntegrations = 100_000

// benchBoth measures on both databases, with 100,000 integrations of which so many are due.
func benchBoth(b *testing.B, due int, bench func(b *testing.B, w *world)) {
	b.Run("sqlite", func(b *testing.B) {
		w := newWorld(b, filepath.Join(b.TempDir(), "hub.db"))
		w.fill(b, benchIntegrations, due)
		bench(b, w)
	})
	b.Run("postgres", func(b *testing.B) {
		w := newWorld(b, server.Database(b).DSN)
		w.fill(b, benchIntegrations, due)
		bench(b, w)
	})
}

// BenchmarkClaimNothing looks for work when nothing is due.
func BenchmarkClaimNothing(b *testing.B) {
	benchBoth(b, 0, func(b *testing.B, w *world) {
		for b.Loop() {
			if claims := got(w.Claim(b.Context(), "worker", 50, time.Minute))(b); len(claims) != 0 {
				b.Fatal(len(claims))
			}
		}
	})
}

// BenchmarkClaim claims 50 of those that are due; each is released, and due again by and by.
func BenchmarkClaim(b *testing.B) {
	for name, due := range map[string]int{"few due": 100, "all due": benchIntegrations} {
		b.Run(name, func(b *testing.B) {
			benchBoth(b, due, func(b *testing.B, w *world) {
				n := 0
				for b.Loop() {
					claims := got(w.Claim(b.Context(), "worker", 50, time.Minute))(b)
					if len(claims) != 50 {
						b.Fatal(len(claims))
					}
					n += len(claims)
					b.StopTimer()
					for _, c := range claims {
						ok(b, w.Release(b.Context(), c, registry.Outcome{Health: registry.HealthOK, Due: w.clock.now()}))
					}
					w.clock.advance(time.Millisecond)
					b.StartTimer()
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "claims/s")
			})
		})
	}
}

// BenchmarkRelease gives a claim back and takes it again: the whole life of one, without its run.
func BenchmarkRelease(b *testing.B) {
	benchBoth(b, 1, func(b *testing.B, w *world) {
		for b.Loop() {
			c := w.claim(b, "worker")
			got(w.Renew(b.Context(), c, time.Minute))(b)
			ok(b, w.Release(b.Context(), c, registry.Outcome{Health: registry.HealthOK, Due: w.clock.now()}))
		}
	})
}

// BenchmarkAddEvent keeps an event that one webhook wants.
func BenchmarkAddEvent(b *testing.B) {
	benchBoth(b, 0, func(b *testing.B, w *world) {
		ok(b, w.PutWebhook(b.Context(), registry.Webhook{ID: "1"}, nil))
		for b.Loop() {
			ok(b, w.AddEvent(b.Context(), &registry.Event{Kind: "run.finished", Account: "many"}))
		}
	})
}

// BenchmarkTokenByDigest measures the query that every request of the API with an unknown token waits for.
func BenchmarkTokenByDigest(b *testing.B) {
	benchBoth(b, 0, func(b *testing.B, w *world) {
		ok(b, w.PutToken(b.Context(), registry.Token{ID: "1", Name: "pbx"}, []byte("digest"), false))
		for b.Loop() {
			got(w.TokenByDigest(b.Context(), []byte("digest")))(b)
		}
	})
}
