package csv_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/source"
)

// cells are values that are read, cleaned, prepared or written in their own ways.
var cells = []string{
	"", " ", "1", "Jane Doe", " Jürgen Müller ", "東京", "\u00a0", "=\"0791\"", "=\"\"", "\"quoted\"", "back\\slash", "two\nlines", "tab\t", "\u2028", "\x00x\x00",
	"\xff\xfe", "\xc3", "a@x.example", "a@x.example; b@x.example", `["a@x.example"]`, `{"phone":"030 1234567"}`, "415 555 2671", "+49 30 1234567",
	"030/1234567", "07911123468;02079460111", "447911123457.0", "4.915112345678E+12", "a.example; b.example", "https://a.example/b", "US", "Germany", "yes", "0",
	strings.Repeat("long ", 14_000), "\ufeff", "{{auth.x}}", "<b>&", "\x7f\x1f",
}

// An answer to a request for a page is the same, byte for byte, whether the source encodes its contacts or the handler does.
func TestAnEncodedPageIsThePage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.csv")
	served := 0
	rapid.Check(t, func(r *rapid.T) {
		columns := []string{"id", "name", "a", "b", "c", "d", "e", "stamp"}
		var content bytes.Buffer
		w := csv.NewWriter(&content)
		_ = w.Write(columns)
		for i := range rapid.IntRange(0, 30).Draw(r, "rows") {
			row := make([]string, len(columns))
			for j := range row {
				row[j] = rapid.SampledFrom(cells).Draw(r, "cell")
			}
			row[7] = fmt.Sprintf("2024-01-%02d", rapid.IntRange(1, 9).Draw(r, "day"))
			if rapid.IntRange(0, 9).Draw(r, "usual") > 1 {
				row[0], row[1] = fmt.Sprint(i), "Name"
			}
			if len(row[0]) > 2*contact.MaxID {
				row[0] = "" // it would not fit into an offset
			}
			_ = w.Write(row)
		}
		w.Flush()
		if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
			r.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			r.Fatal(err)
		}
		settings := "path: " + path + "\nid: id\nfields: {name: name, title: a, emails: [b, c], phones: [c, d], websites: [d, e], country: e, " +
			"url: b, custom_fields: {Plan: a, E: e}}\n"
		if rapid.Bool().Draw(r, "updated") {
			settings += "updated: stamp\n"
		}
		if rapid.Bool().Draw(r, "deleted") {
			settings += "deleted: d\n"
		}
		factory, err := tryFactory(settings, source.Deps{})
		if err != nil {
			r.Fatal(err)
		}
		defer factory.Close()
		phones := config.Phones{Format: config.FormatAsIs, Region: rapid.SampledFrom([]string{"", "DE"}).Draw(r, "region")}
		limits := bridge.Limits{Contacts: rapid.IntRange(1, 40).Draw(r, "contacts"), Bytes: rapid.SampledFrom([]int{1000, 1 << 20}).Draw(r, "bytes")}
		pages := func(leaves func(*contact.Contact) bool) []string {
			return pages(&bridge.Handler{
				Open: factory.Open, Authenticate: bridge.AllowAnyone, Prepare: phones.Prepare(), Leaves: leaves, Limits: limits,
			})
		}
		want, got := pages(nil), pages(phones.Leaves())
		if strings.Contains(want[0], `"id":`) {
			served++
		}
		if strings.Join(want, "\n") != strings.Join(got, "\n") {
			r.Fatalf("encoded:\n%s\notherwise:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
	if served == 0 {
		t.Error("no file was served")
	}
}

// pages asks for all pages of an initial run.
func pages(h *bridge.Handler) (bodies []string) {
	for offset := ""; len(bodies) < 200; {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/crm/contact_sync",
			strings.NewReader(`{"meta":{"offset":"`+offset+`","supports_deletions":true}}`))
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, request)
		body := recorder.Body.String()
		if recorder.Code != http.StatusOK {
			return append(bodies, fmt.Sprint("status ", recorder.Code)) // such as a file that is not text
		}
		bodies = append(bodies, body)
		_, rest, more := strings.Cut(body, `"next_offset":"`)
		if !more {
			return bodies
		}
		offset, _, _ = strings.Cut(rest, `"`)
	}
	return bodies
}
