package caller_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
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
