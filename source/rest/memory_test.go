package rest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// Reading by a preset takes no more memory the more contacts there are.
func TestMemoryStaysFlat(t *testing.T) {
	const contacts, page, every = 120_000, 200, 20_000
	begin := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	stamp := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	transport := roundTripper(func(r *http.Request) (int, string) {
		if !strings.HasSuffix(r.URL.Path, "/search") {
			return http.StatusOK, `{"portalId": 7}`
		}
		text, err := io.ReadAll(r.Body)
		var asked struct {
			FilterGroups []struct {
				Filters []struct {
					PropertyName, Operator string
					Value                  json.Number
				}
			}
		}
		if err != nil || json.Unmarshal(text, &asked) != nil {
			return http.StatusBadRequest, `{}`
		}
		ms, err := asked.FilterGroups[0].Filters[0].Value.Int64()
		if err != nil {
			return http.StatusBadRequest, `{}`
		}
		from := int(max(time.UnixMilli(ms+999).Sub(begin)/time.Second, 0))
		var b strings.Builder
		for n := from; n < min(from+page, contacts); n++ {
			fmt.Fprintf(&b, `,{"id": "%d", "properties": {"firstname": "Jane", "lastname": "Doe %[1]d", "email": "%[1]d@example.com", "phone": "+1415555%04[2]d", "lastmodifieddate": %[3]q}, "archived": false}`,
				1000+n, n%10000, stamp(n).Format("2006-01-02T15:04:05.000Z"))
		}
		return http.StatusOK, `{"results": [` + strings.TrimPrefix(b.String(), ",") + `]}`
	})
	s, err := open(t.Context(), "hubspot", "access_token: x\n"+fast, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run, err := s.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var at bridge.Position
	var used []uint64
	read := 0
	for more := true; more; {
		n := 0
		for c, err := range s.Read(t.Context(), run, at, 1000) {
			if err != nil {
				t.Fatal(err)
			}
			at, n = append(at[:0], c.Position...), n+1
		}
		if read, more = read+n, n == 1000; read%every == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			used = append(used, m.HeapAlloc)
		}
	}
	if read != contacts {
		t.Fatalf("%d of %d contacts were read", read, contacts)
	}
	for i, bytes := range used[1:] {
		if bytes > used[0]+2<<20 {
			t.Errorf("after %d contacts %d KiB are in use, and after %d %d KiB", every, used[0]>>10, (i+2)*every, bytes>>10)
		}
	}
	t.Logf("bytes in use after each %d contacts: %v", every, used)
}
