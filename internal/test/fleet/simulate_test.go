package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// TestASimulationRunsEveryIntegrationOnce lets three workers run 1,000 integrations that are due at the same moment: each runs once, by
// one worker, and is due again in a year. What more than its schedule is done would be load that the schedule does not ask for.
func TestASimulationRunsEveryIntegrationOnce(t *testing.T) {
	var out strings.Builder
	o := options{workers: 3, every: 10_000 * time.Hour, duration: time.Minute, simulation: simulation{simulate: 1000, places: 16, took: time.Millisecond, linger: 1500 * time.Millisecond}}
	phases, err := simulate(t.Context(), o, &out, allAtOnce)
	if errors.Is(err, pgtest.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err, out.String())
	}
	measured := phases[0]
	if measured.runs != 1000 || measured.distinct != 1000 || measured.overlaps != 0 {
		t.Errorf("%d runs of %d integrations, %d overlaps", measured.runs, measured.distinct, measured.overlaps)
	}
	if measured.held != 0 || measured.overdue != 0 {
		t.Errorf("%d are claimed and %d due, after all ran", measured.held, measured.overdue)
	}
	// A claim is taken, begun and released: three rows of the registry. A look at all integrations or accounts for each of them
	// would be many more transactions than these.
	for _, w := range measured.load.tables {
		if w.name == "hub_integrations" && w.rows != 3000 {
			t.Errorf("%d rows of integrations were written for 1000 claims", w.rows)
		}
	}
	if per := float64(measured.load.transactions) / 1000; per > 25 {
		t.Errorf("%.1f transactions for a claim", per)
	}
}
