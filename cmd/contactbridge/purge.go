package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/progress"
)

func newPurgeCommand() *cobra.Command {
	var f hubFlags
	var account string
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:     "purge NUMBER|EMAIL",
		GroupID: groupSync,
		Short:   "Delete a person from everywhere in the hub (privacy request)",
		Long: `Delete every record of a person from the hub: those that have this number or e-mail address. Without --yes they are only shown.
Later runs do not bring them back. Look-ups that were kept for the number, or that tell of these records, are deleted as well: with --yes
also where no record has the number any more. The external services still have them: delete them there as well. So do backups of the hub
that were made before: purge again after one is restored.

Only records with exactly this number or address are taken: two people who share a number are both shown, so look before you say --yes.`,
		Example: `  contactbridge purge jane@example.com
  contactbridge purge "+44 20 7946 0018" --yes`,
		Args: takes("NUMBER|EMAIL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := accountOf(ctx, h, account, false)
				if err != nil {
					return err
				}
				entries, alike, err := recordsOf(ctx, h, account, args[0])
				if err != nil {
					return err
				}
				var agents []hub.AgentView
				if strings.Contains(args[0], "@") {
					if agents, err = h.AgentsByEmail(ctx, account, args[0]); err != nil {
						return err
					}
				}
				records := len(entries) + len(agents)
				if !asJSON {
					if err := printRecords(cmd, entries, agents, alike); err != nil {
						return err
					}
				}
				if !yes && records > 0 {
					return misuse(fmt.Sprintf("this would delete %s for good", count(records, "record")), "Say --yes if that is what you want.")
				}
				if !yes {
					return nil
				}
				calls := int64(0)
				if !strings.Contains(args[0], "@") {
					if calls, err = h.PurgeCalls(ctx, account, args[0]); err != nil {
						return err
					}
				}
				if records == 0 {
					if calls > 0 && !asJSON {
						fmt.Fprintf(cmd.OutOrStdout(), "%s for this number deleted.\n", count(int(calls), "kept look-up"))
					}
					if asJSON {
						return printJSON(cmd.OutOrStdout(), hub.PurgeResult{Refs: []directory.Ref{}})
					}
					return nil
				}
				refs := make([]directory.Ref, 0, records)
				for _, v := range agents {
					refs = append(refs, directory.Ref{Integration: v.Integration, ID: v.Agent.ID, Agent: true})
				}
				for _, e := range entries {
					refs = append(refs, directory.Ref{Integration: e.Key.Integration, ID: e.Contact.ID})
				}
				result, err := h.Purge(ctx, account, refs)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), result)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "\n%s deleted. Delete them in the external services as well.\n", count(int(result.Purged), "record"))
				for _, name := range result.Files {
					fmt.Fprintf(cmd.OutOrStdout(), "The uploaded file %s may still hold this person. Replace it by one without: contactbridge hub file replace '%s' FILE\n", name, name)
				}
				return printErasedFrom(cmd.OutOrStdout(), result.Phonebooks)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&account, "account", "", "account `name`; may be left out where there is one only")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was deleted as one JSON object")
	return cmd
}

// printErasedFrom says which devices may still show somebody.
func printErasedFrom(w io.Writer, books []hub.ErasedFrom) error {
	t := newTable("PHONEBOOK", "READ BY", "FROM", "DEVICE", "LAST READ")
	for _, b := range books {
		fmt.Fprintf(w, "The phonebook %s showed them.\n", b.Name)
		for _, r := range b.Behind {
			t.row(b.Name, r.Way, r.Address, cmp.Or(r.Device, "-"), r.Last.Local().Format("2006-01-02 15:04:05"))
		}
	}
	if len(books) == 0 {
		return nil
	}
	if len(t.rows) > 1 {
		fmt.Fprintln(w, "These devices keep a copy, and have not read it since:")
	}
	return t.print(w, "No device is known to keep a copy.")
}

// recordsOf are the records that have a number, with its country code or without it, or an e-mail address; and those that
// are another person's as likely as not: only the last digits of their numbers agree.
func recordsOf(ctx context.Context, h *hub.Hub, account, what string) (entries []directory.Entry, alike []string, err error) {
	if strings.Contains(what, "@") {
		entries, err = h.ByEmail(ctx, account, what)
		return entries, nil, err
	}
	answer, err := h.Lookup(ctx, account, what, "", caller.LookupOptions{Limit: 1000, All: true})
	if err != nil {
		return nil, nil, err
	}
	for _, m := range answer.Matches {
		switch m.How {
		case caller.Suffix:
			alike = append(alike, m.Integration+" "+m.ID)
			continue
		case caller.Range:
			continue // a company, and no record
		}
		entry, err := h.Contact(ctx, directory.Key{Account: account, Integration: m.Integration}, m.ID)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, entry)
	}
	return entries, alike, nil
}

func printRecords(cmd *cobra.Command, entries []directory.Entry, agents []hub.AgentView, alike []string) error {
	t := newTable("INTEGRATION", "ID", "NAME", "NUMBERS", "E-MAIL")
	for _, e := range entries {
		c := e.Contact
		t.row(e.Key.Integration, c.ID, c.Name, cmp.Or(strings.Join(c.Phones, ", "), "-"), cmp.Or(strings.Join(c.Emails, ", "), "-"))
	}
	for _, v := range agents {
		t.row(v.Integration, v.Agent.ID, v.Agent.Name+" (agent)", "-", v.Agent.Email)
	}
	if err := t.print(cmd.OutOrStdout(), "No record has this number or address."); err != nil {
		return err
	}
	if all := len(entries) + len(agents); all > 1 {
		fmt.Fprintln(cmd.OutOrStdout(), progress.Plural(int64(all), "record")+" in all")
	}
	if len(alike) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "Not meant, for only the last digits of the number agree: %s\n", strings.Join(alike, ", "))
	}
	return nil
}
