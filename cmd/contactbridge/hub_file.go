package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/web/api"
)

// fileFlags say whose files a command is about.
type fileFlags struct {
	*hubFlags
	account string
	json    bool
}

func newHubFileCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "file",
		Short: "Upload, replace, list and remove files, which sources inside the hub read",
		Long: `Upload, replace, list and remove files, which sources inside the hub read: CSV, Excel workbooks (.xlsx), vCards, JSON lines, JSON.
They are kept in the hub's database, so that every process of the hub has them. A source reads one as path: upload:NAME.`,
		Example: `  contactbridge hub file add customers.csv
  contactbridge hub integration add shop --kind csv --set path=upload:customers.csv
  contactbridge hub file replace customers.csv export-of-today.csv --yes`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := &fileFlags{hubFlags: f}
	cmd.PersistentFlags().StringVar(&flags.account, "account", "", "account `name`; may be left out where there is one only")
	cmd.PersistentFlags().BoolVar(&flags.json, "json", false, "print JSON")
	cmd.AddCommand(flags.add(), flags.list(), flags.replace(), flags.remove())
	return cmd
}

// in does something in the account.
func (f *fileFlags) in(cmd *cobra.Command, make bool, do func(ctx context.Context, h *hub.Hub, account string) error) error {
	return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
		account, err := accountOf(ctx, h, f.account, make)
		if err != nil {
			return err
		}
		return do(ctx, h, account)
	})
}

// opened opens a file; - is standard input.
func opened(cmd *cobra.Command, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, misuse(err.Error(), "Check the path and its permissions.")
	}
	return file, nil
}

func (f *fileFlags) add() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "add FILE", Short: "Upload a file; - is standard input", Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			content, err := opened(cmd, args[0])
			if err != nil {
				return err
			}
			defer content.Close()
			if name == "" && args[0] == "-" {
				return misuse("what comes from standard input has no name", "Name it: --name customers.csv")
			}
			return f.in(cmd, true, func(ctx context.Context, h *hub.Hub, account string) error {
				file, err := h.AddFile(ctx, account, cmp.Or(name, filepath.Base(args[0])), content)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.Files([]hub.FileView{{File: file}})[0])
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is uploaded to %s, %s. To read it: contactbridge hub integration add NAME --kind %s --set 'path=upload:%s'\n",
					file.Name, account, humanize.IBytes(uint64(file.Size)), file.Kind, file.Name)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`name` under which sources read it; default: the file's own")
	return cmd
}

func (f *fileFlags) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the uploaded files, and who reads them", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.in(cmd, false, func(ctx context.Context, h *hub.Hub, account string) error {
				files, err := h.Files(ctx, account)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.Files(files))
				}
				t := newTable("NAME", "KIND", "SIZE", "UPLOADED", "BY", "READ BY")
				for _, file := range files {
					t.row(file.Name, file.Kind, humanize.IBytes(uint64(file.Size)), ago(file.Uploaded), file.Uploader, cmp.Or(strings.Join(file.Users, ", "), "nobody: it is deleted after a week"))
				}
				return t.print(cmd.OutOrStdout(), "No files yet. Upload one: contactbridge hub file add customers.csv")
			})
		},
	}
}

func (f *fileFlags) replace() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "replace NAME FILE", Short: "Show what another content changes, and with --yes replace the file", Args: takes("NAME", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			content, err := opened(cmd, args[1])
			if err != nil {
				return err
			}
			defer content.Close()
			return f.in(cmd, false, func(ctx context.Context, h *hub.Hub, account string) error {
				r, err := h.ReplaceFile(ctx, account, args[0], content)
				if err != nil {
					return err
				}
				if f.json {
					if err := printJSON(cmd.OutOrStdout(), api.ViewReplacement(r)); err != nil {
						return err
					}
				} else {
					printChanges(cmd.OutOrStdout(), r)
				}
				if !yes {
					if err := h.DiscardFile(ctx, account, r.ID); err != nil {
						return err
					}
					return misuse("nothing was replaced yet", "Say --yes to replace the file.")
				}
				if _, err := h.ApplyFile(ctx, account, r.ID); err != nil {
					return err
				}
				if !f.json {
					fmt.Fprintf(cmd.OutOrStdout(), "%s is replaced; the integrations that read it run\n", r.Name)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

func printChanges(out io.Writer, r hub.Replacement) {
	if len(r.Changes) == 0 {
		fmt.Fprintln(out, "no integration reads the file: nothing changes")
	}
	for _, c := range r.Changes {
		if c.Problem != nil {
			fmt.Fprintf(out, "%s: %s\n  %s\n", c.Integration, c.Problem.Message, c.Problem.Hint)
			continue
		}
		fmt.Fprintf(out, "%s: %d added, %d changed, %d removed, %d unchanged\n", c.Integration, c.Added, c.Changed, c.Removed, c.Unchanged)
		if c.Held {
			fmt.Fprintln(out, "  so many deletions would wait for a decision")
		}
		for _, s := range c.Samples {
			fmt.Fprintf(out, "  %-8s %s\n", s.What, cmp.Or(described(s.After), described(s.Before)))
		}
	}
}

// described names a contact in a line.
func described(c *contact.Contact) string {
	if c == nil {
		return ""
	}
	return strings.Join(append([]string{c.ID, c.Name}, c.Phones...), "  ")
}

func (f *fileFlags) remove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Delete a file that no integration reads", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.in(cmd, false, func(ctx context.Context, h *hub.Hub, account string) error {
				if !yes {
					return misuse("this would delete "+args[0], "Say --yes if that is what you want.")
				}
				if err := h.RemoveFile(ctx, account, args[0]); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is deleted\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}
