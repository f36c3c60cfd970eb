package view

import (
	"testing"

	"github.com/contactbridge/contactbridge/directory"
)

func TestAFailedRunStaysAFailedRun(t *testing.T) {
	for want, run := range map[string]directory.Run{
		"failed, then replaced by a newer run": {State: directory.Abandoned, Error: "the bridge does not answer"},
		"replaced by a newer run":              {State: directory.Abandoned},
		"failed":                               {State: directory.Failed, Error: "the bridge does not answer"},
	} {
		if got := runWords(run); got != want {
			t.Errorf("%+v: %q, want %q", run, got, want)
		}
	}
}
