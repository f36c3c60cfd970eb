package csv_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

// positionAt returns a position in an unsorted run, made up by somebody who knows how it is written.
func positionAt(offset int) bridge.Position {
	return binary.BigEndian.AppendUint64([]byte{1}, uint64(offset))
}

// readFrom reads the ids after a position, and their names and phones.
func readFrom(t *testing.T, src bridge.Source, run bridge.Run, at bridge.Position, limit int) (contacts []string, positions []bridge.Position, err error) {
	t.Helper()
	for c, err := range src.Read(t.Context(), run, at, limit) {
		if err != nil {
			return contacts, positions, err
		}
		contacts = append(contacts, strings.Clone(c.Contact.ID+"|"+c.Contact.Name+"|"+strings.Join(c.Contact.Phones, ",")))
		positions = append(positions, bytes.Clone(c.Position))
	}
	return contacts, positions, nil
}

// An offset that is made up starts nowhere but at a record: no column that the endpoint does not share is ever read, however a cell
// of it looks.
func TestAForgedOffsetReadsNoHiddenColumn(t *testing.T) {
	hidden := []string{
		`"PIN 4417, salary 51000, diagnosis flu%d, kin Bob"`,
		"\"a first line\nPIN 4417,salary 51000,diagnosis flu%d,kin Bob\nand a last\"",
		"\"\nPIN 4417,salary 51000,diagnosis flu%d,kin Bob\n\"",
		"\"quotes: \"\"\nPIN 4417,salary 51000,diagnosis flu%d,kin \"\"Bob\n\"\"\"",
		"\"\r\nPIN 4417,\"\"salary 51000\"\",diagnosis flu%d,kin Bob\r\n\"",
	}
	var content strings.Builder
	content.WriteString("id,name,phone,notes\n")
	for i := range 40 {
		fmt.Fprintf(&content, "%d,Person %d,+1415555%04d,%s\n", i, i, i, fmt.Sprintf(hidden[i%len(hidden)], i))
	}
	text := content.String()
	for _, config := range []string{"id: id, fields: {name: name, phones: phone}", "id: id, delimiter: ',', fields: {name: name, phones: phone}"} {
		f := newFixture(t, config, text)
		run, err := f.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		all, positions, err := readFrom(t, f.src, run, nil, 0)
		if err != nil || len(all) != 40 {
			t.Fatalf("%d contacts, %v", len(all), err)
		}
		fresh := newFixture(t, config, text) // its process was started anew, and knows no record
		again, err := fresh.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		issued := map[string]int{}
		for i, at := range positions {
			issued[string(at)] = i + 1
		}
		issued[string(positionAt(len("id,name,phone,notes\n")))] = 0
		forged := 0
		var tried []bridge.Position
		for _, offset := range rand.Perm(len(text) + 100)[:600] {
			tried = append(tried, positionAt(offset))
		}
		for _, at := range append(tried, positions...) {
			offset := binary.BigEndian.Uint64(at[1:])
			got, _, err := readFrom(t, fresh.src, again, at, 0)
			from, good := issued[string(at)]
			switch {
			case good && (err != nil || len(got) != 40-from):
				t.Errorf("offset %d, which was issued: %d contacts, %v", offset, len(got), err)
			case !good && bridge.CodeOf(err) != bridge.CodeInvalidOffset:
				t.Errorf("offset %d, which was never issued: %q, %v", offset, got, err)
			case !good:
				forged++
			}
			for _, c := range got {
				if strings.Contains(c, "PIN") || strings.Contains(c, "salary") {
					t.Errorf("offset %d leaks %q", offset, c)
				}
			}
		}
		if forged < 400 {
			t.Errorf("%d forged offsets", forged)
		}
	}
}

// A run goes on at every position of every replica, and no page reads the whole file.
func TestOffsetsOfALargeFileAreGoodEverywhere(t *testing.T) {
	for _, encoding := range []string{"utf-8", "utf-16"} {
		var content strings.Builder
		content.WriteString("id,name,phone\n")
		rows := 5000
		for i := range 5000 {
			if i%50 == 0 {
				fmt.Fprintf(&content, "%d,\"Person\n%d, \"\"the\"\" first\",+1415555%04d\n", i, i, i)
				continue
			}
			if i%70 == 0 {
				content.WriteString("\"a quote that is not closed,x,y\n")
				rows++ // sent as rejected
			}
			fmt.Fprintf(&content, "%d,Person %d,+1415555%04d\n", i, i, i)
		}
		text := content.String()
		if encoding == "utf-16" {
			var b bytes.Buffer
			b.WriteString("\xff\xfe")
			for _, c := range text {
				_ = binary.Write(&b, binary.LittleEndian, uint16(c))
			}
			text = b.String()
		}
		f := newFixture(t, "id: id, fields: {name: name, phones: phone}", text)
		run, err := f.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		all, positions, err := readFrom(t, f.src, run, nil, 0)
		if err != nil || len(all) != rows {
			t.Fatalf("%s: %d of %d rows, %v", encoding, len(all), rows, err)
		}
		fresh := newFixture(t, "id: id, fields: {name: name, phones: phone}", text)
		again, err := fresh.src.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			i := rand.IntN(len(positions) - 1)
			if len(positions[i]) == 0 {
				continue // no page ends there
			}
			got, _, err := readFrom(t, fresh.src, again, positions[i], 2)
			if err != nil || got[0] != all[i+1] {
				t.Fatalf("%s: after %s: %q, %v", encoding, all[i], got, err)
			}
		}
	}
}
