package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console"
)

var roles = []string{string(registry.RoleReader), string(registry.RoleOperator), string(registry.RoleAdmin)}

func newHubUserCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "List and add users of the console, and help those who cannot sign in",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(hubUserList(f), hubUserAdd(f), hubUserPassword(f), hubUserEmail(f), hubUserRemove(f))
	return cmd
}

func hubUserList(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the users", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				users, err := h.Registry.Users(ctx)
				if err != nil {
					return err
				}
				t := newTable("NAME", "ROLE", "ACCOUNTS", "LAST SEEN", "E-MAIL", "")
				for _, u := range users {
					locked := ""
					if u.Disabled {
						locked = "locked"
					}
					t.row(u.Name, string(u.Role), cmp.Or(strings.Join(u.Accounts, ", "), "all"), ago(u.LastSeen), cmp.Or(u.Address(), "-"), locked)
				}
				return t.print(cmd.OutOrStdout(), "No user can sign in yet. Open the console, or: contactbridge hub user add NAME --role admin")
			})
		},
	}
}

func hubUserAdd(f *hubFlags) *cobra.Command {
	var role, email string
	var accounts []string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a user, and print a password for the first sign-in", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(roles, role) {
				return misuse(fmt.Sprintf("unknown role %q", role), "Choose one of: "+strings.Join(roles, ", ")+".")
			}
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				if err := checkEmail(email); err != nil {
					return err
				}
				for _, account := range accounts {
					if _, err := h.Account(ctx, account); err != nil {
						return err
					}
				}
				password, encoded, err := console.GivenPassword(ctx, time.Now())
				if err != nil {
					return err
				}
				u := registry.User{ID: rand.Text(), Name: args[0], Role: registry.Role(role), Accounts: accounts, Email: email, Password: encoded}
				if err := h.Registry.PutUser(ctx, u); err != nil {
					if errors.Is(err, registry.ErrExists) {
						return misuse("there is a user "+args[0]+" already", "For a new password: contactbridge hub user password "+args[0])
					}
					return err
				}
				return sayPassword(ctx, cmd, h, "user.add", u.Name, password)
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", string(registry.RoleReader), "`role`: "+strings.Join(roles, ", "))
	cmd.Flags().StringVar(&email, "email", "", "`address` by which agents of external services are known to be the user (default: NAME, where that is one)")
	cmd.Flags().StringSliceVar(&accounts, "account", nil, "account `name` that the user sees; may be repeated; default: all")
	return cmd
}

// sayPassword prints a password that was given, and notes that.
func sayPassword(ctx context.Context, cmd *cobra.Command, h *hub.Hub, action, name, password string) error {
	if err := h.Note(ctx, action, "", name, "given on the command line"); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), password)
	fmt.Fprintf(cmd.ErrOrStderr(), "%s signs in with this password once, within a week, and then chooses one.\n", name)
	return nil
}

// checkEmail refuses what cannot be an e-mail address.
func checkEmail(address string) error {
	if local, domain, _ := strings.Cut(address, "@"); address != "" && (local == "" || domain == "") {
		return misuse(fmt.Sprintf("%q is not an e-mail address", address), "Write it as jane@example.com.")
	}
	return nil
}

func hubUserEmail(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "email NAME [ADDRESS]", Short: "Set the e-mail address by which agents of external services are known to be a user; without one, take it away",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return misuse("it takes a user's NAME and an ADDRESS", "")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			address := ""
			if len(args) == 2 {
				address = args[1]
			}
			if err := checkEmail(address); err != nil {
				return err
			}
			return f.user(cmd, args[0], func(ctx context.Context, h *hub.Hub, u registry.User) error {
				u.Email = address
				if err := h.Registry.ChangeUser(ctx, u); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "the e-mail address of %s is %s\n", u.Name, cmp.Or(address, "taken away"))
				return h.Note(ctx, "user.change", "", u.Name, "e-mail address")
			})
		},
	}
}

func hubUserPassword(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "password NAME", Short: "Give a user who cannot sign in a new password, and print it", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.user(cmd, args[0], func(ctx context.Context, h *hub.Hub, u registry.User) error {
				password, encoded, err := console.GivenPassword(ctx, time.Now())
				if err != nil {
					return err
				}
				if err := h.Registry.SetPassword(ctx, u.ID, u.Password, encoded); err != nil {
					return err
				}
				u.Disabled = false
				if err := h.Registry.ChangeUser(ctx, u); err != nil {
					return err
				}
				if err := h.Registry.DeleteSessions(ctx, u.ID, nil); err != nil {
					return err
				}
				return sayPassword(ctx, cmd, h, "user.password", u.Name, password)
			})
		},
	}
}

func hubUserRemove(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a user, and end all of their sessions", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.user(cmd, args[0], func(ctx context.Context, h *hub.Hub, u registry.User) error {
				if err := h.Registry.DeleteUser(ctx, u.ID); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is removed\n", u.Name)
				return h.Note(ctx, "user.remove", "", u.Name, "")
			})
		},
	}
}

// user opens the hub and does something with one of its users.
func (f *hubFlags) user(cmd *cobra.Command, name string, do func(context.Context, *hub.Hub, registry.User) error) error {
	return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
		u, err := h.Registry.UserByName(ctx, name)
		if errors.Is(err, registry.ErrNotFound) {
			return misuse(fmt.Sprintf("unknown user %q", name), "contactbridge hub user list  names them.")
		}
		if err != nil {
			return err
		}
		return do(ctx, h, u)
	})
}
