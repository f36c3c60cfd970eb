package failure_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/failure"
)

// counted is an error of another type, which programs decide by.
type counted struct{ n int }

func (e *counted) Error() string { return fmt.Sprintf("%d are missing", e.n) }

func (e *counted) Explain() failure.Error {
	return failure.Error{Code: failure.Conflict, Message: e.Error(), Hint: "Count again."}
}

var (
	full   = &failure.Error{Message: "the disk is full", Hint: "Make room.", Err: io.ErrShortWrite}
	region = &failure.Error{Code: failure.Invalid, Field: "region", Message: "unknown region", Hint: "Name a country."}
	zone   = &failure.Error{Code: failure.Invalid, Field: "zone", Message: "there is no zone"}
)

func TestTextIsMessageAndCause(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{region, "unknown region"},
		{full, "the disk is full: short write"},
		{&failure.Error{Message: "the disk is full", Err: failure.Hidden(io.ErrShortWrite)}, "the disk is full"},
		{failure.WithHint(full, "Do this."), "the disk is full: short write"},
		{&failure.Error{Code: failure.Invalid, Err: io.EOF}, "EOF"},
		{&failure.Error{Code: failure.Invalid}, ""},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestCausesAreFound(t *testing.T) {
	for _, err := range []error{full, failure.WithHint(full, "Do this."), &failure.Error{Message: "full", Err: failure.Hidden(io.ErrShortWrite)}} {
		if !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%v: its cause is not found", err)
		}
	}
	if err := failure.WithHint(nil, "Do this."); err != nil {
		t.Errorf("a hint for nothing: %v", err)
	}
}

func TestOuterErrorWinsAndLeavesTheRestToItsCause(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want failure.Error
	}{
		"nothing":           {nil, failure.Error{}},
		"nobody explained":  {io.EOF, failure.Error{}},
		"itself":            {region, *region},
		"wrapped":           {fmt.Errorf("account: %w", region), *region},
		"another type":      {fmt.Errorf("count: %w", &counted{3}), failure.Error{Code: failure.Conflict, Message: "3 are missing", Hint: "Count again."}},
		"another hint":      {failure.WithHint(region, "Do this."), failure.Error{Code: failure.Invalid, Field: "region", Message: "unknown region", Hint: "Do this."}},
		"hint of a plain":   {failure.WithHint(io.EOF, "Do this."), failure.Error{Hint: "Do this.", Err: io.EOF}},
		"code of the cause": {&failure.Error{Message: "no account", Err: region}, failure.Error{Code: failure.Invalid, Message: "no account", Hint: "Name a country.", Err: region}},
		"hidden cause":      {&failure.Error{Message: "no count", Err: failure.Hidden(&counted{3})}, failure.Error{Code: failure.Conflict, Message: "no count", Hint: "Count again.", Err: failure.Hidden(&counted{3})}},
		"message of joined": {&failure.Error{Message: "no account", Err: errors.Join(io.EOF, zone, region)}, failure.Error{Code: failure.Invalid, Message: "no account", Err: errors.Join(io.EOF, zone, region)}},
		"first of joined":   {errors.Join(io.EOF, zone, region), *zone},
	} {
		if diff := cmp.Diff(c.want, failure.Of(c.err), cmp.Comparer(sameText)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestJoinedErrorsAreAllRead(t *testing.T) {
	joined := fmt.Errorf("account: %w", errors.Join(region, io.EOF, fmt.Errorf("time: %w", errors.Join(zone, full))))
	hinted := *zone
	hinted.Hint = "Do this."
	for name, c := range map[string]struct {
		err  error
		want []failure.Error
	}{
		"in their order": {joined, []failure.Error{*region, *zone, *full}},
		"with a hint":    {failure.WithHint(errors.Join(zone, zone), "Do this."), []failure.Error{hinted, hinted}},
		"none":           {errors.Join(io.EOF, io.ErrShortWrite), nil},
	} {
		if diff := cmp.Diff(c.want, failure.All(c.err), cmp.Comparer(sameText)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func sameText(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
