package inside_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/internal/proposal"
)

// table is a CSV file of contacts by their ids.
func table(ids ...int) string {
	var b strings.Builder
	b.WriteString("id,name,phone\n")
	for _, id := range ids {
		fmt.Fprintf(&b, "%d,Person %d,020 7946 %04d\n", id, id, id)
	}
	return b.String()
}

func numbers(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

const csvSource = "{source: {kind: csv, path: 'upload:customers.csv'}, phones: {region: GB}, page: {contacts: 10}}"

func (w *world) upload(t *testing.T, account, name, content string) registry.File {
	t.Helper()
	f, err := w.hubs[0].AddFile(hub.WithActor(t.Context(), jane), account, name, strings.NewReader(content))
	must(t, err)
	return f
}

func (w *world) addCSV(t *testing.T, change ...func(*registry.Integration)) {
	t.Helper()
	i := registry.Integration{Key: crm, Source: "csv", Schedule: registry.Schedule{Off: true}}
	for _, each := range change {
		each(&i)
	}
	must(t, w.hubs[0].AddIntegration(hub.WithActor(t.Context(), jane), i, map[string]string{registry.SourceValue: csvSource}))
}

func (w *world) synced(t *testing.T) hub.IntegrationView {
	t.Helper()
	must(t, w.hubs[0].Ask(t.Context(), crm, registry.Ask{Run: true}))
	w.run(t)
	v, err := w.hubs[0].Integration(t.Context(), crm)
	must(t, err)
	return v
}

// An uploaded file is looked at, previewed, read, replaced, and goes with its integration.
func TestAnUploadedFileIsRead(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		h, ctx := w.hubs[0], hub.WithActor(t.Context(), jane)
		d := hub.SourceDraft{Account: "acme", Text: csvSource}
		if p, err := h.PreviewSource(ctx, d); err != nil || p.OK || !strings.Contains(p.Problems[0].Message, "no uploaded file customers.csv") {
			t.Errorf("before it is uploaded: %+v, %v", p, err)
		}
		f := w.upload(t, "acme", "customers.csv", table(numbers(1, 30)...))
		if f.Kind != "csv" || f.Uploader != "user jane" {
			t.Errorf("%+v", f)
		}
		p, err := h.PreviewSource(ctx, d)
		if err != nil || !p.OK || len(p.Contacts) != 20 || p.Contacts[0].Phones[0] != "+442079460001" || p.Examined != 30 {
			t.Fatalf("%+v, %v", p, err)
		}
		l, err := h.LookAtSource(ctx, hub.SourceDraft{Account: "acme", Text: "source: {kind: csv, path: 'upload:customers.csv'}"}, proposal.Wish{})
		if err != nil || len(l.Inventory.Things) != 1 || l.Inventory.Things[0].Rows != 30 && !l.Inventory.Things[0].Ready {
			t.Errorf("%+v, %v", l, err)
		}
		w.addCSV(t)
		if v := w.synced(t); v.State.Contacts != 30 || v.Files[0] != "customers.csv" {
			t.Fatalf("%+v", v)
		}
		if err := h.RemoveFile(ctx, "acme", "customers.csv"); failure.Of(err).Code != failure.Conflict {
			t.Errorf("a file that is read is removed: %v", err)
		}
		r, err := h.ReplaceFile(ctx, "acme", "customers.csv", strings.NewReader(strings.Replace(table(numbers(4, 32)...), "Person 5,", "Jane 5,", 1)))
		must(t, err)
		c := r.Changes[0]
		if c.Integration != "crm" || c.Added != 2 || c.Changed != 1 || c.Removed != 3 || c.Unchanged != 26 || c.Held || len(c.Samples) != 6 {
			t.Errorf("%+v", c)
		}
		for _, s := range c.Samples {
			if s.What == "changed" && (s.Before.Name != "Person 5" || s.After.Name != "Jane 5") || s.What == "removed" && s.Before == nil || s.What == "added" && s.After == nil {
				t.Errorf("%+v", s)
			}
		}
		if v := w.synced(t); v.State.Contacts != 30 || v.State.LastRun.Created+v.State.LastRun.Counts.Updated != 0 {
			t.Errorf("a file that waits is read: %+v", v.State)
		}
		_, err = h.ApplyFile(ctx, "acme", r.ID)
		must(t, err)
		if v := w.synced(t); v.State.Contacts != 29 {
			t.Errorf("%d contacts", v.State.Contacts)
		}
		result, err := h.Purge(ctx, "acme", []directory.Ref{{Integration: "crm", ID: "7"}})
		if err != nil || len(result.Files) != 1 || result.Files[0] != "customers.csv" {
			t.Errorf("the receipt of a purge: %+v, %v", result, err)
		}
		if v := w.synced(t); v.State.Contacts != 28 {
			t.Errorf("a run brings a purged person back: %d contacts", v.State.Contacts)
		}
		must(t, h.RemoveIntegration(ctx, crm))
		if files, err := h.Files(ctx, "acme"); err != nil || len(files) > 0 {
			t.Errorf("the file stays: %+v, %v", files, err)
		}
	})
}

// A replacement that deletes too many says that they will be held, and one that cannot be read says why.
func TestAReplacementSaysWhatItWouldDo(t *testing.T) {
	w := inFiles(t)
	h, ctx := w.hubs[0], hub.WithActor(t.Context(), jane)
	w.upload(t, "acme", "customers.csv", table(numbers(1, 100)...))
	w.addCSV(t)
	r, err := h.ReplaceFile(ctx, "acme", "customers.csv", strings.NewReader(table(1, 2)))
	if err != nil || !r.Changes[0].Held || r.Changes[0].Removed != 98 || len(r.Changes[0].Samples) != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	bad, err := h.ReplaceFile(ctx, "acme", "customers.csv", strings.NewReader("name\nAnn,1,2,3,\"unclosed"))
	if err != nil || bad.Changes[0].Problem == nil && bad.Changes[0].Removed != 100 {
		t.Errorf("%+v, %v", bad, err)
	}
	must(t, h.DiscardFile(ctx, "acme", bad.ID))
	if _, err := h.ApplyFile(ctx, "acme", bad.ID); failure.Of(err).Code != failure.NotFound {
		t.Error(err)
	}
	other, err := h.ReplaceFile(ctx, "acme", "customers.csv", strings.NewReader(table(1)))
	must(t, err)
	if _, err := h.ApplyFile(ctx, "acme", r.ID); err != nil {
		t.Error(err)
	}
	if _, err := h.ApplyFile(ctx, "acme", other.ID); failure.Of(err).Code != failure.Conflict {
		t.Errorf("what was compared with another file is applied: %v", err)
	}
}

// Another process reads the same file, from a folder of its own, with the checkpoint of the first.
func TestCheckpointsOfUploadsAreGoodInEveryProcess(t *testing.T) {
	w := inFiles(t)
	w.process(t, "two")
	w.upload(t, "acme", "customers.csv", table(numbers(1, 25)...))
	s := hub.InsideSource{Account: "acme", Text: csvSource}
	var first, second *bridge.Page
	for n, page := range []**bridge.Page{&first, &second} {
		q := bridge.PageRequest{}
		if n == 1 {
			q.Offset = first.NextOffset
		}
		var err error
		*page, err = clientOf(w.hubs[n].Inside, s).Page(t.Context(), q)
		must(t, err)
		if len((*page).Contacts) != 10 {
			t.Errorf("process %d: %d contacts", n, len((*page).Contacts))
		}
	}
	if first.Contacts[9].ID == second.Contacts[0].ID || second.Restarted {
		t.Errorf("it begins again: %s, %s", first.Contacts[9].ID, second.Contacts[0].ID)
	}
}

// Nobody reads another account's file, or one of this machine.
func TestNobodyReadsAnothersFile(t *testing.T) {
	w := inFiles(t)
	h := w.hubs[0]
	w.upload(t, "acme", "customers.csv", table(1, 2))
	all := hub.WithActor(t.Context(), jane)
	for _, path := range []string{
		"upload:customers.csv", "upload:../acme/customers.csv", "upload:/etc/passwd", "upload:../../../../etc/passwd", "upload:*", "upload:", "upload:customers.csv\\0", "/etc/passwd",
		"./upload:customers.csv", "UPLOAD:customers.csv", "upload:{customers,x}.csv", "**", "${file:/etc/passwd}",
	} {
		text := fmt.Sprintf("source: {kind: csv, path: %q}", path)
		p, err := h.PreviewSource(all, hub.SourceDraft{Account: "other", Text: text})
		if err == nil && (p.OK || len(p.Contacts) > 0) {
			t.Errorf("%s: %+v", path, p)
		}
		key := directory.Key{Account: "other", Integration: "a"}
		if err := h.AddIntegration(all, registry.Integration{Key: key, Source: "csv"}, map[string]string{registry.SourceValue: text}); err == nil {
			t.Errorf("%s: it is added", path)
		}
	}
	stranger := hub.WithActor(t.Context(), eve)
	waiting, err := h.ReplaceFile(all, "acme", "customers.csv", strings.NewReader(table(1)))
	must(t, err)
	for what, err := range map[string]error{
		"list":    errorOf(h.Files(stranger, "acme")),
		"add":     errorOf(h.AddFile(stranger, "acme", "x.csv", strings.NewReader("x"))),
		"replace": errorOf(h.ReplaceFile(stranger, "acme", "customers.csv", strings.NewReader("x"))),
		"read":    errorOf(h.FileReplacement(stranger, "other", waiting.ID)),
		"apply":   errorOf(h.ApplyFile(stranger, "other", waiting.ID)),
		"discard": h.DiscardFile(stranger, "other", waiting.ID),
		"remove":  h.RemoveFile(stranger, "acme", "customers.csv"),
	} {
		if code := failure.Of(err).Code; code != failure.NotFound {
			t.Errorf("a stranger may %s: %v", what, err)
		}
	}
	reader := hub.WithActor(t.Context(), hub.Actor{Name: "user r", User: "r", Accounts: []string{"acme"}, Scopes: []registry.Scope{registry.ScopeRead}})
	if _, err := h.AddFile(reader, "acme", "x.csv", strings.NewReader("x")); failure.Of(err).Code != failure.Denied {
		t.Errorf("a reader uploads: %v", err)
	}
}

func errorOf[T any](_ T, err error) error { return err }

// What is too large, is not what its name says, or unpacks to far more than it should, is refused before it is kept.
func TestWhatIsNotAFileOfContactsIsRefused(t *testing.T) {
	w := inFiles(t)
	h, ctx := w.hubs[0], hub.WithActor(t.Context(), jane)
	h.Options.FileBytes, h.Options.FilesBytes = 1<<20, 1<<20+1<<19
	good := workbook(t, rows(3))
	for name, content := range map[string][]byte{
		"large.csv":           bytes.Repeat([]byte("x"), 1<<20+1),
		"empty.csv":           nil,
		"contacts.exe":        []byte("MZ"),
		"contacts":            []byte("id,name\n"),
		"../contacts.csv":     []byte("id,name\n"),
		"/etc/contacts.csv":   []byte("id,name\n"),
		".hidden.csv":         []byte("id,name\n"),
		"a\nb.csv":            []byte("id,name\n"),
		"a*.csv":              []byte("id,name\n"),
		"workbook.csv":        good,
		"text.xlsx":           []byte("id,name\n"),
		"cut.xlsx":            good[:len(good)/2],
		"says gigabytes.xlsx": saying(good, 3<<30),
		"many parts.xlsx":     parts(t, 10_001),
	} {
		f, err := h.AddFile(ctx, "acme", name, bytes.NewReader(content))
		if e := failure.Of(err); e.Code != failure.Invalid || e.Hint == "" {
			t.Errorf("%q: %+v, %v", name, f, err)
		}
	}
	if _, err := h.AddFile(ctx, "acme", "one.csv", bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20))); err != nil {
		t.Error(err)
	}
	if _, err := h.AddFile(ctx, "acme", "two.csv", bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20))); !strings.Contains(fmt.Sprint(err), "together") {
		t.Errorf("more than the quota: %v", err)
	}
	if _, err := h.ReplaceFile(ctx, "acme", "one.csv", bytes.NewReader(bytes.Repeat([]byte("y"), 1<<20))); !strings.Contains(fmt.Sprint(err), "together") {
		t.Errorf("a replacement beyond the quota: %v", err)
	}
	if entries, err := filepath.Glob(filepath.Join(os.TempDir(), "contactbridge-upload-*")); err != nil || len(entries) > 0 {
		t.Errorf("uploads are left: %v, %v", entries, err)
	}
}

// A workbook that lies about what it unpacks to is counted while it is read.
func TestAWorkbookThatUnpacksToTooMuchIsNotRead(t *testing.T) {
	w := inFiles(t)
	bomb := saying(workbook(t, rows(40_000)), 1000) // 2 MB, it says 1000 bytes
	w.upload(t, "acme", "bomb.xlsx", string(bomb))
	s := inside.New(inside.Options{Transport: roundTrip(nil), Dial: outboundNothing, Files: w.hubs[0].Registry, Unpacked: 1 << 20, Temporary: t.TempDir()})
	defer func() { must(t, s.Close()) }()
	of := hub.InsideSource{Account: "acme", Text: "source: {kind: xlsx, path: 'upload:bomb.xlsx'}"}
	p, err := s.Preview(t.Context(), of, nil)
	if err != nil || p.OK || len(p.Contacts) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if err := s.Contacts(t.Context(), of, nil, func(*contact.Contact) error { return nil }); bridge.CodeOf(err) != bridge.CodeSourceBroken {
		t.Error(err)
	}
	honest := w.upload(t, "acme", "honest.xlsx", string(workbook(t, rows(40_000))))
	_, err = s.Preview(t.Context(), hub.InsideSource{Account: "acme", Text: "source: {kind: xlsx, path: 'upload:honest.xlsx'}"}, nil)
	must(t, err)
	if err := s.Contacts(t.Context(), hub.InsideSource{Account: "acme", Text: "source: {kind: xlsx, path: 'upload:" + honest.Name + "'}"}, nil, func(*contact.Contact) error { return nil }); !strings.Contains(fmt.Sprint(err), "unpacks to more") {
		t.Error(err)
	}
}

// Copies of uploaded files are for this process alone, and go with it.
func TestCopiesOfUploadsArePrivate(t *testing.T) {
	w := inFiles(t)
	w.upload(t, "acme", "customers.csv", table(1, 2))
	folder := t.TempDir()
	s := inside.New(inside.Options{Transport: roundTrip(nil), Dial: outboundNothing, Files: w.hubs[0].Registry, Temporary: folder})
	if _, err := clientOf(s, hub.InsideSource{Account: "acme", Text: csvSource}).Page(t.Context(), bridge.PageRequest{}); err != nil {
		t.Fatal(err)
	}
	files := 0
	must(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		if !d.IsDir() {
			files++
		}
		return err
	}))
	if files != 1 {
		t.Errorf("%d files", files)
	}
	must(t, s.Close())
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// What is wrong is told in the source's own words: no bridge answers anything.
func TestErrorsAreTheSourcesOwn(t *testing.T) {
	w := inFiles(t)
	w.upload(t, "acme", "customers.csv", table(1, 2))
	w.addCSV(t)
	files, err := w.hubs[0].Files(t.Context(), "acme")
	must(t, err)
	must(t, w.hubs[0].Registry.RemoveFile(t.Context(), "acme", files[0].ID))
	r := w.test(t, 0)
	if r.OK || r.Problem.Message != "there is no uploaded file customers.csv" || !strings.HasPrefix(r.Problem.Hint, "Upload it") {
		t.Errorf("%+v", r.Problem)
	}
}

func clientOf(s hub.Inside, of hub.InsideSource) *bridge.Client {
	return &bridge.Client{URL: "http://source.invalid/source/contact_sync", HTTP: &http.Client{Transport: s.Transport(of)}, Inside: true}
}

func outboundNothing(context.Context, string, string) (net.Conn, error) {
	return nil, fmt.Errorf("no connection is made here")
}

func rows(n int) string {
	var b strings.Builder
	b.WriteString(`<row><c t="inlineStr"><is><t>id</t></is></c><c t="inlineStr"><is><t>name</t></is></c></row>`)
	for i := range n {
		fmt.Fprintf(&b, `<row><c><v>%d</v></c><c t="inlineStr"><is><t>Person</t></is></c></row>`, i)
	}
	return b.String()
}

func workbook(t *testing.T, rows string) []byte {
	t.Helper()
	const related = `http://schemas.openxmlformats.org/officeDocument/2006/relationships`
	const rels = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + related + `/%s" Target="%s"/></Relationships>`
	return zipped(t, [][2]string{
		{"_rels/.rels", fmt.Sprintf(rels, "officeDocument", "xl/workbook.xml")},
		{"xl/workbook.xml", `<workbook xmlns:r="` + related + `"><sheets><sheet name="Contacts" sheetId="1" r:id="rId1"/></sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", fmt.Sprintf(rels, "worksheet", "worksheets/sheet1.xml")},
		{"xl/worksheets/sheet1.xml", `<worksheet><sheetData>` + rows + `</sheetData></worksheet>`},
	})
}

func zipped(t *testing.T, parts [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, part := range parts {
		to, err := z.Create(part[0])
		must(t, err)
		_, err = to.Write([]byte(part[1]))
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

func parts(t *testing.T, n int) []byte {
	var all [][2]string
	for i := range n {
		all = append(all, [2]string{fmt.Sprint(i), ""})
	}
	return zipped(t, all)
}

// saying lets the last part of an archive say that it unpacks to so many bytes.
func saying(archive []byte, size uint32) []byte {
	archive = bytes.Clone(archive)
	at := bytes.LastIndex(archive, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(archive[at+24:], size)
	return archive
}

// The agents of a source inside the hub are synchronized with its contacts, and go through the same guards.
func TestASourceInsideHasAgents(t *testing.T) {
	w := inFiles(t)
	h, ctx := w.hubs[0], hub.WithActor(t.Context(), jane)
	w.upload(t, "acme", "customers.csv", table(1, 2))
	w.upload(t, "acme", "users.csv", "id,name,mail\n7,Ann Lee,ann@example.com\n8,Bob Ray,bob@example.com\n")
	const text = "{source: {kind: csv, path: 'upload:customers.csv'}, agents: {kind: csv, path: '%s', id: id, fields: {name: name, email: mail}}}"
	i := registry.Integration{Key: crm, Source: "csv", Schedule: registry.Schedule{Off: true}}
	if err := h.AddIntegration(ctx, i, map[string]string{registry.SourceValue: fmt.Sprintf(text, "/etc/passwd")}); failure.Of(err).Field != "agents.path" {
		t.Errorf("agents of a file of this machine: %v", err)
	}
	must(t, h.AddIntegration(ctx, i, map[string]string{registry.SourceValue: fmt.Sprintf(text, "upload:users.csv")}))
	v := w.synced(t)
	agents, err := h.Agents(ctx, crm, "", 10)
	if err != nil || len(agents) != 2 || agents[0].Agent.Email != "ann@example.com" || v.State.Contacts != 2 || len(v.Files) != 2 {
		t.Errorf("%+v, %+v, %v", agents, v.State, err)
	}
}
