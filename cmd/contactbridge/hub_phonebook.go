package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/web/api"
)

func newHubPhonebookCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "phonebook", Short: "Make the phonebooks that telephones read, their credentials, and see who reads them",
		Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPhonebookListCommand(f), newPhonebookSetCommand(f), newPhonebookRemoveCommand(f), newPhonebookCredentialCommand(f), newPhonebookRenewCommand(f))
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
				return t.print(cmd.OutOrStdout(), "There is no phonebook. Make one: contactbridge hub phonebook add desk --ldap --http --carddav")
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

// phonebookFlags are the settings of a phonebook.
type phonebookFlags struct {
	account             string
	settings            registry.PhonebookSettings
	http, ldap, carddav bool
	title               string
	overHTTP            registry.PhonebookHTTP
	zero                bool
}

func (b *phonebookFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	s := &b.settings
	flags.StringVar(&b.account, "account", "", "account `name`; may be left out where there is one only")
	flags.BoolVar(&b.http, "http", false, "it is read over HTTP, in the formats of telephones' makers")
	flags.BoolVar(&b.ldap, "ldap", false, "it is read over LDAP (the configuration's  ldap  says where)")
	flags.BoolVar(&b.carddav, "carddav", false, "it is read over CardDAV")
	flags.StringVar(&b.title, "title", "", "what devices show; default: its name")
	flags.StringSliceVar(&s.Integrations, "integration", nil, "only the contacts of this integration; may be repeated; default: all")
	flags.StringVar(&s.Where, "where", "", "only the contacts of which this `expression` is true")
	flags.StringVar(&s.Numbers.Format, "format", "e164", "how numbers are written: e164, idd, digits, national, local or raw")
	flags.StringVar(&s.Numbers.Region, "region", "", "`country` where the telephones are; default: the account's")
	flags.StringVar(&s.Numbers.Area, "area", "", "own area `code`, such as 020")
	flags.StringVar(&s.Numbers.OutsidePrefix, "outside-prefix", "", "`digits` that are dialled for an outside line, such as 9")
	flags.StringVar(&b.overHTTP.First, "first", "name", "over HTTP, which entries go in where not all do: name, changed or called")
	flags.StringVar(&b.overHTTP.Prefer, "prefer", "", "over HTTP, contacts of which this `expression` is true go in before all others")
	flags.StringSliceVar(&b.overHTTP.Allow, "allow", nil, "over HTTP, only from this `network`; may be repeated; default: every address")
	flags.BoolVar(&b.zero, "size-limit-zero", false, "over LDAP, do not say that there are more entries than an answer has")
}

func newPhonebookSetCommand(f *hubFlags) *cobra.Command {
	var b phonebookFlags
	cmd := &cobra.Command{
		Use: "add NAME", Aliases: []string{"set"}, Short: "Make a phonebook, or change all of its settings", Args: takes("NAME"),
		Long: `Make a phonebook. One of that name has all of its settings changed to what is said here; one that the configuration file declares is
changed there. No device can read a new one before it has a credential.`,
		Example: `  contactbridge hub phonebook add desk --http --ldap --carddav --format national
  contactbridge hub phonebook credential add desk reception`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) (err error) {
				p := registry.Phonebook{Name: args[0], Settings: b.settings}
				if p.Account, err = accountOf(ctx, h, b.account, false); err != nil {
					return err
				}
				if b.http {
					b.overHTTP.Title = b.title
					p.Settings.HTTP = &b.overHTTP
				}
				if b.ldap {
					p.Settings.LDAP = &registry.PhonebookLDAP{SizeLimitCode: 4}
					if b.zero {
						p.Settings.LDAP.SizeLimitCode = 0
					}
				}
				if b.carddav {
					p.Settings.CardDAV = &registry.PhonebookDAV{Title: b.title}
				}
				made, err := h.PutPhonebook(ctx, p)
				if err != nil {
					return err
				}
				if !made {
					fmt.Fprintf(cmd.OutOrStdout(), "the phonebook %s is changed\n", p.Name)
					return nil
				}
				fmt.Fprintf(cmd.OutOrStdout(), "the phonebook %s is made. Make a credential for its first device: contactbridge hub phonebook credential add %s NAME\n", p.Name, p.Name)
				return nil
			})
		},
	}
	b.add(cmd)
	return cmd
}

func newPhonebookRemoveCommand(f *hubFlags) *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Remove a phonebook with its credentials: its devices are shut out within a second", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := accountOf(ctx, h, account, false)
				if err != nil {
					return err
				}
				if err := h.RemovePhonebook(ctx, account, args[0]); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "the phonebook is removed")
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "account `name`; may be left out where there is one only")
	return cmd
}

func newPhonebookCredentialCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "credential", Short: "Make, list and revoke what devices sign in with", Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCredentialAddCommand(f), newCredentialListCommand(f), newCredentialRevokeCommand(f))
	return cmd
}

func newCredentialAddCommand(f *hubFlags) *cobra.Command {
	var account, kind string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "add PHONEBOOK NAME", Short: "Make a credential for a device or a site, and print it this once", Args: takes("PHONEBOOK", "NAME"),
		Long: `Make a credential for a device or a site. It is printed on standard output, this once.

The kind password is good for every way in which the phonebook is read; a hash of it is kept. digest is the same, also for telephones that
sign in over HTTP by Digest only, and is kept sealed, since Digest needs the password itself. path is for telephones that cannot sign in: the
secret stands in the address.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := accountOf(ctx, h, account, false)
				if err != nil {
					return err
				}
				k, secret, err := h.AddKey(ctx, account, args[0], args[1], registry.KeyKind(kind))
				if err != nil {
					return err
				}
				b := h.Books().Of(account, args[0])
				if b == nil {
					return fmt.Errorf("the phonebook %s was removed meanwhile", args[0])
				}
				made := api.ViewCreated(b, k, secret)
				if asJSON {
					return printJSON(cmd.OutOrStdout(), made)
				}
				printCredential(cmd.OutOrStdout(), made)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "account `name`; may be left out where there is one only")
	flags.StringVar(&kind, "kind", string(registry.KeyPassword), "password, digest or path")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"password", "digest", "path"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func printCredential(w io.Writer, made api.CreatedCredential) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-10s %s\n", name, value)
		}
	}
	if made.Kind != registry.KeyPath {
		line("user", made.Name)
		line("password", made.Secret)
	}
	if made.HTTP != "" {
		line("HTTP", "https://HUB"+made.HTTP)
	}
	if made.CardDAV != "" {
		line("CardDAV", "https://HUB"+made.CardDAV)
	}
	if made.LDAP != nil {
		line("LDAP", made.LDAP.Listen+", base "+made.LDAP.Base+", user "+made.LDAP.BindDN)
	}
}

func newCredentialListCommand(f *hubFlags) *cobra.Command {
	var account string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list PHONEBOOK", Short: "List the credentials of a phonebook; their secrets are not kept", Args: takes("PHONEBOOK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := accountOf(ctx, h, account, false)
				if err != nil {
					return err
				}
				v, err := h.PhonebookOf(ctx, account, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), api.Phonebooks([]hub.PhonebookView{v})[0].Credentials)
				}
				t := newTable("NAME", "KIND", "MADE BY", "MADE", "LAST READ")
				for _, k := range v.Keys {
					t.row(k.Name, string(k.Kind), k.MadeBy, ago(k.Created), ago(v.ReadBy(k.Name)))
				}
				return t.print(cmd.OutOrStdout(), "No credentials yet. Make one: contactbridge hub phonebook credential add "+args[0]+" NAME")
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "account `name`; may be left out where there is one only")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func newCredentialRevokeCommand(f *hubFlags) *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use: "revoke PHONEBOOK NAME", Short: "Revoke a credential: its devices are shut out within a second", Args: takes("PHONEBOOK", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := accountOf(ctx, h, account, false)
				if err != nil {
					return err
				}
				if err := h.RevokeKey(ctx, account, args[0], args[1]); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "the credential is revoked")
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "account `name`; may be left out where there is one only")
	return cmd
}
