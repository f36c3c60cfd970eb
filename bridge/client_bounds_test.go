package bridge_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// serveBody answers every request with one body, compressed where the client takes that.
func serveBody(t testing.TB, body []byte, zipped bool) *bridge.Client {
	sent := body
	if zipped { // so that its length is not known
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		_, _ = w.Write(body)
		_ = w.Close()
		sent = b.Bytes()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if zipped {
			w.Header().Set("Content-Encoding", "gzip")
		}
		_, _ = w.Write(sent)
	}))
	t.Cleanup(server.Close)
	// A transport of its own: the client's own one asks a bridge on this machine for no compression.
	return &bridge.Client{URL: server.URL + "/contact_sync", HTTP: &http.Client{Transport: &http.Transport{}}}
}

// filled returns a body of about so many bytes: a start, one piece again and again with commas between, and an end.
func filled(size int, start, piece, end string) []byte {
	n := (size - len(start) - len(end)) / (len(piece) + 1)
	return []byte(start + strings.TrimSuffix(strings.Repeat(piece+",", n), ",") + end)
}

// hostile are answers that are small on the wire and large in memory.
var hostile = []struct {
	name string
	body func(size int) []byte
}{
	{"contacts of an id", func(n int) []byte { return filled(n, `{"contacts":[`, `{"id":1}`, `]}`) }},
	{"empty contacts", func(n int) []byte { return filled(n, `{"contacts":[`, `{}`, `]}`) }},
	{"numbers for contacts", func(n int) []byte { return filled(n, `{"contacts":[`, `1`, `]}`) }},
	{"contacts rejected for their name", func(n int) []byte { return filled(n, `{"contacts":[`, `{"id":"17","name":[]}`, `]}`) }},
	{"small contacts", func(n int) []byte {
		return filled(n, `{"contacts":[`, `{"id":"17","name":"Al","phones":["+15550100"]}`, `]}`)
	}},
	{"large contacts after small ones", func(n int) []byte {
		large := `{"id":"1","name":"` + strings.Repeat("x", 1000) + `"}`
		return filled(n, `{"contacts":[`+strings.Repeat(`{"id":1},`, 30_000), large, `]}`)
	}},
	{"small contacts after large ones", func(n int) []byte {
		large := `{"id":"1","name":"` + strings.Repeat("x", 1000) + `"},`
		return filled(n, `{"contacts":[`+strings.Repeat(large, n/2000), `{"id":"17","name":"Al","phones":["+15550100"]}`, `]}`)
	}},
	{"deleted contacts", func(n int) []byte { return filled(n, `{"contacts":[],"deleted_contacts":[`, `"1"`, `]}`) }},
	{"longer deleted contacts", func(n int) []byte { return filled(n, `{"contacts":[],"deleted_contacts":[`, `"1234567"`, `]}`) }},
	{"custom fields of one contact", func(n int) []byte {
		return filled(n, `{"contacts":[{"id":"1","custom_fields":[`, `{"key":"a","value":1}`, `]}]}`)
	}},
	{"phones of one contact", func(n int) []byte { return filled(n, `{"contacts":[{"id":"1","phones":[`, `"1"`, `]}]}`) }},
	{"emails of many contacts", func(n int) []byte {
		return filled(n, `{"contacts":[`, `{"id":"1","emails":[`+strings.TrimSuffix(strings.Repeat(`"a",`, 900), ",")+`]}`, `]}`)
	}},
	{"rejected contacts", func(n int) []byte { return filled(n, `{"rejected_contacts":[`, `{"id":"17","reason":"x"}`, `]}`) }},
	{"rejected contacts that are not objects", func(n int) []byte { return filled(n, `{"rejected_contacts":[`, `1`, `]}`) }},
	{"rejected contacts of many elements", func(n int) []byte { return filled(n, `{"rejected_contacts":[{"id":[`, `{}`, `]}]}`) }},
	{"a long reason", func(n int) []byte {
		return []byte(`{"rejected_contacts":[{"id":"1","reason":"` + strings.Repeat("x", n-60) + `"}]}`)
	}},
	{"a long text", func(n int) []byte {
		return []byte(`{"contacts":[{"id":"1","name":"` + strings.Repeat("x", n-40) + `"}]}`)
	}},
	{"a long text with escapes", func(n int) []byte {
		return []byte(`{"contacts":[{"id":"1","name":"` + strings.Repeat(`\u0041`, n/6-10) + `"}]}`)
	}},
	{"a large context", func(n int) []byte { return []byte(`{"contacts":[],"context":"` + strings.Repeat("x", n-40) + `"}`) }},
	{"a context of many elements", func(n int) []byte { return filled(n, `{"contacts":[],"context":[`, `{}`, `]}`) }},
	{"an unknown field of many elements", func(n int) []byte { return filled(n, `{"contacts":[],"other":[`, `{"a":{}}`, `]}`) }},
	{"many unknown names", func(n int) []byte { return filled(n, `{"contacts":[],`, `"a":1`, `}`) }},
	{"contacts again and again", func(n int) []byte { return filled(n, `{`, `"contacts":[{"id":1}]`, `}`) }},
	{"a long offset", func(n int) []byte { return []byte(`{"contacts":[],"next_offset":"` + strings.Repeat("x", n-40) + `"}`) }},
	{"an error of many elements", func(n int) []byte { return filled(n, `{"error":{"code":[`, `{}`, `]}}`) }},
	{"deep nesting", func(n int) []byte { return []byte(`{"contacts":[],"other":` + strings.Repeat("[", n-40) + `}`) }},
}

// D11: whatever an answer holds, decoding it costs at most eight times its bytes, in all and at any moment.
func TestDecodingCostsAtMostEightTimesAPagesBytes(t *testing.T) {
	const overhead = 1 << 20
	size, most := 6<<20, float64(bridge.MemoryFactor)
	if raceDetector { // with it pools forget at random, and everything is slow
		size, most = 3<<20, most+2
	}
	for _, h := range hostile {
		for _, zipped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/zipped=%v", h.name, zipped), func(t *testing.T) {
				body := h.body(size)
				if len(body) > size {
					t.Fatalf("the body has %d bytes", len(body))
				}
				client := serveBody(t, body, zipped)
				var before, after, live runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				page, err := client.Page(t.Context(), bridge.PageRequest{})
				runtime.ReadMemStats(&after)
				runtime.GC()
				runtime.ReadMemStats(&live)
				factor := func(n uint64) float64 { return float64(int64(n)-overhead) / float64(len(body)) }
				allocated, kept := factor(after.TotalAlloc-before.TotalAlloc), factor(live.HeapAlloc-min(live.HeapAlloc, before.HeapAlloc))
				t.Logf("allocated %.1f times the bytes, kept %.1f; %v", allocated, kept, err)
				if allocated > most || kept > most {
					t.Errorf("allocated %.1f times the page's bytes, kept %.1f", allocated, kept)
				}
				runtime.KeepAlive(page)
				runtime.KeepAlive(body)
			})
		}
	}
}

// D11: a contact beyond a bound is rejected by itself, with its id, wherever that stands in it; the page goes on.
func TestAContactBeyondABoundIsRejectedByItself(t *testing.T) {
	many := func(n int, entry string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + "]"
	}
	cases := []struct{ fields, reason string }{
		{`"phones":` + many(contact.MaxPhones+1, `"+15550100"`), "has more than 1000 phones"},
		{`"emails":` + many(contact.MaxEmails+1, `"a@b.example"`), "has more than 1000 emails"},
		{`"websites":` + many(contact.MaxWebsites+1, `"b.example"`), "has more than 1000 websites"},
		{`"custom_fields":` + many(contact.MaxCustomFields+1, `{"key":"a","value":"b"}`), "has more than 1000 custom_fields"},
		{`"photo_url":"` + strings.Repeat("x", contact.MaxText+1) + `"`, "has more than 1024 KiB of text"},
		{`"title":"` + strings.Repeat("x", contact.MaxText/2+1) + `","company":"` + strings.Repeat("x", contact.MaxText/2) + `"`, "has more than 1024 KiB of text"},
	}
	for _, c := range cases {
		for _, large := range []string{`{"id":"2",` + c.fields + `}`, `{` + c.fields + `,"id":"2"}`} {
			page, err := ask1(answering(200, `{"contacts":[{"id":"1"},`+large+`,{"id":"3"}]}`))
			if err != nil {
				t.Fatalf("%s: %v", c.reason, err)
			}
			if len(page.Contacts) != 2 || page.Contacts[0].ID != "1" || page.Contacts[1].ID != "3" {
				t.Errorf("%s: %d contacts", c.reason, len(page.Contacts))
			}
			if want := (bridge.Rejected{ID: "2", Reason: c.reason}); len(page.Rejected) != 1 || page.Rejected[0] != want {
				t.Errorf("rejected %+v, want %+v", page.Rejected, want)
			}
		}
	}
	within := `{"id":"2","phones":` + strings.Replace(many(contact.MaxPhones, `"+15550100"`), "]", `,"",null]`, 1) + `,"photo":"` + strings.Repeat("x", 2*contact.MaxText) + `"}`
	page, err := ask1(answering(200, `{"contacts":[`+within+`]}`))
	if err != nil || len(page.Contacts) != 1 || len(page.Contacts[0].Phones) != contact.MaxPhones {
		t.Errorf("a contact within the bounds: %v, %+v", err, page.Rejected)
	}
	long := strings.Repeat("9", contact.MaxID+1)
	page, err = ask1(answering(200, `{"contacts":[{"id":"`+long+`"}],"deleted_contacts":["1","`+long+`"]}`))
	if err != nil || len(page.Rejected) != 1 || page.Rejected[0].ID != long[1:] || page.Rejected[0].Reason != "has an id of more than 2048 bytes" {
		t.Errorf("a long id: %v", err)
	} else if len(page.Deleted) != 1 {
		t.Errorf("deleted: %d ids", len(page.Deleted))
	}
}

// D11: a page of 32 MiB is allowed.
func TestAPageOf32MiBIsRead(t *testing.T) {
	person := `{"id":"%07d","name":"Jane Doe %07d","company":"Example Corp.","phones":["+1555%07d"],"emails":["jane.%07d@example.com"]}`
	body := []byte(`{"contacts":[`)
	n := 0
	for ; len(body) < 32<<20-200; n++ {
		body = append(fmt.Appendf(body, person, n, n, n, n), ',')
	}
	body = append(body[:len(body)-1], `]}`...)
	for _, zipped := range []bool{false, true} {
		page, err := serveBody(t, body, zipped).Page(t.Context(), bridge.PageRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Contacts) != n || page.Bytes != int64(len(body)) || page.Contacts[n-1].ID != fmt.Sprintf("%07d", n-1) {
			t.Errorf("%d contacts of %d, %d bytes of %d", len(page.Contacts), n, page.Bytes, len(body))
		}
	}
}

// D11: what is too large says so, and what to do.
func TestAPageThatIsTooLargeSaysWhatToDo(t *testing.T) {
	for name, body := range map[string][]byte{
		"bytes":     filled(33<<20, `{"contacts":[`, `{"id":"1","name":"`+strings.Repeat("x", 1000)+`"}`, `]}`),
		"contacts":  filled(30<<20, `{"contacts":[`, `{"id":"17","name":[]}`, `]}`),
		"memory":    filled(1<<20, `{"contacts":[`, `{"id":1}`, `]}`),
		"deletions": filled(20<<20, `{"deleted_contacts":[`, `"12345678"`, `]}`),
	} {
		_, err := serveBody(t, body, true).Page(t.Context(), bridge.PageRequest{})
		if bridge.CodeOf(err) != bridge.CodeAnswerTooBig || bridge.Retryable(err) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e := new(bridge.Error); !errors.As(err, &e) || !strings.Contains(e.Hint, "pages smaller") {
			t.Errorf("%s: hint %q", name, e.Hint)
		}
	}
}

// D11: contacts that cannot be taken cost no more than those that can.
func TestRejectedContactsCostLittle(t *testing.T) {
	const n = 8000
	client := answering(200, string(filled(n*250, `{"contacts":[`, `{"name":"`+strings.Repeat("x", 238)+`"}`, `]}`)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	page, err := ask1(client)
	runtime.ReadMemStats(&after)
	if err != nil || len(page.Rejected) < n-100 {
		t.Fatalf("%d rejected, %v", len(page.Rejected), err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > bridge.MemoryFactor*n*250 {
		t.Errorf("%d MiB for %d KiB", got>>20, n*250>>10)
	}
}

func TestAnAnswerToAValidationIsBounded(t *testing.T) {
	for name, body := range map[string]string{
		"fields": `{` + strings.TrimSuffix(strings.Repeat(`"a%d":"1",`, 200), ",") + `}`,
		"bytes":  `{"token":"` + strings.Repeat("x", 2<<20) + `"}`,
	} {
		for i := range 200 {
			body = strings.Replace(body, "%d", fmt.Sprint(i), 1)
		}
		client := answering(200, body)
		extra, err := client.Validate(t.Context(), "http://bridge.test/auth_validation")
		if err == nil {
			t.Errorf("%s: taken, %d fields", name, len(extra))
		}
		if name == "bytes" && !strings.Contains(fmt.Sprint(err), "larger than 1 MiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// D11: pages share a budget; what waits for it waits its turn, and the bridge's time does not run meanwhile.
func TestPagesWaitForTheirTurnInTheBudget(t *testing.T) {
	const timeout = 500 * time.Millisecond
	body := filled(3<<20, `{"contacts":[`, `{"id":"1","name":"`+strings.Repeat("x", 1000)+`"}`, `]}`)
	first := serveBody(t, body, false)
	first.Budget, first.Timeout = bridge.NewBudget(bridge.MemoryFactor*int64(len(body))), timeout
	second := &bridge.Client{URL: first.URL, HTTP: first.HTTP, Budget: first.Budget, Timeout: timeout}
	page, err := first.Page(t.Context(), bridge.PageRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		page, err := second.Page(t.Context(), bridge.PageRequest{})
		if err == nil {
			page.Release()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("the second page did not wait: %v", err)
	case <-time.After(2 * timeout):
	}
	runtime.KeepAlive(page)
	page.Release()
	page.Release() // does nothing
	if err := <-got; err != nil {
		t.Errorf("the second page: %v", err)
	}
}

func TestWaitingForTheBudgetCanBeCancelled(t *testing.T) {
	client := answering(200, `{"contacts":[{"id":"1"}]}`)
	client.Budget = bridge.NewBudget(1)
	page, err := ask1(client)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Page(ctx, bridge.PageRequest{}); bridge.CodeOf(err) != bridge.CodeCanceled {
		t.Errorf("%v", err)
	}
	runtime.KeepAlive(page)
}

// A page that failed, or that was forgotten, holds no room.
func TestRoomComesBack(t *testing.T) {
	client := answering(200, `{"contacts":[{"id":"1"}]}`)
	client.Budget = bridge.NewBudget(1)
	broken := answering(200, `{"contacts":[`)
	broken.Budget = client.Budget
	for range 3 {
		if _, err := ask1(broken); err == nil {
			t.Fatal("no error")
		}
	}
	if _, err := ask1(client); err != nil {
		t.Fatal(err)
	}
	collecting := time.NewTicker(10 * time.Millisecond)
	defer collecting.Stop()
	got := make(chan error, 1)
	go func() { _, err := ask1(client); got <- err }()
	for {
		select {
		case err := <-got:
			if err != nil {
				t.Error(err)
			}
			return
		case <-collecting.C:
			runtime.GC()
		}
	}
}

// D11: our own bridge does not send a contact beyond a bound, and the page goes on.
func TestAContactBeyondABoundIsNotSent(t *testing.T) {
	m := numbered(3)
	m.entries[1].contact.Phones = strings.Split(strings.Repeat("+14155550100 ", contact.MaxPhones+1), " ")[:contact.MaxPhones+1]
	var seen bridge.Observation
	h := handlerOf(m, bridge.Limits{})
	h.Observe = func(o bridge.Observation) { seen = o }
	page, err := serve(t, h).Page(t.Context(), bridge.PageRequest{SupportsDeletions: true})
	if err != nil || len(page.Contacts) != 2 {
		t.Fatalf("%d contacts, %v", len(page.Contacts), err)
	}
	if seen.LeftOut != 1 {
		t.Errorf("%d left out", seen.LeftOut)
	}
	// It exists all the same, and must not be counted as absent (D8).
	if len(page.Rejected) != 1 || page.Rejected[0].ID != m.entries[1].contact.ID || !strings.Contains(page.Rejected[0].Reason, "phones") {
		t.Errorf("rejected: %+v", page.Rejected)
	}
}

// A request that is nothing but depth or elements is refused at once, and costs no more than its bytes.
func TestAHostileRequestIsRefusedAtOnce(t *testing.T) {
	h := handlerOf(numbered(1), bridge.Limits{})
	for name, body := range map[string]string{
		"depth":             strings.Repeat("[", 1<<20),
		"depth in auth":     `{"auth":{"a":` + strings.Repeat("[", 1<<19),
		"depth in context":  `{"meta":{"context":` + strings.Repeat(`{"a":`, 1<<17),
		"closed depth":      `{"meta":{"context":` + strings.Repeat("[", 1<<18) + strings.Repeat("]", 1<<18) + `}}`,
		"a body too large":  `{"auth":{"a":"` + strings.Repeat("x", 2<<20) + `"}}`,
		"elements of auth":  `{"auth":[` + strings.Repeat("{},", 1<<18) + `{}]}`,
		"names in nul":      `{"auth":{` + "\"\x00\"" + `:1}}`,
		"a number too long": `{"auth":{"a":` + strings.Repeat("9", 1<<20),
	} {
		began := time.Now()
		r := httptest.NewRequest(http.MethodPost, "/crm/contact_sync", strings.NewReader(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 || time.Since(began) > pace.Limit(5*time.Second) {
			t.Errorf("%s: %d after %v: %.200s", name, w.Code, time.Since(began), w.Body)
		}
	}
}

// A givenUp context is done once it is told, and says so only when it is asked.
type givenUp struct {
	context.Context
	done atomic.Bool
}

func (g *givenUp) Err() error {
	if g.done.Load() {
		return context.Canceled
	}
	return nil
}

// A page can be given up although all of it has arrived: what is slow to decode is decoded no further.
func TestDecodingCanBeGivenUp(t *testing.T) {
	for _, size := range []int{200 << 10, 3 << 20} {
		ctx := &givenUp{Context: t.Context()}
		body := filled(size, `{"contacts":[`, `{"id":"1","name":"`+strings.Repeat("\xe9 ", 500)+`"}`, `]}`)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // of unknown length
			_, _ = w.Write(body)
			ctx.done.Store(true) // and its end is read later
		}))
		_, err := (&bridge.Client{URL: server.URL}).Page(ctx, bridge.PageRequest{})
		if bridge.CodeOf(err) != bridge.CodeCanceled {
			t.Errorf("%d bytes: %v", size, err)
		}
		server.Close()
	}
}

// Text of another character set comes out the same however it is read, a buffer's end in the middle of a character included.
func TestTextOfAnotherCharacterSetIsReadWhole(t *testing.T) {
	for n := range 12 {
		shift, count := strings.Repeat("x", n), 70_000
		for piece, want := range map[string]string{"\xe9 ": "é ", "\xe9": "é", "é": "é", "€": "€", "😀a": "😀a"} {
			page, err := ask1(answering(200, `{"contacts":[{"id":"1","name":"`+shift+strings.Repeat(piece, count)+`"}]}`))
			if err != nil || len(page.Contacts) != 1 || page.Contacts[0].Name != shift+strings.Repeat(want, count) {
				t.Errorf("%q after %d: %v", piece, n, err)
			}
		}
	}
}
