package bridgetest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/source/memory"
)

// BenchmarkCheck compares a whole check of our own bridge with one plain full synchronization of it: each page fetched and
// decoded, nothing stored. The pauses that cases prescribe are left out of the ratio and counted by themselves.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			store := memory.NewStore(nil)
			tx := store.Begin()
			for i := range n {
				tx.PutAt(sample(i), stamp(i))
			}
			tx.Commit()
			target := serveOwn(b, store.Factory(), nil, bridge.Limits{})
			target.Contacts = n
			const pause = 50 * time.Millisecond
			var plain, check time.Duration
			for b.Loop() {
				began := time.Now()
				plainSync(b, target)
				plain += time.Since(began)
				began = time.Now()
				report, err := bridgetest.Check(b.Context(), target, bridgetest.Options{Pause: pause})
				check += time.Since(began)
				if err != nil || !report.Strict {
					b.Fatal(err, report.Counts)
				}
			}
			b.ReportMetric(plain.Seconds()/float64(b.N), "plain-s")
			b.ReportMetric(check.Seconds()/float64(b.N), "check-s")
			b.ReportMetric(check.Seconds()/plain.Seconds(), "check/plain")
		})
	}
}

// plainSync fetches every page and decodes it.
func plainSync(b *testing.B, target bridgetest.Target) {
	type contact struct {
		ID, Name, Title, Company string
		Phones, Emails, Websites []string
	}
	offset := ""
	for {
		body, err := json.Marshal(map[string]any{"auth": target.Auth, "meta": map[string]any{"offset": offset}})
		if err != nil {
			b.Fatal(err)
		}
		response, err := http.Post(target.URL, "application/json", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		var page struct {
			NextOffset string `json:"next_offset"`
			Contacts   []contact
		}
		if err == nil {
			err = json.Unmarshal(text, &page)
		}
		if err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(response.Status, err)
		}
		if offset = page.NextOffset; offset == "" {
			return
		}
	}
}
