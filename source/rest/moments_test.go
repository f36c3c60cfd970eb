package rest_test

import (
	"strings"
	"testing"
	"time"
)

// A page is kept for a moment, and is known by the times that it was asked for: groups of contacts that were changed within one second,
// each too many for a page, are read by their ids, each group by itself.
func TestTimesWithinOneSecondAreToldApart(t *testing.T) {
	for _, v := range append(ofVendors(), espoCRM(), dolibarr(), odoo()) {
		if v.token {
			continue // its requests name no times
		}
		for _, size := range []string{"3", "50"} {
			s := newScene(t, v, strings.ReplaceAll(strings.ReplaceAll(v.text, "WRONG", ""), "by_id: {page: {size: 3}", "by_id: {page: {size: "+size+"}"))
			if s.store.Granularity >= time.Second {
				continue // such a vendor has no two times within a second
			}
			t.Run(v.kind+" by pages of "+size, func(t *testing.T) {
				second := s.clock.Now().Add(time.Minute).Truncate(time.Second)
				const groups, each = 4, 6 // a page of changes has 5
				for n := range groups * each {
					s.store.Put(second.Add(time.Duration(n%groups)*100*time.Millisecond), s.store.NewID(n+1), v.fields(person("Doe", n)))
				}
				s.clock.Advance(time.Hour)
				if err := s.directory.sync(t.Context(), s.source, 100, nil); err != nil {
					t.Fatal(err)
				}
				if n := len(s.directory.contacts); n != groups*each {
					t.Errorf("%d of %d contacts were read", n, groups*each)
				}
			})
		}
	}
}
