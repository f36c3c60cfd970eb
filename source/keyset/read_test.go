package keyset

import (
	"context"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// segments is a database. Its segments hold the ids of a list, whatever else is asked.
type segments map[Segment]string

func (s segments) Fetch(_ context.Context, page Page, yield func(bridge.Change) bool) (result Result, err error) {
	for _, id := range strings.Fields(s[page.Segment]) {
		if page.After && id <= page.ID.Text {
			continue
		}
		at := Position{Segment: page.Segment, ID: TextValue(id), Bound: page.Bound}
		if page.Segment == Main {
			at.Updated = IntValue(1)
		}
		result.Last = at
		result.Rows++
		result.Changes++
		if !yield(bridge.Change{Contact: contact.Contact{ID: id}, Position: AppendPosition(nil, at)}) {
			result.Stopped = true
			return result, nil
		}
	}
	return result, nil
}

func (s segments) Greatest(context.Context, Page) (Value, error) { return TextValue("z"), nil }

func (s segments) Unnamed(context.Context) (bool, error) { return false, nil }

// P10: a row that is changed between the queries of two segments is in both of them, and a page must know it when it comes again.
func TestRowsOfTwoSegmentsAreToldP10(t *testing.T) {
	database := segments{Nulls: "a b", Main: "b c d", Tail: "c e", Again: "e"}
	run := State{Layout: Number, Horizon: IntValue(5), Mark: "1:1"}.Run("")
	for _, c := range []struct {
		since bridge.Checkpoint
		want  string
	}{{"", "a b b! c d c! e e!"}, {"0", "b c d c! e"}} {
		run.Since = c.since
		var got []string
		for change, err := range Read(t.Context(), database, run, nil, 100) {
			if err != nil {
				t.Fatal(err)
			}
			id := change.Contact.ID
			if change.Again {
				id += "!"
			}
			got = append(got, id)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("since %q: %s, want %s", c.since, got, c.want)
		}
	}
}
