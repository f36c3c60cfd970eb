package csv_test

import (
	"context"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// A counting source counts when it is read and closed.
type counting struct {
	*file.Source
	read, closed *atomic.Int32
}

func (c counting) ReadEncoded(
	ctx context.Context, run bridge.Run, after bridge.Position, limit int, e bridge.Encoding,
) iter.Seq2[bridge.Change, error] {
	c.read.Add(1)
	return c.Source.ReadEncoded(ctx, run, after, limit, e)
}

func (c counting) Close() error {
	defer c.closed.Add(1)
	return c.Source.Close()
}

// A file that changes after its next page was read ahead is refused as it is without that, whatever happened to it.
func TestAChangedFileIsNotReadAhead(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("OPTIONAL: no page is read ahead on one processor")
	}
	rows := func(company string) string {
		var b strings.Builder
		b.WriteString("id,name,company,stamp\n")
		for i := range 100 {
			b.WriteString(strconv.Itoa(i) + ",Jane Doe," + company + ",2024-01-01\n")
		}
		return b.String()
	}
	before, after := rows("Before"), rows("After!")
	old := time.Now().Add(-time.Hour)
	put := func(t *testing.T, path, content string, modified time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(t *testing.T, path string){
		"not at all": func(*testing.T, string) {},
		"replaced": func(t *testing.T, path string) {
			put(t, path+".new", after, old)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
		"replaced by the same": func(t *testing.T, path string) {
			put(t, path+".new", before, old)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
		"written to":       func(t *testing.T, path string) { put(t, path, after, old.Add(time.Minute)) },
		"touched":          func(t *testing.T, path string) { put(t, path, before, old.Add(time.Minute)) },
		"touched just now": func(t *testing.T, path string) { put(t, path, before, time.Now()) },
		"cut off":          func(t *testing.T, path string) { put(t, path, before[:1000], old) },
		"removed": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for _, keys := range []string{"path: FOLDER/contacts.csv", "path: FOLDER/contacts.csv\nupdated: stamp", "path: FOLDER", "path: FOLDER\nupdated: stamp"} {
			t.Run(name+" "+keys, func(t *testing.T) {
				answers := map[bool][]string{}
				for _, ahead := range []bool{false, true} {
					folder := t.TempDir()
					path := filepath.Join(folder, "contacts.csv")
					put(t, path, before, old)
					factory, err := tryFactory(strings.ReplaceAll(keys, "FOLDER", folder)+"\nid: id\nfields: {name: name, company: company}\n", source.Deps{})
					if err != nil {
						t.Fatal(err)
					}
					defer factory.Close()
					read, closed := new(atomic.Int32), new(atomic.Int32)
					h := &bridge.Handler{Authenticate: bridge.AllowAnyone, Limits: bridge.Limits{Contacts: 10}}
					h.Open = func(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
						src, err := factory.Open(ctx, auth)
						if err != nil {
							return nil, err
						}
						return counting{src.(*file.Source), read, closed}, nil
					}
					defer h.Close()
					if !ahead {
						h.Close()
					}
					offset, pages := "", int32(0)
					ask := func() string {
						w := httptest.NewRecorder()
						r := httptest.NewRequestWithContext(t.Context(), "POST", "/crm/contact_sync", strings.NewReader(`{"meta":{"offset":"`+offset+`"}}`))
						h.ServeHTTP(w, r)
						body, _, _ := strings.Cut(w.Body.String(), `,"request_id"`)
						body = strings.ReplaceAll(body, folder, "")
						_, rest, _ := strings.Cut(body, `"next_offset":"`)
						offset, _, _ = strings.Cut(rest, `"`)
						for pages++; closed.Load() < pages; runtime.Gosched() { // until the next pages were read
						}
						return body
					}
					for range 3 {
						if ask(); offset == "" {
							t.Fatal("a run that has ended already")
						}
					}
					change(t, path)
					last := ask()
					if strings.Contains(last, "After!") || name == "not at all" && !strings.Contains(last, `"id":"3`) {
						t.Errorf("%s", last)
					}
					if n := read.Load(); ahead && name == "not at all" && n != 7 {
						t.Errorf("4 pages took %d readings: the last two should have been read ahead, and the three after them", n)
					}
					_, last, _ = strings.Cut(last, "{") // the offset and the times in it are those of another file
					last, _, _ = strings.Cut(last, `"next_offset"`)
					answers[ahead] = append(answers[ahead], last)
				}
				if with, without := strings.Join(answers[true], "\n"), strings.Join(answers[false], "\n"); with != without {
					t.Errorf("read ahead\n%s\nand otherwise\n%s", with, without)
				}
			})
		}
	}
}
