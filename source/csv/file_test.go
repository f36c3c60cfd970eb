package csv_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

const header = "id,name,email,phone,updated\n"

// fixture is a file and its source.
type fixture struct {
	t    *testing.T
	path string
	src  bridge.Source
	log  *bytes.Buffer
}

func newFixture(t *testing.T, config, content string) *fixture {
	t.Helper()
	f := newFixtureIn(t, t.TempDir(), config)
	f.write(content)
	return f
}

// newFixtureIn makes a source of a file that may be there.
func newFixtureIn(t *testing.T, folder, config string) *fixture {
	t.Helper()
	log := new(bytes.Buffer)
	factory := newFactory(t, "{path: contacts.csv, "+config+"}", source.Deps{Folder: folder, Logger: slog.New(slog.NewTextHandler(log, nil))})
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		if err := factory.Close(); err != nil {
			t.Error(err)
		}
	})
	return &fixture{t: t, path: filepath.Join(folder, "contacts.csv"), src: src, log: log}
}

// write replaces the content in place, with the time of now.
func (f *fixture) write(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) modified(t time.Time) {
	f.t.Helper()
	if err := os.Chtimes(f.path, t, t); err != nil {
		f.t.Fatal(err)
	}
}

// run reads a whole run: the ids, deletions with a minus, and ! for what is rejected.
func (f *fixture) run(since bridge.Checkpoint) (string, bridge.Checkpoint) {
	f.t.Helper()
	run, err := f.src.Begin(f.t.Context(), since)
	if err != nil {
		f.t.Fatal(err)
	}
	var ids []string
	var at bridge.Position
	for c, err := range f.src.Read(f.t.Context(), run, nil, 0) {
		if err != nil {
			f.t.Fatal(err)
		}
		id := strings.Clone(c.Contact.ID)
		switch {
		case c.Rejected != "":
			id += "!"
		case c.Deleted:
			id = "-" + id
		}
		ids, at = append(ids, id), append(at[:0], c.Position...)
	}
	return strings.Join(ids, " "), f.src.Checkpoint(run, at, true)
}

func (f *fixture) inspect() source.Inspection {
	f.t.Helper()
	i, err := f.src.(source.Inspector).Inspect(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return i
}

func wantError(t *testing.T, err error, code bridge.Code, words ...string) {
	t.Helper()
	if err == nil || bridge.CodeOf(err) != code {
		t.Errorf("got %v (%s), want %s", err, bridge.CodeOf(err), code)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestFilesThatCannotBeServedAreExplained(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		words   []string
	}{
		"empty":            {"", []string{"no first row"}},
		"only empty lines": {"\n\r\n,,,\n", []string{"no first row"}},
		"two columns of one name": {
			"id,name,name\n1,a,b\n", []string{`fields.name: Two columns have the name "name"`},
		},
		"no such columns": {"ID,name\n1,a\n", []string{`id: Unknown column "id"`, `updated: Unknown column "updated"`, `fields.phones[1]: Unknown column "mobile"`}},
		"CR only":         {"id,name\r1,a\r", []string{"CR"}},
		"an open quote":   {"id,\"name\n1,a\n", []string{"quote"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "id: id, updated: updated, fields: {name: name, phones: [name, mobile]}", test.content)
			_, err := f.src.Begin(t.Context(), "")
			wantError(t, err, bridge.CodeSourceBroken, test.words...)
		})
	}
	f := newFixture(t, "id: id", header)
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	_, err := f.src.Begin(t.Context(), "")
	wantError(t, err, bridge.CodeSourceUnavailable, "does not exist")
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = f.src.Begin(t.Context(), "")
	wantError(t, err, bridge.CodeSourceBroken, "folder")
	wantError(t, f.src.(bridge.Prober).Probe(t.Context()), bridge.CodeSourceBroken, "folder")
}

func TestConfigurationProblemsAreFoundAtOnce(t *testing.T) {
	_, err := tryFactory("{delimiter: '::', encoding: latin, time_zone: Mars, updated_layout: dd.mm, overlap: -1s}", source.Deps{})
	if err == nil {
		t.Fatal("taken")
	}
	text := sourcetest.ConfigText(err)
	for _, word := range []string{"path: ", "id is missing", "delimiter: ", "encoding: ", "time_zone: ", "updated_layout: ", "overlap: "} {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
	if _, err := tryFactory("{path: x, id: id, column: y}", source.Deps{}); err == nil || !strings.Contains(err.Error(), "column") {
		t.Errorf("unknown key: %v", err)
	}
}

func TestUsualColumnsAndDelimiterAreFound(t *testing.T) {
	f := newFixture(t, "id: Kundennr, deleted: Gelöscht",
		"\xef\xbb\xbfKundennr;Vorname;Name;Firma;E-Mail;Telefon;Handy;Straße;PLZ;Ort;Gelöscht\r\n"+
			"7; Jörg ;\"Müller; Dr.\";Firma, GmbH;j@example.com;030 123;0151 1;Weg 1;10115;Berlin;\r\n8;;Meier;;;;;;;;ja\r\n")
	run, err := f.src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for c, err := range f.src.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		k := c.Contact
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%s|%s|%t", k.ID, k.Name, k.Company, k.Emails, k.Phones, k.Address, c.Deleted))
	}
	want := []string{"7|Jörg Müller; Dr.|Firma, GmbH|[j@example.com]|[030 123 0151 1]|Weg 1, 10115, Berlin|false", "8|Meier||[]|[]||true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mapping := f.inspect().Mapping
	if i := slices.IndexFunc(mapping, func(m record.Mapped) bool { return m.Field == "name" }); i < 0 || mapping[i] != (record.Mapped{Field: "name", From: "Vorname, Name", Auto: true}) {
		t.Errorf("mapping: %v", mapping)
	}
}

func TestUnchangedFileIsNothingNewAndAChangeIsEverything(t *testing.T) {
	f := newFixture(t, "id: id", header+"1,a,,,\n2,b,,,\n")
	got, first := f.run("")
	if got != "1 2" {
		t.Fatalf("initial run: %s", got)
	}
	f.modified(time.Now().Add(-time.Hour)) // another time, the same content
	if got, again := f.run(first); got != "" || again != first {
		t.Errorf("unchanged: %q, %q", got, again)
	}
	// The same size and time: within the file system's precision only the content tells.
	now := time.Now()
	f.modified(now)
	f.run(first)
	f.write(header + "1,a,,,\n2,c,,,\n")
	f.modified(now)
	got, second := f.run(first)
	if got != "1 2" || second == first {
		t.Errorf("changed within its time of modification: %q, %q", got, second)
	}
	if got, _ := f.run(""); got != "1 2" {
		t.Errorf("initial run: %q", got)
	}
}

func TestAChangeOfTheMappingSendsEverythingAgain(t *testing.T) {
	f := newFixture(t, "id: id", header+"1,a,,,\n")
	_, checkpoint := f.run("")
	other := newFixture(t, "id: id, fields: {name: email}", header+"1,a,,,\n")
	if got, _ := other.run(checkpoint); got != "1" {
		t.Errorf("read %q", got)
	}
}

func TestIncrementalRunsReadBehindTheHorizon(t *testing.T) {
	f := newFixture(t, "id: id, updated: updated, overlap: 1m",
		header+"3,c,,,2024-05-01T10:03:00Z\n1,a,,,2024-05-01T10:01:00Z\n2,b,,,2024-05-01T10:01:00Z\n0,z,,,\n9,y,,,soon\n")
	got, checkpoint := f.run("")
	if got != "0 1 2 3 9" {
		t.Errorf("initial run: %s", got)
	}
	if !strings.HasPrefix(string(checkpoint), "2024-05-01T10:01:59.999999#") {
		t.Errorf("checkpoint %s", checkpoint)
	}
	if got, again := f.run(checkpoint); got != "" || again != checkpoint {
		t.Errorf("nothing new: %q, %s", got, again)
	}
	// E11: a stamp that cannot be read may be newer than all others, in every new version.
	// A new version: a late row within the overlap, a newer one, a newer one without a stamp.
	f.write(header + "1,a,,,2024-05-01T10:01:00Z\n2,b,,,2024-05-01T10:02:00Z\n3,c,,,2024-05-01T10:03:00Z\n4,d,,,2024-05-02T08:00:00Z\n5,e,,,\n9,y,,,later\n")
	got, next := f.run(checkpoint)
	if got != "2 3 4 9" || !strings.HasPrefix(string(next), "2024-05-02T07:58:59.999999#") {
		t.Errorf("new version: %q, %s", got, next)
	}
}

// T13: an older file, or a file that was written after a clock was set back, is read whole, once: no stamp of it has to be after the
// checkpoint.
func TestAFileThatIsOlderThanTheCheckpointIsReadWholeT13(t *testing.T) {
	rows := func(rows ...string) string { return header + strings.Join(rows, "\n") + "\n" }
	monday, tuesday := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC), time.Date(2024, 5, 7, 12, 0, 0, 0, time.UTC)
	newest := rows("1,new,,,2024-05-07T10:00:00Z", "2,b,,,2024-05-06T09:00:00Z", "3,c,,,2024-05-07T10:00:00Z")
	for name, test := range map[string]struct {
		content  string
		modified time.Time
		want     string
	}{
		"a backup with its own time":       {rows("1,old,,,2024-05-05T10:00:00Z", "2,b,,,2024-05-06T09:00:00Z", "4,d,,,"), monday, "4 1 2"},
		"a backup with the time of now":    {rows("1,old,,,2024-05-05T10:00:00Z", "2,b,,,2024-05-06T09:00:00Z", "4,d,,,"), tuesday.AddDate(0, 0, 1), "4 1 2"},
		"a clock that was set back":        {rows("1,new,,,2024-05-07T10:00:00Z", "2,changed,,,2024-05-06T11:00:00Z", "3,c,,,2024-05-07T10:00:00Z"), monday, "2 1 3"},
		"the newest records were removed":  {rows("2,b,,,2024-05-06T09:00:00Z"), tuesday, "2"},
		"no record with a stamp is left":   {rows("2,b,,,"), tuesday, "2"},
		"nothing but the header is left":   {header, tuesday, ""},
		"some of the newest are left":      {rows("2,b,,,2024-05-06T09:00:00Z", "3,c,,,2024-05-07T10:00:00Z"), tuesday, "3"},
		"one of the newest is changed now": {rows("1,a,,,2024-05-07T11:00:00Z", "3,c,,,2024-05-07T10:00:00Z"), tuesday, "3 1"},
	} {
		f := newFixture(t, "id: id, updated: updated", newest)
		f.modified(tuesday)
		_, checkpoint := f.run("")
		f.write(test.content)
		f.modified(test.modified)
		got, next := f.run(checkpoint)
		if got != test.want {
			t.Errorf("%s: read %q, want %q", name, got, test.want)
		}
		restarts := 0
		for range 3 { // the horizon is that of the older file now
			f.write(test.content + "9,added,,,\n")
			f.modified(test.modified)
			run, err := f.src.Begin(t.Context(), next)
			if err != nil {
				t.Fatal(err)
			}
			if run.Initial() {
				restarts++
			}
			_, next = f.run(next)
			f.write(test.content)
			f.modified(test.modified)
			_, next = f.run(next)
		}
		if restarts > 0 {
			t.Errorf("%s: %d of 3 runs after that read everything again", name, restarts)
		}
		if warned, want := strings.Contains(f.log.String(), "older than the checkpoint"), test.want != "3" && test.want != "3 1"; warned != want {
			t.Errorf("%s: the log says %q", name, f.log)
		}
	}
}

// A larger overlap moves the horizon back: the next new version is read whole, the ones after that are not.
func TestALargerOverlapReadsWholeOnce(t *testing.T) {
	folder := t.TempDir()
	open := func(overlap string) *fixture {
		return newFixtureIn(t, folder, "id: id, updated: updated, overlap: "+overlap)
	}
	before := open("1m")
	before.write(header + "1,a,,,2024-05-01T10:00:00Z\n2,b,,,2024-05-02T10:00:00Z\n")
	_, checkpoint := before.run("")
	after := open("1h")
	if got, same := after.run(checkpoint); got != "" || same != checkpoint {
		t.Errorf("the same version: %q, %s", got, same)
	}
	after.write(header + "1,a,,,2024-05-01T10:00:00Z\n2,b,,,2024-05-02T10:00:00Z\n3,c,,,\n")
	got, checkpoint := after.run(checkpoint)
	if got != "3 1 2" {
		t.Errorf("a new version: %q", got)
	}
	after.write(header + "1,a,,,2024-05-01T10:00:00Z\n2,b,,,2024-05-02T10:00:01Z\n3,c,,,\n")
	if got, _ := after.run(checkpoint); got != "2" {
		t.Errorf("the version after that: %q", got)
	}
}

func TestACopiedOldExportDoesNotMoveTheHorizon(t *testing.T) {
	f := newFixture(t, "id: id, updated: updated", header+"1,a,,,2024-05-01T08:00:00Z\n") // written years later
	_, checkpoint := f.run("")
	f.write(header + "1,a,,,2024-05-01T08:00:00Z\n2,b,,,2024-05-01T08:00:30Z\n")
	if got, _ := f.run(checkpoint); !strings.Contains(got, "2") {
		t.Errorf("read %q: what changed after the old export was made is lost", got)
	}
}

func TestAFileThatChangesDuringARunEndsIt(t *testing.T) {
	for _, config := range []string{"id: id", "id: id, updated: updated"} {
		f := newFixture(t, config, header+"1,a,,,2024-05-01\n2,b,,,2024-05-01\n3,c,,,2024-05-01\n")
		run, err := f.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var at bridge.Position
		for c, err := range f.src.Read(t.Context(), run, nil, 1) {
			if err != nil {
				t.Fatal(err)
			}
			at = slices.Clone(c.Position)
		}
		f.write(header + "1,a,,,2024-05-01\n4,x,,,2024-05-01\n2,b,,,2024-05-01\n3,c,,,2024-05-01\n")
		for _, err := range f.src.Read(t.Context(), run, at, 0) {
			wantError(t, err, bridge.CodeInvalidOffset, "changed")
			break
		}
		// In place, while a page is being read.
		run, err = f.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, last = range f.src.Read(t.Context(), run, nil, 0) {
			f.write(header + "9,a\n")
		}
		wantError(t, last, bridge.CodeInvalidOffset, "changed")
	}
}

func TestBadRowsAreReportedWithTheirLines(t *testing.T) {
	f := newFixture(t, "id: id, updated: updated, encoding: utf-8",
		header+"1,a,,,2024-05-01T10:00:00\n2,b,,,,x\n\n3,\"c,,,2024-05-01\n,d,,,2024-05-01\n4,e\x00,,,yesterday\n4,\xff,,,\n5,\"f\n\",,,2024-05-01T10:00:00\n1,z,,,2024-05-01T10:00:01\n")
	got, _ := f.run("")
	if want := "! ! 4  1 5 1 4"; got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	const nothingDeleted = "until they are corrected, contacts that are missing are not deleted"
	var problems []string
	for _, p := range f.inspect().Problems {
		problems = append(problems, fmt.Sprintf("%s %s: %s", p.Severity, p.Code, p.Message))
		if p.Hint == "" && p.Severity != source.Note {
			t.Errorf("%s has no hint", p.Code)
		}
	}
	want := []string{
		"failure ragged: 1 row (line 3) has more columns than the first row and cannot be read: " + nothingDeleted,
		"failure unclosed: 1 row (line 5) has a quote that is not closed and cannot be read: " + nothingDeleted,
		"failure no_id: 1 row (line 6) has no id and cannot be sent: " + nothingDeleted,
		`failure bad_updated: 1 row (line 7) has an unreadable "updated", such as "yesterday": every new version of the file sends them again`,
		`warning null_updated: 1 row (line 8) has no "updated": only initial runs deliver them`,
		"warning duplicate_id: 2 rows (lines 8, 11) have the id of an earlier one: the later one replaces it, with an updated column the newer one",
		"warning bad_encoding: 1 row (line 8) is not utf-8",
		`warning unknown_zone: "updated" names no time zone, so every new version sends the last 12 hours again, or more`,
		`warning coarse_updated: "updated" has no time of day, so every new version sends the last day again`,
		"note zero_bytes: 1 row (line 7) holds zero bytes, which are removed",
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
}

// D8, F3, F4: what can be read is read, in pages of every size, and each record that cannot be read is there all the same, with its line.
func TestRowsThatCannotBeReadAreRejectedD8(t *testing.T) {
	const content = "id,name,phone,updated\n" +
		"1,a\n" + // cells left out at the end
		"2,b,07911120005,2024-05-01T10:00:00Z,,\n" + // and added
		"\n" +
		"3,c,d,07911120006,2024-05-01T10:00:00Z\n" + // line 5
		"4,\"d,07911120007\n" + // line 6
		"rest of it\n" +
		"5,e,07911120008,2024-05-01T10:00:00Z\n" +
		"6,f\n" +
		"7,\"g\nh\"\n" +
		"8,i,\"07911120009"
	want := map[string]string{
		"id: id":                   "1 2 (line 5) (line 6) (line 7) 5 6 7 (line 12)",
		"id: id, updated: updated": "(line 5) (line 6) (line 7) (line 12) 1 6 7 2 5",
	}
	for config, want := range want {
		f := newFixture(t, config, content)
		run, err := f.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 2, 3, 100} {
			var got []string
			var at bridge.Position
			for done := false; !done; {
				var pending []string
				n := 0
				for c, err := range f.src.Read(t.Context(), run, at, size) {
					if err != nil {
						t.Fatal(err)
					}
					what := strings.Clone(c.Contact.ID)
					if c.Rejected != "" {
						line, _, _ := strings.Cut(c.Rejected, " cannot")
						what += "(" + line + ")"
					}
					n, pending = n+1, append(pending, what)
					if len(c.Position) > 0 {
						at = slices.Clone(c.Position)
						got, pending = append(got, pending...), nil
					}
				}
				if done = n < size; done {
					got = append(got, pending...)
				}
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("%s, pages of %d:\ngot  %s\nwant %s", config, size, text, want)
			}
		}
		if log := f.log.String(); !strings.Contains(log, "line 5 cannot be read: it has 5 cells, where the first row has 4") {
			t.Errorf("the log does not name the line: %s", log)
		}
	}
}

func TestGoodFileHasNoProblems(t *testing.T) {
	f := newFixture(t, "id: id, updated: updated", header+"1,a,a@example.com,1,2024-05-01T10:00:00Z\n")
	i := f.inspect()
	if len(i.Problems) > 0 {
		t.Errorf("problems: %v", i.Problems)
	}
	var facts []string
	for _, fact := range i.Facts {
		facts = append(facts, fact.Name)
	}
	if diff := cmp.Diff([]string{"file", "format", "contacts", "order", "time zone", "safe horizon", "newest contact"}, facts); diff != "" {
		t.Error(diff)
	}
	f = newFixture(t, "id: id", header+"1,a,a@example.com,1,2024-05-01T10:00:00Z\n")
	if p := f.inspect().Problems; len(p) != 1 || p[0].Code != "updated_unused" {
		t.Errorf("problems: %v", p)
	}
}

func TestCredentialsInThePathNeverLeaveTheFolder(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "tenants", "acme"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"contacts.csv", "tenants/contacts.csv", "tenants/acme/contacts.csv"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("id,name\n"+name+",x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	factory := newFactory(t, "{path: 'tenants/{{auth.tenant}}/contacts.csv', id: id}", source.Deps{Folder: folder})
	defer factory.Close()
	try := func(tenant string) error {
		src, err := factory.Open(context.Background(), bridge.Auth{"tenant": tenant})
		if err != nil {
			return err
		}
		defer src.Close()
		_, err = src.Begin(context.Background(), "")
		return err
	}
	if err := try("acme"); err != nil {
		t.Error(err)
	}
	for _, tenant := range []string{"..", ".", "acme/..", "../tenants/acme", `..\x`, "a\x00b", "/etc", "", "nobody", "C:", ".hidden", strings.Repeat("x", 300)} {
		err := try(tenant)
		wantError(t, err, bridge.CodeUnauthorized)
		if len(tenant) > 2 && err != nil && strings.Contains(err.Error(), tenant) {
			t.Errorf("the error shows the credential: %v", err)
		}
	}
}

// An index of 1,000,000 rows may take 60 MB.
func TestIndexIsLean(t *testing.T) {
	const rows = 200_000
	var b strings.Builder
	b.WriteString(header)
	for i := range rows {
		fmt.Fprintf(&b, "%010d,Jane Doe,jane%d@example.com,+1415555%04d,2024-05-01T%02d:%02d:%02dZ\n", i, i, i%10000, i/3600%24, i/60%60, i%60)
	}
	f := newFixture(t, "id: id, updated: updated", b.String())
	b.Reset()
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	if _, err := f.src.Begin(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if used := heap() - before; used > 60*rows {
		t.Errorf("the index of %d rows takes %d bytes, %d a row", rows, used, used/rows)
	}
	if n, err := f.src.(source.Counter).Count(t.Context()); n != rows || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
}

func BenchmarkRead(b *testing.B) {
	var content strings.Builder
	content.WriteString(header)
	const rows = 100_000
	for i := range rows {
		fmt.Fprintf(&content, "%d,Jane Doe,jane%d@example.com,+1415555%04d,2024-05-01T%02d:%02d:%02dZ\n", i, i, i%10000, i/3600%24, i/60%60, i%60)
	}
	for name, config := range map[string]string{"whole": "", "updated": ", updated: updated"} {
		b.Run(name, func(b *testing.B) {
			folder := b.TempDir()
			path := filepath.Join(folder, "contacts.csv")
			if err := os.WriteFile(path, []byte(content.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				b.Fatal(err)
			}
			factory := newFactory(b, "{path: contacts.csv, id: id"+config+"}", source.Deps{Folder: folder})
			defer factory.Close()
			src, err := factory.Open(b.Context(), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer src.Close()
			run, err := src.Begin(b.Context(), "")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for _, err := range src.Read(b.Context(), run, nil, 0) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "contacts/s")
		})
	}
}
