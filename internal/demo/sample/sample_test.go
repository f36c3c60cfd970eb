package sample

import (
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"
)

var start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func TestSameSeedMakesTheSameCustomers(t *testing.T) {
	one, two, other := All(7, start, 500), All(7, start, 500), All(8, start, 500)
	differ := false
	for i := range one {
		if one[i] != two[i] {
			t.Fatalf("customer %d differs: %+v, %+v", i, one[i], two[i])
		}
		differ = differ || one[i] != other[i]
	}
	if !differ {
		t.Error("another seed made the same customers")
	}
}

// The demo looks up these numbers: each written number must mean the number in E164.
func TestNumbersAreValidAsTheyAreWritten(t *testing.T) {
	for _, c := range All(1, start, 5000) {
		n, err := phonenumbers.Parse(c.Phone, c.Region)
		if err != nil {
			t.Fatalf("%q in %s: %v", c.Phone, c.Region, err)
		}
		if got := phonenumbers.Format(n, phonenumbers.E164); got != c.E164 {
			t.Errorf("%q in %s is %s, want %s", c.Phone, c.Region, got, c.E164)
		}
		if !phonenumbers.IsValidNumber(n) {
			t.Errorf("%q in %s is not valid", c.Phone, c.Region)
		}
		if c.Mobile == "" {
			continue
		}
		if m, err := phonenumbers.Parse(c.Mobile, c.Region); err != nil || !phonenumbers.IsValidNumber(m) {
			t.Errorf("mobile %q in %s is not valid: %v", c.Mobile, c.Region, err)
		}
	}
}
