package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// What is kept of calls.
const (
	callsEvery     = time.Second // how often look-ups and counts are written
	keptPerSecond  = 20          // look-ups of one account that are kept
	mostKeptCalls  = 20_000      // of one account
	mostCountsHeld = 10_000      // accounts and days that are counted in memory, while the database cannot be written
)

// calls are the look-ups and counts that are not written yet.
type calls struct {
	mu     sync.Mutex
	counts map[countKey]*registry.Recognition
	room   map[string]int // look-ups of an account that were kept since the last time that they were written
	kept   []keptCall
	turn   sync.Mutex // one writes at a time, so that a purge can wait for it
}

type countKey struct {
	account string
	day     int64
}

// A keptCall is a look-up on its way into the registry.
type keptCall struct {
	account string
	at      time.Time
	answer  caller.Answer
	mask    bool
}

// Call is [Hub.Lookup] for a call that comes in: it is counted, and kept with its explanation for as long as the account says.
func (h *Hub) Call(ctx context.Context, account, number, region string, opts caller.LookupOptions) (caller.Answer, error) {
	k, err := h.known(ctx, account)
	if err != nil {
		return h.Lookup(ctx, account, number, region, opts)
	}
	asked := opts.Explain
	keep := k.Callers.Keep >= 0 && h.calls.mayKeep(account)
	opts.Explain = asked || keep
	answer, err := h.Lookup(ctx, account, number, region, opts)
	if err != nil {
		return answer, err
	}
	h.calls.note(account, h.now().UTC(), &answer, keep, !k.Callers.Unmasked)
	if !asked {
		answer.Explanation = nil
	}
	return answer, nil
}

// mayKeep reports whether one more look-up of an account may be kept at this time.
func (c *calls) mayKeep(account string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room[account] >= keptPerSecond {
		return false
	}
	if c.room == nil {
		c.room = map[string]int{}
	}
	c.room[account]++
	return true
}

// note counts a call, and holds its answer until it is written.
func (c *calls) note(account string, now time.Time, answer *caller.Answer, keep, mask bool) {
	day := now.Truncate(24 * time.Hour)
	key := countKey{account, day.Unix()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if keep {
		held := *answer
		held.Matches, held.More = nil, 0 // the explanation has them
		e := *answer.Explanation
		e.Candidates = slices.Clone(e.Candidates)
		held.Explanation = &e
		c.kept = append(c.kept, keptCall{account: account, at: now, answer: held, mask: mask})
	}
	n := c.counts[key]
	if n == nil {
		if len(c.counts) >= mostCountsHeld {
			return
		}
		if c.counts == nil {
			c.counts = map[countKey]*registry.Recognition{}
		}
		n = &registry.Recognition{Account: account, Day: day}
		c.counts[key] = n
	}
	n.Asked++
	switch Recognized(answer) {
	case "named":
		n.Named++
	case "ambiguous":
		n.Ambiguous++
	case "unknown":
		n.Unknown++
	}
}

// Recognized says what became of a call, in a word: named, ambiguous, unknown, or withheld where it showed no number.
func Recognized(a *caller.Answer) string {
	switch {
	case a.Named != nil:
		return "named"
	case a.Reason == caller.Ambiguous:
		return "ambiguous"
	case a.Reason == caller.WithheldOne:
		return "withheld"
	}
	return "unknown"
}

// take hands over what is not written yet.
func (c *calls) take() (kept []keptCall, counts []registry.Recognition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, c.kept, c.room = c.kept, nil, nil
	for _, n := range c.counts {
		counts = append(counts, *n)
	}
	c.counts = nil
	return kept, counts
}

// giveBack takes counts that could not be written.
func (c *calls) giveBack(counts []registry.Recognition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[countKey]*registry.Recognition{}
	}
	for _, n := range counts {
		key := countKey{n.Account, n.Day.Unix()}
		if now := c.counts[key]; now != nil {
			now.Asked, now.Named, now.Ambiguous, now.Unknown = now.Asked+n.Asked, now.Named+n.Named, now.Ambiguous+n.Ambiguous, now.Unknown+n.Unknown
			continue
		}
		c.counts[key] = &n
	}
}

// KeepCalls writes the look-ups and counts of this process until ctx is done, and the last ones then. Every process that answers
// callers needs it.
func (h *Hub) KeepCalls(ctx context.Context) {
	h.every(ctx, callsEvery, "keep look-ups", h.writeCalls)
	ctx, cancel := lasting(ctx)
	defer cancel()
	h.asks.work.Wait() // they end in time
	if err := h.writeCalls(ctx); err != nil {
		h.log().Error("could not keep the last look-ups", "error", err)
	}
}

// writeCalls writes what was noted. A look-up that tells of a contact that is not there any more is not kept: its person may have been
// purged by another process meanwhile.
func (h *Hub) writeCalls(ctx context.Context) error {
	h.calls.turn.Lock()
	defer h.calls.turn.Unlock()
	kept, counts := h.calls.take()
	if len(counts) > 0 {
		if err := h.Registry.AddRecognition(ctx, counts); err != nil {
			h.calls.giveBack(counts)
			return err
		}
	}
	var list []registry.Call
	for i := range kept {
		call, there, err := h.kept(ctx, &kept[i])
		if err != nil {
			return err
		}
		if there {
			list = append(list, call)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return h.Registry.AddCalls(ctx, list)
}

// kept makes of a look-up what is stored of it.
func (h *Hub) kept(ctx context.Context, k *keptCall) (call registry.Call, there bool, err error) {
	call = registry.Call{Account: k.account, Time: k.at, Reason: string(k.answer.Reason)}
	for _, c := range k.answer.Explanation.Candidates {
		if c.ID == "" {
			continue
		}
		if there, err := h.mayKeep(ctx, k.account, &c.Match); err != nil || !there {
			return call, false, err
		}
		call.Contacts = append(call.Contacts, directory.Ref{Integration: c.Integration, ID: c.ID})
	}
	if k.mask {
		k.answer.Mask()
	}
	call.Number = k.answer.E164
	if call.Number == "" {
		call.Number = k.answer.Number
	}
	call.Answer, err = json.Marshal(k.answer)
	return call, err == nil, err
}

// mayKeep reports whether a look-up that tells of a contact may be kept: the contact is still there, or, where a source answered it that the
// directory does not have, nobody has purged it.
func (h *Hub) mayKeep(ctx context.Context, account string, m *caller.Match) (bool, error) {
	key := directory.Key{Account: account, Integration: m.Integration}
	if m.Live {
		purged, err := h.store.Purged(ctx, key, []string{m.ID})
		return err == nil && !purged[0], err
	}
	_, err := h.store.Contact(ctx, key, m.ID)
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// numbersOf returns the numbers of contacts, as kept look-ups for them are found: whole and masked.
func (h *Hub) numbersOf(ctx context.Context, account string, refs []directory.Ref) (numbers []string, err error) {
	region, err := h.region(ctx, account)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		c, err := h.store.Contact(ctx, directory.Key{Account: account, Integration: ref.Integration}, ref.ID)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		numbers = spelledNumbers(numbers, caller.Numbers(c.Phones, region))
	}
	return numbers, nil
}

// spelledNumbers adds numbers to a list as kept look-ups have them: whole and masked.
func spelledNumbers(list []string, numbers []directory.Number) []string {
	for _, n := range numbers {
		for _, spelled := range []string{n.E164, n.Raw} {
			if spelled != "" {
				list = append(list, spelled, caller.Mask(spelled))
			}
		}
	}
	return list
}

// PurgeCalls deletes the kept look-ups for a person's number, in whichever spelling they asked, also where no record has it any more, and
// reports how many. Masked ones for numbers with the same first digits go with them.
func (h *Hub) PurgeCalls(ctx context.Context, account, number string) (int64, error) {
	if err := permit(ctx, registry.ScopePurge, account); err != nil {
		return 0, err
	}
	region, err := h.region(ctx, account)
	if err != nil {
		return 0, err
	}
	numbers := spelledNumbers(nil, caller.Numbers([]string{number}, region))
	if len(numbers) == 0 {
		return 0, nil
	}
	n, err := h.purgeCalls(ctx, account, nil, numbers)
	if err != nil || n == 0 {
		return n, err
	}
	return n, h.Note(ctx, "calls.purge", account, "", fmt.Sprintf("look-ups for a number: %d", n))
}

// purgeCalls deletes the kept look-ups of people: those that tell of them, and those for their numbers. Masked ones for other
// numbers with the same first digits go with them.
func (h *Hub) purgeCalls(ctx context.Context, account string, refs []directory.Ref, numbers []string) (int64, error) {
	if err := h.writeCalls(ctx); err != nil {
		return 0, fmt.Errorf("purge look-ups: %w", err)
	}
	return h.Registry.PurgeCalls(ctx, account, refs, numbers)
}

// A KeptCall is a look-up that was kept, with its explanation.
type KeptCall struct {
	ID     int64
	Time   time.Time
	Answer caller.Answer
}

// Calls lists an account's last look-ups, the newest first: those with an ID below before; 0: from the newest on.
func (h *Hub) Calls(ctx context.Context, account string, before int64, limit int) ([]KeptCall, error) {
	if err := permitAny(ctx, account, registry.ScopeCallers, registry.ScopeContacts); err != nil {
		return nil, err
	}
	if _, err := h.Account(ctx, account); err != nil {
		return nil, err
	}
	stored, err := h.Registry.Calls(ctx, account, before, limit)
	if err != nil {
		return nil, err
	}
	list := make([]KeptCall, len(stored))
	for i, c := range stored {
		list[i] = KeptCall{ID: c.ID, Time: c.Time}
		if err := json.Unmarshal(c.Answer, &list[i].Answer); err != nil {
			return nil, fmt.Errorf("read a kept look-up: %w", err)
		}
	}
	return list, nil
}

// Recognitions lists what became of an account's calls, by day; of all accounts where account is empty.
func (h *Hub) Recognitions(ctx context.Context, account string, since time.Time) ([]registry.Recognition, error) {
	if err := permitAny(ctx, account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite, registry.ScopeCallers); err != nil {
		return nil, err
	}
	return h.Registry.Recognitions(ctx, account, since)
}

// forgetOldCalls deletes the look-ups that their accounts keep no longer.
func (h *Hub) forgetOldCalls(ctx context.Context) error {
	accounts, err := h.Registry.Called(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		keep := a.Callers.Keep
		if keep == 0 {
			keep = registry.DefaultKeepCalls
		}
		if err := h.Registry.PruneCalls(ctx, a.Name, h.now().Add(-max(keep, 0)), mostKeptCalls); err != nil {
			return err
		}
	}
	return nil
}
