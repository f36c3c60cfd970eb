package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestIntegrationsAreSpreadOverTheirInterval(t *testing.T) {
	const integrations, every = 6000, time.Minute
	seconds := map[int]int{}
	for n := range integrations {
		key := directory.Key{Account: "acme", Integration: fmt.Sprint("crm", n)}
		due := next(registry.Schedule{Every: every}, key, time.UTC, monday)
		if wait := due.Sub(monday); wait <= 0 || wait > every {
			t.Fatalf("%v is due in %s", key, wait)
		}
		seconds[due.Second()]++
		if again := next(registry.Schedule{Every: every}, key, time.UTC, due); again.Sub(due) != every {
			t.Fatalf("%v runs at %s and %s", key, due, again)
		}
	}
	for second := range 60 {
		if n := seconds[second]; n < 50 || n > 150 { // 100 on average
			t.Errorf("%d of %d run in second %d", n, integrations, second)
		}
	}
}

func TestCronIsReadInTheAccountsTimeZone(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	s := registry.Schedule{Cron: "30 6 * * 1-5"}
	winter := next(s, directory.Key{}, london, monday)
	summer := next(s, directory.Key{}, london, monday.AddDate(0, 3, 0))
	if winter.Format("Mon 15:04") != "Tue 06:30" || summer.Format("15:04") != "05:30" {
		t.Errorf("%s, %s", winter, summer)
	}
	if !next(registry.Schedule{Off: true}, directory.Key{}, time.UTC, monday).IsZero() {
		t.Error("what is off runs by itself")
	}
}
