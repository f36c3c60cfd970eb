//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns a terminal on which somebody has typed lines ahead.
func terminal(t *testing.T, lines ...string) *os.File {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there are no terminals here: ", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if _, err := keyboard.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
	return screen
}

// dialog runs init with answers that are typed, and returns what it showed and wrote.
func dialog(t *testing.T, args []string, lines ...string) (status int, shown, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.yaml")
	var out bytes.Buffer
	status = run(t.Context(), append(append([]string{"init"}, args...), "-o", path), terminal(t, lines...), &out, &out)
	written, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return status, out.String(), string(written)
}

const twoTables = `CREATE TABLE customers (id integer PRIMARY KEY, first_name text, last_name text, phone text, alt text, code text);
INSERT INTO customers VALUES (1, 'Ann', 'Lee', '030 1234567', '030 1234568', '1'), (2, 'Ben', 'Day', '030 1234569', '', '2');
CREATE TABLE leads (id integer PRIMARY KEY, name text, phone text);
INSERT INTO leads VALUES (7, 'Lea', '030 7654321');`

func TestInitAsksAndTakesCorrections(t *testing.T) {
	file := sqliteFile(t, twoTables)
	status, shown, text := dialog(t, nil,
		"nothing", "sqlite", // the kind
		"none.db", file, // the place
		"Atlantis", "Germany", // the country
		"what?", "table=nowhere", "table=leads", "id=nonsense", "id=", "table=customers",
		"phones=phone, alt", "id='c-' || code", "company='Example, Inc.'", "company=", "")
	want := []string{
		"kind: sqlite", "path: " + file, "table: customers", `id: "'c-' || code"`, "phones: [phone, alt]", "{region: DE, format: e164}",
		"name: concat_ws(' ', NULLIF(first_name, ''), NULLIF(last_name, ''))",
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the configuration lacks %s", w)
		}
	}
	for _, w := range []string{
		"The database file does not exist.", `"Atlantis" is not a country.`, "table=NAME        read another table", `There is no table "nowhere".`,
		"the source's id does not fit the database: no such column: nonsense", "c-1  Ann Lee  +49301234567, +49301234568", "7   Lea   +49307654321", "bridge.yaml is written.",
	} {
		if !strings.Contains(shown, w) {
			t.Errorf("it never showed %q", w)
		}
	}
	if status != exitDone || strings.Contains(text, "company") || t.Failed() {
		t.Fatalf("status %d\n%s\n%s", status, shown, text)
	}
	want = []string{"c-1|Ann Lee||+49301234567 +49301234568|", "c-2|Ben Day||+49301234569|"}
	if got := served(t, text); strings.Join(got, ";") != strings.Join(want, ";") {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestInitWritesNothingUnlessItIsTold(t *testing.T) {
	file := sqliteFile(t, twoTables)
	for name, lines := range map[string][]string{"q": {"", "q"}, "the end of the terminal": {"", "\x04"}} {
		status, shown, text := dialog(t, []string{"sqlite", "--path", file}, lines...)
		if status != exitFailed || text != "" || !strings.Contains(shown, "nothing was written") {
			t.Errorf("%s: status %d\n%s\n%s", name, status, shown, text)
		}
	}
}

// A kind that maps its records itself has no columns that tell whether numbers have a country.
func TestInitAsksForTheCountryOfNumbersInCards(t *testing.T) {
	card := writeFile(t, "c.vcf", "BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:Ann\nTEL:020 7946 0018\nEND:VCARD\n")
	if status, shown, text := dialog(t, []string{"vcard", "--path", card}, "UK", ""); status != exitDone || !strings.Contains(text, "region: GB") || !strings.Contains(shown, "+442079460018") {
		t.Errorf("status %d\n%s\n%s", status, shown, text)
	}
}
