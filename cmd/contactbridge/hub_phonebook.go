package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/web/api"
)

func newHubPhonebookCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "phonebook", Short: "List the phonebooks that telephones read, and who reads them"}
	cmd.AddCommand(newPhonebookListCommand(f), newPhonebookRenewCommand(f))
	return cmd
}

func newPhonebookListCommand(f *hubFlags) *cobra.Command {
	var account string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List an account's phonebooks, and the devices that read them", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := accountOf(ctx, h, account, false)
				if err != nil {
					return err
				}
				books, err := h.PhonebooksOf(ctx, account)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), api.Phonebooks(books))
				}
				t := newTable("PHONEBOOK", "CONTACTS", "READ BY", "AS", "FROM", "DEVICE", "LAST READ", "TIMES", "")
				for i := range books {
					b := &books[i]
					contacts := progress.Count(b.Members)
					if !b.Filled {
						contacts += " (being filled)"
					}
					if len(b.Readers) == 0 {
						t.row(b.Name, contacts, "-", "-", "-", "-", "-", "-", "")
					}
					for _, r := range b.Readers {
						behind := ""
						if b.Behind(&r) {
							behind = "not since a purge"
						}
						t.row(b.Name, contacts, r.Way, cmp.Or(r.Name, "-"), r.Address, cmp.Or(r.Device, "-"), r.Last.Local().Format("2006-01-02 15:04:05"), strconv.FormatInt(r.Times, 10), behind)
					}
				}
				return t.print(cmd.OutOrStdout(), "There is no phonebook. docs/phones.md says how one is declared.")
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "account `name`; may be left out where there is one only")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func newPhonebookRenewCommand(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "renew", Short: "Make every address book read its phonebook anew",
		Long: `Make every address book read its phonebook anew with its next synchronization. It is needed after the database was put back to an
earlier state by a snapshot of its disk: devices may know changes that it lacks. A restored backup or dump, and a standby that takes over, are noticed when the hub starts.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				if err := h.RenewPhonebooks(ctx); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "Address books will read their phonebooks anew.")
				return nil
			})
		},
	}
}
