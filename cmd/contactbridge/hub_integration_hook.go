package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/web/api"
)

func (f *integrationFlags) hook() *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use: "hook NAME", Short: "Make the address that an external service calls when something changed: it starts a run", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				out := cmd.OutOrStdout()
				if remove {
					if err := h.RemoveHook(ctx, key); err != nil {
						return err
					}
					_, err := fmt.Fprintf(out, "the hook of %s is removed\n", key.Integration)
					return err
				}
				token, err := h.NewHook(ctx, key)
				if err != nil {
					return err
				}
				path := api.HookPath(key)
				if f.json {
					return printJSON(out, map[string]string{"path": path, "token": token})
				}
				address := strings.TrimSuffix(h.Options.PublicURL, "/") + path
				fmt.Fprintf(out, "%s\n  token %s\n", address, token)
				_, err = fmt.Fprintln(cmd.ErrOrStderr(), "Send POST with  Authorization: Bearer TOKEN , or ?token=TOKEN . It starts a run, at most every 10 s, and nothing else. The token is not shown again; an older one has ended.")
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "end the token instead")
	return cmd
}
