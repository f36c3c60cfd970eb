package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

// askExtended asks for a page as a synchronizer that knows our extensions (D7).
func askExtended(t testing.TB, h *bridge.Handler, checkpoint, offset string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"auth": credentials, "meta": map[string]any{
		"synchronization_checkpoint": checkpoint, "offset": offset, "supports_deletions": true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, h, post("/contact_sync", string(body)))
}

// describedHandler serves the contacts of m with tokens that belong to source and endpoint.
func describedHandler(m *memory, source, endpoint string) *bridge.Handler {
	h := handlerOf(m, bridge.Limits{Contacts: 2})
	h.Digest = endpoint
	h.Open = func(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
		src, err := m.open(ctx, auth)
		return described{src.(*memory), bridge.Description{Digest: source, Exact: true}}, err
	}
	return h
}

// D10: a checkpoint belongs to what it was issued for. One of anything else is answered with every contact, page by page.
func TestD10UnknownCheckpointIsAnsweredAsAnInitialRun(t *testing.T) {
	issued := func(h *bridge.Handler) string {
		all := pages(t, h, "")
		return all[len(all)-1].checkpoint()
	}
	own := describedHandler(numbered(5), "table a", "phones US")
	if a := askExtended(t, own, issued(own), ""); a.ids() != "" || a.Restarted || !a.Exact {
		t.Fatalf("its own checkpoint: %s", a.body)
	}
	for name, foreign := range map[string]string{
		"another source":             issued(describedHandler(numbered(5), "table b", "phones US")),
		"other settings":             issued(describedHandler(numbered(5), "table a", "phones PT")),
		"a boundary that moved":      issued(describedHandler(numbered(5), "table aphones", " US")),
		"a source that says nothing": issued(handlerOf(numbered(5), bridge.Limits{})),
		"another bridge":             "2012-11-20 23:01:00 UTC",
		"a number":                   "1353452460",
		"one byte more":              issued(own) + "0",
		"not text":                   "\x00\x7f",
		"very long":                  strings.Repeat("x", 100<<10),
	} {
		var seen []bridge.Observation
		h := describedHandler(numbered(5), "table a", "phones US")
		h.Observe = func(o bridge.Observation) { seen = append(seen, o) }
		first := askExtended(t, h, foreign, "")
		if first.ids() != "1 2" || !first.Restarted || !first.Exact {
			t.Errorf("%s: %d %s", name, first.status, first.body)
			continue
		}
		second := askExtended(t, h, foreign, first.offset()) // the checkpoint stays what it was when the run began (P5)
		third := askExtended(t, h, foreign, second.offset())
		if second.ids() != "3 4" || third.ids() != "5" || second.Restarted || third.Restarted || !second.Exact || third.NextOffset != nil {
			t.Errorf("%s: page 2 %s, page 3 %s", name, second.body, third.body)
		}
		if third.checkpoint() != issued(own) {
			t.Errorf("%s: the run ends with checkpoint %q", name, third.checkpoint())
		}
		if seen[0].Restart != bridge.RestartForeign || !seen[0].Initial || seen[1].Restart != "" || !seen[1].Initial {
			t.Errorf("%s: observed %+v", name, seen)
		}
	}
}

// D7: a synchronizer that does not know our extensions gets every contact and no word of it.
func TestRestartedAndExactAreSentToThoseWhoAsk(t *testing.T) {
	h := describedHandler(numbered(5), "table a", "")
	for _, checkpoint := range []string{"", "made up"} {
		a := page(t, h, checkpoint, "")
		if a.ids() != "1 2" || strings.Contains(a.body, "restarted") || strings.Contains(a.body, "exact") {
			t.Errorf("checkpoint %q: %s", checkpoint, a.body)
		}
	}
	if a := askExtended(t, h, "", ""); a.Restarted || !a.Exact {
		t.Errorf("an initial run: %s", a.body)
	}
	if a := askExtended(t, handlerOf(numbered(5), bridge.Limits{}), "made up", ""); !a.Restarted || strings.Contains(a.body, "exact") {
		t.Errorf("D8, a source that does not declare its positions exact: %s", a.body)
	}
}

// E4: an offset of another configuration stays refused, whatever comes with it.
func TestD10OffsetOfAnotherConfigurationIsRefused(t *testing.T) {
	offset := page(t, describedHandler(numbered(5), "table a", "phones US"), "", "").offset()
	for _, other := range []*bridge.Handler{
		describedHandler(numbered(5), "table b", "phones US"), describedHandler(numbered(5), "table a", "phones PT"),
	} {
		checkError(t, page(t, other, "", offset), 400, bridge.CodeInvalidOffset)
		checkError(t, page(t, other, "made up", offset), 400, bridge.CodeInvalidOffset)
	}
}

// D10: unknown_checkpoint: refuse.
func TestUnknownCheckpointCanBeRefused(t *testing.T) {
	h := describedHandler(numbered(5), "table a", "")
	h.UnknownCheckpoint = bridge.RefuseUnknown
	a := askExtended(t, h, "made up", "")
	checkError(t, a, 400, bridge.CodeInvalidCheckpoint)
	if !strings.Contains(a.Error.Hint, "unknown_checkpoint") {
		t.Errorf("hint: %s", a.Error.Hint)
	}
}

// A source that can no longer use its own checkpoint restarts by itself (D5), or refuses it: either way every contact comes.
func TestSourceThatCannotUseItsCheckpointRestarts(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(m *memory, since bridge.Checkpoint) (bridge.Run, error)
		want  bridge.Restart
	}{
		"an initial run": {func(m *memory, _ bridge.Checkpoint) (bridge.Run, error) {
			return m.Begin(t.Context(), "")
		}, bridge.RestartBySource},
		"refused": {func(m *memory, since bridge.Checkpoint) (bridge.Run, error) {
			if since != "" {
				return bridge.Run{}, &bridge.Error{Code: bridge.CodeInvalidCheckpoint, Message: "the column has another type now"}
			}
			return m.Begin(t.Context(), since)
		}, bridge.RestartRefused},
	} {
		m := numbered(3)
		checkpoint := pages(t, handlerOf(m, bridge.Limits{}), "")[0].checkpoint()
		h := handlerOf(m, bridge.Limits{Contacts: 2})
		h.Open = func(context.Context, bridge.Auth) (bridge.Source, error) { return beginning{m, c.begin}, nil }
		var seen []bridge.Observation
		h.Observe = func(o bridge.Observation) { seen = append(seen, o) }
		first := askExtended(t, h, checkpoint, "")
		second := askExtended(t, h, checkpoint, first.offset())
		if first.ids() != "1 2" || !first.Restarted || second.ids() != "3" || second.Restarted {
			t.Errorf("%s: %s, then %s", name, first.body, second.body)
		}
		if seen[0].Restart != c.want || seen[1].Restart != "" {
			t.Errorf("%s: observed %+v", name, seen)
		}
	}
	// An error of any other kind is not a restart: everybody would be sent again because a database was down (T11).
	h := handlerOf(numbered(3), bridge.Limits{})
	checkpoint := pages(t, h, "")[0].checkpoint()
	h.Open = func(context.Context, bridge.Auth) (bridge.Source, error) {
		return beginning{numbered(3), func(*memory, bridge.Checkpoint) (bridge.Run, error) {
			return bridge.Run{}, &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "down", Hint: "wait"}
		}}, nil
	}
	checkError(t, askExtended(t, h, checkpoint, ""), 503, bridge.CodeSourceUnavailable)
	h.Open = func(context.Context, bridge.Auth) (bridge.Source, error) { return failingDescriber{numbered(3)}, nil }
	checkError(t, askExtended(t, h, checkpoint, ""), 503, bridge.CodeSourceUnavailable)
}

// beginning is a memory source that begins runs in a way of its own.
type beginning struct {
	*memory
	begin func(m *memory, since bridge.Checkpoint) (bridge.Run, error)
}

func (b beginning) Begin(_ context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	return b.begin(b.memory, since)
}

// failingDescriber is a source that has to ask who its tenant is, and gets no answer.
type failingDescriber struct{ *memory }

func (failingDescriber) Describe(context.Context) (bridge.Description, error) {
	return bridge.Description{}, &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "down", Hint: "wait", Err: errors.New("down")}
}

// D10: said once in the log for each cause, however many requests there are, and without the caller's credentials.
func TestRestartIsLoggedOnceForEachCause(t *testing.T) {
	var log bytes.Buffer
	h := describedHandler(numbered(5), "table a", "")
	h.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for range 3 {
		askExtended(t, h, "made up", "")
		askExtended(t, h, "pass-word-7", "")
	}
	if n := strings.Count(log.String(), "reason=unknown"); n != 1 || strings.Contains(log.String(), "pass-word-7") {
		t.Errorf("said %d times: %s", n, log.String())
	}
	if !strings.Contains(log.String(), "endpoint=crm") || !strings.Contains(log.String(), "every contact is sent again") {
		t.Error(log.String())
	}
}
