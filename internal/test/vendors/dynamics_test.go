package vendors

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDynamicsIsStrict(t *testing.T) {
	d := NewDynamics(nil, "acme")
	header := map[string]string{"Authorization": "Bearer " + d.OAuth.Token()}
	tracked := map[string]string{"Authorization": header["Authorization"], "Prefer": "odata.track-changes"}
	large := map[string]string{"Authorization": header["Authorization"], "Prefer": "odata.maxpagesize=5001"}
	both := map[string]string{"Authorization": header["Authorization"], "Prefer": "odata.maxpagesize=50"}
	url := "https://acme.crm4.dynamics.com/api/data/v9.2/contacts"
	refuses(t, d, http.StatusBadRequest, map[string]call{
		"a filter of changes":  {url: url + "?$filter=" + escape("statecode eq 0"), header: tracked},
		"an order of changes":  {url: url + "?$orderby=modifiedon", header: tracked},
		"too large a page":     {url: url, header: large},
		"two sizes":            {url: url + "?$top=5", header: both},
		"a skip":               {url: url + "?$skip=5", header: header},
		"an unknown column":    {url: url + "?$select=name", header: header},
		"a date of no kind":    {url: url + "?$filter=" + escape("modifiedon ge 2026-01-01"), header: header},
		"a foreign token":      {url: url + "?$deltatoken=x", header: header},
		"a foreign cookie":     {url: url + "?$skiptoken=x", header: header},
		"an unknown operator":  {url: url + "?$filter=" + escape("modifiedon > 2026-01-01T00:00:00Z"), header: header},
		"an unknown condition": {url: url + "?$filter=" + escape("name eq 'x'"), header: header},
	})
	refuses(t, d, http.StatusUnauthorized, map[string]call{"no token": {url: url}})
	d.NoTracking = true
	refuses(t, d, http.StatusBadRequest, map[string]call{"a table without tracking": {url: url, header: tracked}})
}

func TestDynamicsTracksChanges(t *testing.T) {
	clock := new(Clock)
	d := NewDynamics(clock.Now, "acme")
	for i := range 7 {
		d.Put(noon, fmt.Sprint("c", i), Fields{"fullname": "Doe", "_parentcustomerid_value": "1", "_parentcustomerid_value@OData.Community.Display.V1.FormattedValue": "Acme"})
	}
	header := map[string]string{
		"Authorization": "Bearer " + d.OAuth.Token(),
		"Prefer":        `odata.track-changes,odata.maxpagesize=2,odata.include-annotations="OData.Community.Display.V1.FormattedValue"`,
	}
	start := "https://acme.crm4.dynamics.com/api/data/v9.2/contacts?$select=fullname,_parentcustomerid_value"
	first := ok(t, d, call{url: start, header: header})
	want(t, at(first, "value", 0, "_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"), "Acme")
	changed := 0
	ids, _, link := follow(t, d, start, header, func() {
		changed++
		d.Update(fmt.Sprint("c", changed), Fields{"fullname": "Changed"})
	})
	for i := range 7 {
		if !slices.Contains(ids, fmt.Sprint("c", i)) {
			t.Errorf("c%d is missing in %v", i, ids)
		}
	}
	header["Prefer"] = "odata.maxpagesize=2"
	d.Delete(clock.Now(), "c1")
	d.Delete(clock.Now(), "c6")
	d.Update("c0", Fields{"fullname": "Last"})
	ids, _, link = follow(t, d, link, header, nil)
	want(t, strings.Join(ids[len(ids)-3:], " "), "c0 -c1 -c6")
	clock.Advance(8 * 24 * time.Hour)
	header["Authorization"] = "Bearer " + d.OAuth.Token()
	status, _, body := do(t, d, call{url: link, header: header})
	want(t, status, http.StatusBadRequest)
	want(t, at(body, "error", "code"), "0x80044352")
}

func TestDynamicsListsInOrder(t *testing.T) {
	d := NewDynamics(nil, "acme")
	for i := range 5 {
		d.Put(noon.Add(time.Duration(i/2)*time.Second), fmt.Sprint("c", i), Fields{"fullname": "Doe"})
	}
	header := map[string]string{"Authorization": "Bearer " + d.OAuth.Token(), "Prefer": "odata.maxpagesize=2"}
	body := ok(t, d, call{header: header, url: "https://acme.crm4.dynamics.com/api/data/v9.2/contacts?$select=fullname,modifiedon&$orderby=modifiedon%20asc,contactid%20asc&$filter=" +
		escape("(modifiedon gt 2026-03-01T12:00:00Z) or (modifiedon eq 2026-03-01T12:00:00Z and contactid gt 'c0')")})
	want(t, column(at(body, "value"), "contactid"), "c1 c2")
	want(t, at(body, "value", 0, "modifiedon"), "2026-03-01T12:00:00Z")
	want(t, column(at(ok(t, d, call{header: header, url: at(body, "@odata.nextLink").(string)}), "value"), "contactid"), "c3 c4")
}
