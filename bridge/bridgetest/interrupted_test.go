package bridgetest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
)

// A check of a bridge that has no end reports what it had found when it is interrupted.
func TestAnInterruptedCheckReportsWhatItFound(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	pages := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if pages++; pages == 200 {
			interrupt()
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"contacts":[{"name":"without an id"},{"id":"%d","name":"Jane"}],"next_offset":"%[1]d"}`, pages)
	}))
	defer server.Close()
	report, err := bridgetest.Check(ctx, bridgetest.Target{URL: server.URL + "/contact_sync"}, bridgetest.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	failed, skipped := 0, 0
	for _, r := range report.Results {
		switch {
		case r.Outcome == bridgetest.Failed:
			failed++
			if r.Count > 0 && len(r.Findings) == 0 {
				t.Errorf("%s: no finding", r.ID)
			}
		case r.Detail == "the check was interrupted":
			skipped++
		}
	}
	if failed == 0 || skipped == 0 {
		t.Errorf("%d cases failed, %d were not judged: %+v", failed, skipped, report.Counts)
	}
}
