package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/progress"
)

// newestSet is the value of --accept-deletions where none is given: the deletions that wait in the directory now.
const newestSet = "newest"

// accept says yes to the deletions that wait, before the run, and reports how many contacts were deleted.
func (f *syncFlags) accept(cmd *cobra.Command, store directory.Store, key directory.Key) (int64, error) {
	if f.acceptDeletions == "" {
		return 0, nil
	}
	set := f.acceptDeletions
	if set == newestSet {
		state, err := store.State(cmd.Context(), key)
		if err != nil {
			return 0, err
		}
		if set = state.Held.Set; set == "" {
			f.say(cmd, "no deletions wait for a decision")
			return 0, nil
		}
	}
	n, err := store.DeleteHeld(cmd.Context(), key, set)
	if changed, ok := errors.AsType[*directory.HeldError](err); ok {
		if listed := f.list(cmd, store, key, changed.Now); listed != nil {
			return 0, listed
		}
		return 0, err
	}
	if err == nil {
		f.say(cmd, fmt.Sprintf("%s deleted, as accepted", count(int(n), "contact")))
	}
	return n, err
}

// say tells the operator something besides the report.
func (f *syncFlags) say(cmd *cobra.Command, what string) {
	if !f.quiet {
		fmt.Fprintln(cmd.ErrOrStderr(), what)
	}
}

// list shows who would be deleted.
func (f *syncFlags) list(cmd *cobra.Command, store directory.Store, key directory.Key, held directory.Held) error {
	if f.quiet || held.Count == 0 {
		return nil
	}
	const most = 100
	contacts, err := store.Held(cmd.Context(), key, 0, most)
	if err != nil {
		return err
	}
	return printHeld(cmd.ErrOrStderr(), held, contacts)
}

// printHeld lists contacts that wait for a decision about their deletion.
func printHeld(w io.Writer, held directory.Held, contacts []directory.HeldContact) error {
	t := newTable("ID", "NAME", "COMPANY", "WHY")
	for _, h := range contacts {
		t.row(h.Contact.ID, h.Contact.Name, h.Contact.Company, directory.WhyHeld(h.Named))
	}
	if err := t.print(w, "No deletions wait for a decision."); err != nil || held.Count == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s of %s, set %s\n", progress.Count(int64(len(contacts))), count(int(held.Count), "contact"), held.Set)
	return err
}
