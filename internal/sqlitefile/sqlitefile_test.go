package sqlitefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

var format = &sqlitefile.Format{
	Name: "list", Example: "list.db", ApplicationID: 7, Versions: "versions", Folder: "sql",
	Migrations: fstest.MapFS{"sql/00001_list.sql": {Data: []byte("-- +goose Up\nCREATE TABLE list (n INTEGER, word TEXT, data BLOB);")}},
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// made is a file with one row.
func made(t *testing.T) string {
	t.Helper()
	file, there, err := format.Find(filepath.Join(t.TempDir(), format.Example))
	ok(t, err)
	if there {
		t.Fatal("a file is there before it is made")
	}
	ok(t, sqlitefile.Make(file))
	ok(t, format.Check(t.Context(), file))
	db, err := format.Writer(file)
	ok(t, err)
	ok(t, format.Upgrade(t.Context(), db))
	_, err = db.ExecContext(t.Context(), "INSERT INTO list VALUES (1, 'one', x'')")
	ok(t, err)
	ok(t, db.Close())
	return file
}

func TestAFileThatIsReadAloneIsNobodyElses(t *testing.T) {
	file := made(t)
	alone, err := format.OpenAlone(t.Context(), file)
	ok(t, err)
	if other, err := format.OpenAlone(t.Context(), file); !errors.Is(err, sqlitefile.ErrInUse) {
		t.Errorf("it was opened twice: %v, %v", other, err)
	}
	rows := 0
	for row, err := range alone.Rows(t.Context(), "SELECT n, word, data, NULL FROM list") {
		ok(t, err)
		rows++
		if data, is := row[2].([]byte); row[0] != int64(1) || row[1] != "one" || !is || data == nil || row[3] != nil {
			t.Errorf("%#v: an empty value is not a missing one", row)
		}
	}
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
	ok(t, alone.Close())
	again, err := format.OpenAlone(t.Context(), file)
	ok(t, err)
	ok(t, again.Close())
}

func TestOpenAloneMakesNoFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing.db")
	if _, err := format.OpenAlone(t.Context(), file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

func TestACopyOverwritesNothing(t *testing.T) {
	file := made(t)
	copied := file + ".copy"
	ok(t, format.Copy(t.Context(), file, copied))
	info, err := os.Stat(copied)
	ok(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("the copy has mode %v and %d bytes", info.Mode(), info.Size())
	}
	before, err := os.ReadFile(copied)
	ok(t, err)
	if err := format.Copy(t.Context(), file, copied); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(copied); err != nil || string(after) != string(before) {
		t.Errorf("the file in the copy's place was changed: %v", err)
	}
}
