package csv_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

func TestSourceOfAFolder(t *testing.T) {
	t.Run("updated", suite(time.Second/2, 3).Run)
	t.Run("whole files", suite(time.Second/2, 3).RunUnsorted)
}

// folderFixture is a folder of files and its source, whose path is given.
func folderFixture(t *testing.T, config, path string, files map[string]string) *fixture {
	t.Helper()
	f := newFixture(t, "id: id", header)
	folder := filepath.Join(filepath.Dir(f.path), "exports")
	for name, content := range files {
		f.path = filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
			t.Fatal(err)
		}
		f.write(content)
	}
	f.path = folder
	factory := newFactory(t, "path: "+path+"\n"+config, source.Deps{Folder: filepath.Dir(folder)})
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(src.Close(), factory.Close()); err != nil {
			t.Error(err)
		}
	})
	f.src = src
	return f
}

// put writes a file of the folder.
func (f *fixture) put(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.path, filepath.FromSlash(name)), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.path, name)); err != nil {
		f.t.Fatal(err)
	}
}

func TestFilesAreReadInTheOrderOfTheirNames(t *testing.T) {
	files := map[string]string{
		"b.csv": "id,name\n3,c\n4,d\n", "a.CSV": "id,name\n1,a\n2,b\n", "c.txt": "id;name\n5;e\n",
		".hidden.csv": "id,name\n8,x\n", "~$a.csv": "no", "readme.md": "no", "old/z.csv": "id,name\n6,f\n", ".trash/y.csv": "id,name\n7,g\n", "empty.csv": "id,name\n",
	}
	for path, want := range map[string]string{
		"exports/": "1 2 3 4 5", "exports": "1 2 3 4 5", "exports/*.csv": "3 4", "exports/*.[cC][sS][vV]": "1 2 3 4", "'exports/{b.csv,c.txt}'": "3 4 5",
		"exports/**/*.csv": "3 4 6", "'*/z.csv'": "", "exports/old/z.csv": "6", "exports/?.csv": "3 4", "exports/.trash/*.csv": "7", "exports/.*.csv": "8",
	} {
		f := folderFixture(t, "id: id", path, files)
		if want == "" {
			_, err := f.src.Begin(t.Context(), "")
			wantError(t, err, bridge.CodeSourceUnavailable, "no file matches")
			continue
		}
		if got, _ := f.run(""); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// E4: a page begins at any record of any file, also in another process.
func TestPagesOfSeveralFiles(t *testing.T) {
	files := map[string]string{}
	var want []string
	for n := range 7 {
		var b strings.Builder
		b.WriteString([]string{"id,name,phone\n", "phone;id;name\r\n"}[n%2])
		for i := range 200 * (n % 3) {
			id := fmt.Sprintf("%d-%03d", n, i)
			want = append(want, id+"|Jane Doe|"+fmt.Sprintf("+1415555%04d", i))
			if n%2 == 0 {
				fmt.Fprintf(&b, "%s,\"Jane\nDoe\",+1415555%04d\n", id, i)
			} else {
				fmt.Fprintf(&b, "+1415555%04d;%s;Jane Doe\r\n", i, id)
			}
		}
		files[fmt.Sprintf("%d.csv", n)] = b.String()
	}
	f := folderFixture(t, "id: id", "exports", files)
	run, err := f.src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	all, positions, err := readFrom(t, f.src, run, nil, 0)
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], "\n", " ")
	}
	if diff := cmp.Diff(want, all); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	fresh := folderFixture(t, "id: id", "exports", files)
	again, err := fresh.src.Begin(t.Context(), "")
	if err != nil || !bytes.Equal(again.State, run.State) {
		t.Fatalf("another process finds another version: %v", err)
	}
	for i := 0; i < len(all)-1; i += 13 {
		got, _, err := readFrom(t, fresh.src, again, positions[i], 2)
		if err != nil || strings.ReplaceAll(got[0], "\n", " ") != all[i+1] {
			t.Fatalf("after %s: %q, %v, want %q", all[i], got, err, all[i+1])
		}
	}
	for offset := range 2000 {
		at := positionAt(offset)
		if slices.ContainsFunc(positions, func(p bridge.Position) bool { return bytes.Equal(p, at) }) {
			continue
		}
		got, _, err := readFrom(t, fresh.src, again, at, 1)
		if err == nil && !slices.Contains(all, strings.ReplaceAll(got[0], "\n", " ")) {
			t.Fatalf("offset %d, which was never issued: %q", offset, got)
		}
	}
}

// A file that comes, goes or changes while a run reads ends it, wherever the run is.
func TestAFileThatComesOrGoesDuringARunEndsIt(t *testing.T) {
	const row = "%s,x,,,2024-05-01T10:00:00Z\n"
	for _, config := range []string{"id: id", "id: id\nupdated: updated"} {
		for what, change := range map[string]func(*fixture){
			"comes":      func(f *fixture) { f.put("aa.csv", header+fmt.Sprintf(row, "9")) },
			"goes":       func(f *fixture) { f.remove("b.csv") },
			"goes first": func(f *fixture) { f.remove("a.csv") },
			"changes":    func(f *fixture) { f.put("c.csv", header+fmt.Sprintf(row, "7")) },
			"is renamed": func(f *fixture) {
				if err := os.Rename(filepath.Join(f.path, "c.csv"), filepath.Join(f.path, "d.csv")); err != nil {
					f.t.Fatal(err)
				}
			},
		} {
			f := folderFixture(t, config, "exports", map[string]string{
				"a.csv": header + fmt.Sprintf(row, "1"), "b.csv": header + fmt.Sprintf(row, "2"), "c.csv": header + fmt.Sprintf(row, "3"),
			})
			run, err := f.src.Begin(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			_, positions, err := readFrom(t, f.src, run, nil, 1)
			if err != nil {
				t.Fatal(err)
			}
			change(f)
			_, _, err = readFrom(t, f.src, run, positions[0], 0)
			if bridge.CodeOf(err) != bridge.CodeInvalidOffset || !strings.Contains(err.Error(), "changed") {
				t.Errorf("%s, a file %s: %v", config, what, err)
			}
		}
		// While a page is read: a file that this page has not come to.
		f := folderFixture(t, config, "exports", map[string]string{
			"a.csv": header + fmt.Sprintf(row, "1"), "b.csv": header + fmt.Sprintf(row, "2"),
		})
		run, err := f.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, last = range f.src.Read(t.Context(), run, nil, 0) {
			f.put("b.csv", header+fmt.Sprintf(row, "2")+fmt.Sprintf(row, "4"))
		}
		wantError(t, last, bridge.CodeInvalidOffset, "changed")
	}
}

// What a file brings that was not there before may be old, and what it takes with it is gone: such a run reads everything.
func TestOtherFilesBeginAnInitialRun(t *testing.T) {
	f := folderFixture(t, "id: id\nupdated: updated", "exports", map[string]string{
		"a.csv": header + "1,a,,,2024-05-01T10:00:00Z\n", "b.csv": header + "2,b,,,2024-05-02T10:00:00Z\n",
	})
	_, checkpoint := f.run("")
	if got, again := f.run(checkpoint); got != "" || again != checkpoint {
		t.Errorf("nothing new: %q %s", got, again)
	}
	f.put("b.csv", header+"2,b,,,2024-05-02T10:00:00Z\n3,c,,,2024-05-03T10:00:00Z\n")
	got, checkpoint := f.run(checkpoint)
	if got != "1 2 3" { // a.csv may still bring what was stamped after its last row
		t.Errorf("a new row: %q", got)
	}
	f.put("c.csv", header+"0,old,,,2019-01-01T10:00:00Z\n")
	run, err := f.src.Begin(t.Context(), checkpoint)
	if err != nil || !run.Initial() {
		t.Errorf("a new file: %+v %v", run, err)
	}
	got, checkpoint = f.run(checkpoint)
	if got != "0 1 2 3" {
		t.Errorf("a new file: %q", got)
	}
	f.remove("c.csv")
	if run, err := f.src.Begin(t.Context(), checkpoint); err != nil || !run.Initial() {
		t.Errorf("a file that is gone: %+v %v", run, err)
	}
}

// T11: a folder without files, or one that cannot be read, is no proof that anybody is gone.
func TestAFolderWithoutFilesIsAnErrorT11(t *testing.T) {
	f := folderFixture(t, "id: id", "exports", map[string]string{"a.csv": header + "1,a,,,\n"})
	f.run("")
	f.remove("a.csv")
	_, err := f.src.Begin(t.Context(), "")
	wantError(t, err, bridge.CodeSourceBroken, "folder without CSV files")
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	_, err = f.src.Begin(t.Context(), "")
	wantError(t, err, bridge.CodeSourceUnavailable, "does not exist")
	f = folderFixture(t, "id: id", "exports", map[string]string{"a.csv": header + "1,a,,,\n"})
	if err := os.Symlink("nowhere", filepath.Join(f.path, "b.csv")); err != nil {
		t.Fatal(err)
	}
	_, err = f.src.Begin(t.Context(), "")
	wantError(t, err, bridge.CodeSourceUnavailable, "b.csv was listed but does not exist")
}

func TestAFolderThatMayNotBeReadIsAnErrorT11(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("NOT CHECKED: root may read every folder")
	}
	for _, path := range []string{"exports", "exports/*.csv", "exports/**/*.csv"} {
		f := folderFixture(t, "id: id", path, map[string]string{"a.csv": header + "1,a,,,\n", "deep/b.csv": header + "2,b,,,\n"})
		f.run("")
		if err := os.Chmod(f.path, 0); err != nil {
			t.Fatal(err)
		}
		_, err := f.src.Begin(t.Context(), "")
		if chmod := os.Chmod(f.path, 0o700); chmod != nil {
			t.Fatal(chmod)
		}
		wantError(t, err, bridge.CodeSourceUnavailable, "may not be read")
	}
}

func TestProblemsNameTheirFiles(t *testing.T) {
	f := folderFixture(t, "id: id", "exports", map[string]string{
		"a.csv": "id,name,email\n1,a,a@x.example\n2,b\n3,\"c\n", "b.csv": "name,id\nd,2\ne,\nf,4,5\n",
	})
	if got, _ := f.run(""); got != "1 2 ! 2  !" {
		t.Errorf("read %q", got)
	}
	if log := f.log.String(); log != "" {
		t.Errorf("log of another source: %s", log)
	}
	var problems []string
	for _, p := range f.inspect().Problems {
		problems = append(problems, p.Code+": "+p.Message)
	}
	want := []string{
		"unclosed: 1 row (line 4 of a.csv) has a quote that is not closed and cannot be read: until they are corrected, contacts that are missing are not deleted",
		"ragged: 1 row (line 4 of b.csv) has more columns than the first row and cannot be read: until they are corrected, contacts that are missing are not deleted",
		"no_id: 1 row (line 3 of b.csv) has no id and cannot be sent: until they are corrected, contacts that are missing are not deleted",
		"duplicate_id: 1 row (line 2 of b.csv) has the id of an earlier one: the later one replaces it, with an updated column the newer one",
		"short_rows: 1 row (line 3 of a.csv) has fewer columns than the first row: what is missing counts as empty",
		"missing_columns: some files lack columns that others have: email",
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
	run, err := f.src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range f.src.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Rejected != "" && !strings.HasPrefix(c.Rejected, "line 4 of a.csv cannot be read: a quote") && !strings.HasPrefix(c.Rejected, "line 4 of b.csv cannot be read: it has 3 cells, where the first row has 2") {
			t.Errorf("rejected: %s", c.Rejected)
		}
	}
	f.put("b.csv", "name,number\nd,2\n")
	_, err = f.src.Begin(t.Context(), "")
	wantError(t, err, bridge.CodeSourceBroken, `b.csv has no column "id", which is needed for id`)
}

// A caller's credentials are no part of a pattern, and never lead to another's files.
func TestCredentialsAddNothingToAPattern(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"acme", "b", "{b}"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name, "x.csv"), []byte("id,name\n"+name+",x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	factory := newFactory(t, "{path: '{{auth.tenant}}/*.csv', id: id}", source.Deps{Folder: folder})
	defer factory.Close()
	for tenant, good := range map[string]bool{"acme": true, "*": false, "a*": false, "?": false, "[b]": false, "{b}": false, "{acme,b}": false, "..": false, "nobody": false} {
		src, err := factory.Open(t.Context(), bridge.Auth{"tenant": tenant})
		if err == nil {
			_, err = src.Begin(t.Context(), "")
			if closing := src.Close(); closing != nil {
				t.Error(closing)
			}
		}
		if good != (err == nil) || !good && bridge.CodeOf(err) != bridge.CodeUnauthorized {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
}

// IDs that are made tell records of all files apart.
func TestIDsAreMadeOverAllFiles(t *testing.T) {
	f := folderFixture(t, "id: auto", "exports", map[string]string{"a.csv": "name,phone\nBob,5550100\nAnn,5550101\n", "b.csv": "phone,name\n5550100,Bob\n"})
	got, _ := f.run("")
	ids := strings.Fields(got)
	if len(ids) != 3 || ids[2] != ids[0]+"-2" || ids[1] == ids[0] {
		t.Errorf("ids %q", ids)
	}
}

// The first row of a file without a header is a contact: it must not be lost, and those that the file held must not be gone.
func TestAFileWithoutAHeaderIsAnError(t *testing.T) {
	files := map[string]string{"a.csv": "name,phone\nAnna,0791123456\n", "b.csv": "name,phone\nOtto,0791123457\nEva,0791123458\n"}
	for _, config := range []string{"", "id: auto", "id: auto\nfields: {name: name, phones: phone}"} {
		f := folderFixture(t, config, "exports", files)
		_, checkpoint := f.run("")
		f.put("b.csv", "Otto,0791123457\nEva,0791123458\n")
		_, err := f.src.Begin(t.Context(), checkpoint)
		wantError(t, err, bridge.CodeSourceBroken, "b.csv has no column that is used")
	}
	wantError(t, tryRead(t, "", "Anna,0791123456\nOtto,0791123457\n"), bridge.CodeSourceBroken, "has no column that is used")
}
