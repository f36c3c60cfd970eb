package caller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/test/pace"
)

func TestNumbersKeepsEverythingThatMayBeLookedFor(t *testing.T) {
	got := caller.Numbers([]string{
		"030/26550280", "+49 30 26550280", "+49 30 26550280 x7", "2041", "12", "n/a", "", "26550281", "0171 1234567 oder 0172 1234567",
	}, "DE")
	want := []directory.Number{
		{Raw: "030/26550280", E164: "+493026550280", Match: "493026550280"},
		{Raw: "+49 30 26550280 x7", E164: "+493026550280", Match: "493026550280", Extension: "7"},
		{Raw: "2041", Match: "2041"},
		{Raw: "26550281", E164: "+4926550281", Match: "4926550281"},
		{Raw: "0171 1234567", E164: "+491711234567", Match: "491711234567"},
		{Raw: "0172 1234567", E164: "+491721234567", Match: "491721234567"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// D11, and no list of numbers is quadratic: those of a contact that was stored before contacts were bounded take the time of those
// that are kept.
func TestNumbersOfOneContactAreBounded(t *testing.T) {
	different := make([]string, 300_000)
	for i := range different {
		different[i] = fmt.Sprintf("+1415%07d", i)
	}
	same := make([]string, 30_000)
	for i := range same {
		same[i] = "+14155550100"
	}
	began := time.Now()
	if n := len(caller.Numbers(different, "US")); n != directory.MaxNumbers {
		t.Errorf("%d numbers", n)
	}
	if n := len(caller.Numbers(same, "US")); n != 1 {
		t.Errorf("%d numbers of one", n)
	}
	long := []string{strings.Repeat("1", 1<<20), strings.Repeat("+14155550100, ", 1<<16), strings.Repeat("ext. ", 1<<18)}
	for _, n := range caller.Numbers(long, "US") {
		if len(n.Match) > 40 || len(n.E164) > 16 {
			t.Errorf("a number of %d digits", len(n.Match))
		}
	}
	if took := time.Since(began); took > pace.Limit(20*time.Second) { // it was minutes
		t.Errorf("took %v", took)
	}
}

func TestNumbersOfALongListAreDifferent(t *testing.T) {
	var phones []string
	for i := range 100 {
		phones = append(phones, fmt.Sprintf("+1415555%04d", i), fmt.Sprintf("+1415555%04d", i%50), fmt.Sprintf("+1 415 555 %04d x%d", i, i%2))
	}
	seen := map[string]bool{}
	for _, n := range caller.Numbers(phones, "US") {
		if key := n.Match + "x" + n.Extension; seen[key] {
			t.Errorf("%s twice", key)
		} else {
			seen[key] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d different numbers", len(seen))
	}
}
