package phone

import (
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

func sortedRegions() []string {
	var regions []string
	for region := range phonenumbers.GetSupportedRegions() {
		regions = append(regions, region)
	}
	slices.Sort(regions)
	return regions
}

func TestEveryPlanAndCallingCodeCanBeBuilt(t *testing.T) {
	states, most := 0, 0
	for _, code := range plans().codes {
		if code == nil {
			continue
		}
		if !code.ready() {
			t.Errorf("+%s cannot be built", code.digits)
			continue
		}
		states += len(code.valid.label)
		most = max(most, len(code.valid.label))
		for _, p := range code.plans {
			if !p.ready() {
				t.Errorf("%s cannot be built", p.region)
				continue
			}
			states += len(p.general.label)
		}
	}
	t.Logf("%d states, at most %d in one automaton", states, most)
}
