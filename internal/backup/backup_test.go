package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/backup"
)

// holding is a part that holds a text.
func holding(name, text string) backup.Part {
	return backup.Part{Name: name, Copy: func(_ context.Context, path string) error { return os.WriteFile(path, []byte(text), 0o644) }}
}

var names = []string{"a.db", "b.db"}

func made(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.backup")
	m, err := backup.Write(t.Context(), path, t.TempDir(), "v1", []backup.Part{holding("a.db", strings.Repeat("contacts ", 5000)), holding("b.db", "secrets")})
	if err != nil || len(m.Files) != 2 || m.Files[0].Size != 45000 {
		t.Fatalf("%+v, %v", m, err)
	}
	return path
}

func TestWhatWasBackedUpComesBack(t *testing.T) {
	path, folder := made(t), filepath.Join(t.TempDir(), "new")
	m, err := backup.Read(path, folder, names, nil)
	if err != nil || m.Version != "v1" {
		t.Fatal(m, err)
	}
	for name, want := range map[string]string{"a.db": strings.Repeat("contacts ", 5000), "b.db": "secrets"} {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %v, %v", name, info.Mode(), err)
		}
	}
	onlyFiles(t, folder, 2)
	if _, err := backup.Read(path, folder, names, nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second restore replaced what was there: %v", err)
	}
}

// onlyFiles fails the test where a folder holds anything but so many entries.
func onlyFiles(t *testing.T, folder string, want int) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != want {
		t.Errorf("%s holds %v, %v", folder, entries, err)
	}
}

func TestNoDamagedBackupIsTrusted(t *testing.T) {
	whole, err := os.ReadFile(made(t))
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{
		"cut off": whole[:len(whole)*2/3], "empty": nil, "another file": []byte("SQLite format 3"), "damaged": flipped, "its end missing": whole[:len(whole)-20],
	} {
		path, folder := filepath.Join(t.TempDir(), "x"), t.TempDir()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Read(path, folder, names, nil); !errors.Is(err, backup.ErrNoBackup) {
			t.Errorf("%s: %v", name, err)
		}
		onlyFiles(t, folder, 0)
	}
	if _, err := backup.Read(made(t), t.TempDir(), append(names, "c.db"), nil); !errors.Is(err, backup.ErrNoBackup) {
		t.Errorf("a backup that lacks a file: %v", err)
	}
	if _, err := backup.Read(made(t), t.TempDir(), names[:1], nil); !errors.Is(err, backup.ErrNoBackup) {
		t.Errorf("a backup with a file that nobody knows: %v", err)
	}
}

// Whatever names and kinds an archive's entries have: nothing is written outside the folder, and no link is made or followed.
func TestAHostileBackupWritesNothingElsewhere(t *testing.T) {
	type entry struct {
		header tar.Header
		text   string
	}
	var whole []entry
	packed, err := os.Open(made(t))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(z); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		text, err2 := io.ReadAll(in)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		whole = append(whole, entry{*header, string(text)})
	}
	home := t.TempDir()
	victim := filepath.Join(home, "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := func(name string) entry { return entry{tar.Header{Name: name, Mode: 0o600, Size: 4}, "evil"} }
	link := func(kind byte, name, to string) entry {
		return entry{tar.Header{Name: name, Typeflag: kind, Linkname: to}, ""}
	}
	hostile := map[string][]entry{
		"two of one name":      {whole[0], whole[0]},
		"a link first":         {link(tar.TypeSymlink, "a.db", victim)},
		"a hard link first":    {link(tar.TypeLink, "a.db", victim)},
		"a folder of its name": {{tar.Header{Name: "a.db", Typeflag: tar.TypeDir, Mode: 0o777}, ""}},
		"a device":             {{tar.Header{Name: "a.db", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, ""}},
		"a named pipe":         {{tar.Header{Name: "b.db", Typeflag: tar.TypeFifo}, ""}},
		"a linked folder":      {link(tar.TypeSymlink, "sub", home), named("sub/victim")},
	}
	for _, name := range []string{
		"../victim", "../../victim", "./a.db", "/etc/victim", victim, `..\victim`, "sub/../../victim", "sub/a.db", ".", "..", "A.DB", "a.db ", "a.db\n", "~/victim", "hub.key", ".restore-x/a.db", "C:\\victim",
	} {
		hostile["an entry named "+strconv.Quote(name)] = []entry{named(name)}
	}
	for name, first := range hostile {
		for where, entries := range map[string][]entry{"before": append(slices.Clone(first), whole...), "after": append(slices.Clone(whole), first...)} {
			path, folder := filepath.Join(home, "x.backup"), filepath.Join(home, "data")
			var out bytes.Buffer
			z := gzip.NewWriter(&out)
			archive := tar.NewWriter(z)
			for _, e := range entries {
				if err := archive.WriteHeader(&e.header); err != nil {
					t.Fatal(name, err)
				}
				if _, err := io.WriteString(archive, e.text); err != nil {
					t.Fatal(name, err)
				}
			}
			if err := errors.Join(archive.Close(), z.Close(), os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
				t.Fatal(err)
			}
			if _, err := backup.Read(path, folder, names, nil); !errors.Is(err, backup.ErrNoBackup) {
				t.Errorf("%s, %s the rest: %v", name, where, err)
			}
			onlyFiles(t, folder, 0)
			onlyFiles(t, home, 3)
			if text, err := os.ReadFile(victim); err != nil || string(text) != "mine" {
				t.Errorf("%s: a file elsewhere holds %q now: %v", name, text, err)
			}
		}
	}
}

func TestABackupThatFailsLeavesNothingBehind(t *testing.T) {
	folder, scratch := t.TempDir(), t.TempDir()
	broken := backup.Part{Name: "b.db", Copy: func(context.Context, string) error { return errors.New("disk full") }}
	_, err := backup.Write(t.Context(), filepath.Join(folder, "x"), scratch, "v1", []backup.Part{holding("a.db", "x"), broken})
	if err == nil || !strings.Contains(err.Error(), "copy b.db: disk full") {
		t.Error(err)
	}
	onlyFiles(t, folder, 0)
	onlyFiles(t, scratch, 0)
	path := filepath.Join(folder, "there")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Write(t.Context(), path, scratch, "v1", nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file was replaced: %v", err)
	}
}

// Whatever a file holds: all of its parts are restored, or nothing is there.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "hub.backup")
	if _, err := backup.Write(f.Context(), path, f.TempDir(), "v1", []backup.Part{holding("a.db", "contacts"), holding("b.db", "secrets")}); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, false)
	f.Add(whole[:len(whole)/2], false)
	f.Add(unpacked(f, whole), true)
	f.Add([]byte(strings.Replace(string(unpacked(f, whole)), "b.db", "../b", 1)), true)
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			if _, err := z.Write(data); err != nil || z.Close() != nil {
				t.Fatal(err)
			}
			data = packed.Bytes()
		}
		dir := t.TempDir()
		file, folder := filepath.Join(dir, "f.backup"), filepath.Join(dir, "data")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := backup.Read(file, folder, names, nil)
		want := 0
		if err == nil {
			want = len(names)
		} else if !errors.Is(err, backup.ErrNoBackup) {
			t.Errorf("an error that does not say what is wrong: %v", err)
		}
		onlyFiles(t, folder, want)
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
			t.Errorf("something was written outside the folder: %v, %v", entries, err)
		}
		for _, f := range m.Files {
			if info, stat := os.Stat(filepath.Join(folder, f.Name)); err == nil && (stat != nil || info.Size() != f.Size) {
				t.Errorf("%s is not as the manifest has it: %v", f.Name, stat)
			}
		}
	})
}

// unpacked is a backup without its compression.
func unpacked(f *testing.F, packed []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		f.Fatal(err)
	}
	return plain
}
