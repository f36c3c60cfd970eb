package hub_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub"
)

func TestWhatFailsEverySecondIsToldOnceAMinute(t *testing.T) {
	var out bytes.Buffer
	handler := hub.Seldom(slog.NewTextHandler(&out, nil))
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	say := func(h slog.Handler, after time.Duration, message string) {
		if err := h.Handle(context.Background(), slog.NewRecord(start.Add(after), slog.LevelError, message, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for second := range 125 {
		say(handler, time.Duration(second)*time.Second, "could not queue")
	}
	say(handler.WithAttrs([]slog.Attr{slog.Int("try", 2)}), 121*time.Second, "could not queue") // the same log
	say(handler, 3*time.Second, "something else")
	say(handler, time.Hour, "could not queue")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"00:00:00.000Z level=ERROR msg=\"could not queue\"", "00:01:00.000Z level=ERROR msg=\"could not queue\" left_out=59",
		"00:02:00.000Z level=ERROR msg=\"could not queue\" left_out=59", "00:00:03.000Z level=ERROR msg=\"something else\"",
		"01:00:00.000Z level=ERROR msg=\"could not queue\"",
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines instead of %d:\n%s", len(lines), len(want), out.String())
	}
	for i, line := range lines {
		if !strings.HasSuffix(line, want[i]) {
			t.Errorf("line %d is %s, want …%s", i, line, want[i])
		}
	}
}
