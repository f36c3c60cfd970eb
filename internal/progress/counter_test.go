package progress

import (
	"bytes"
	"testing"
	"time"
)

// counting counts up in steps of a second.
func counting(c *Counter) {
	now := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	c.now = func() time.Time { return now }
	for n := range int64(12) {
		c.Step("contacts", 1000*n, 20_000)
		now = now.Add(time.Second)
	}
	c.Step("indexes", 0, 0)
	now = now.Add(7 * time.Second)
	c.Step("statistics", 3, 0)
	c.Close()
}

func TestACounterSaysLittleInAPipe(t *testing.T) {
	var out bytes.Buffer
	counting(NewCounter(&out))
	want := "contacts 5,000 of 20,000, 1,000/s\ncontacts 10,000 of 20,000, 1,000/s\nstatistics 3\n"
	if out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}

func TestACounterLivesOnATerminalAndGoesAway(t *testing.T) {
	var out bytes.Buffer
	c := NewCounter(&out)
	c.living = true
	counting(c)
	text := out.Bytes()
	if bytes.ContainsRune(text, '\n') || !bytes.HasSuffix(text, []byte("\r\x1b[K")) || !bytes.Contains(text, []byte("\r\x1b[Kindexes …\r")) ||
		!bytes.Contains(text, []byte("\r\x1b[Kcontacts 11,000 of 20,000, 1,000/s")) {
		t.Errorf("%q", text)
	}
}
