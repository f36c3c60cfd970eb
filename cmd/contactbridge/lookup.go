package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/internal/progress"
)

// lookupFlags are the flags of contactbridge lookup.
type lookupFlags struct {
	directoryFlags

	limit int
	all   bool
	json  bool
}

func newLookupCommand() *cobra.Command {
	var f lookupFlags
	cmd := &cobra.Command{
		Use:     "lookup NUMBER",
		GroupID: groupSync,
		Short:   "Say who is calling",
		Long: `Say whose number this is, however it is written, and which record of which external service is theirs.

The best matches come first: "exact" is the same number; "national" means that one of the two was written without its
country code; "suffix" means that only the last digits agree. An unknown number is a result too, not an error: exit status 0.`,
		Example: `  contactbridge lookup "(415) 555-0100" --region US --db contacts.db
  contactbridge lookup +44 20 7946 0018 --json`,
		Args:              numberArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, strings.Join(args, " "))
		},
	}
	f.directoryFlags.add(cmd, "look among the contacts of this integration only (`name`)",
		"`country` where the number was dialled or written, as in US or GB")
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 10, "matches to show")
	flags.BoolVar(&f.all, "all", false, "show weaker matches even where there are exact ones")
	flags.BoolVar(&f.json, "json", false, "print the answer as one JSON object")
	return cmd
}

// numberArgs takes a number as one argument, or unquoted as several.
func numberArgs(_ *cobra.Command, args []string) error {
	if strings.TrimSpace(strings.Join(args, "")) == "" {
		return misuse("NUMBER is missing", "")
	}
	return nil
}

func (f *lookupFlags) run(cmd *cobra.Command, number string) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	if f.limit <= 0 {
		return misuse("--limit must be more than 0", "")
	}
	store, err := f.open(cmd.Context(), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	limit := f.limit
	if f.integration != "" {
		limit = 1000 // the others' matches are taken out afterwards
	}
	answer, err := caller.Lookup(cmd.Context(), store, f.account, number, f.region, caller.LookupOptions{Limit: limit, All: f.all})
	if err != nil {
		return fmt.Errorf("look the number up: %w", err)
	}
	f.narrow(&answer)
	if f.json {
		return printJSON(cmd.OutOrStdout(), answer)
	}
	return printAnswer(cmd.OutOrStdout(), answer, f.region)
}

// narrow keeps the matches of one integration, where one is asked for.
func (f *lookupFlags) narrow(answer *caller.Answer) {
	if f.integration == "" {
		return
	}
	answer.Matches = slices.DeleteFunc(answer.Matches, func(m caller.Match) bool { return m.Integration != f.integration })
	if more := len(answer.Matches) - f.limit; more > 0 {
		answer.Matches = answer.Matches[:f.limit]
		answer.More = more
	}
}

// printAnswer says for people who a number belongs to.
func printAnswer(w io.Writer, answer caller.Answer, region string) error {
	var out strings.Builder
	style := progress.NewStyle(w)
	asked := answer.Number
	if answer.E164 != "" && answer.E164 != asked {
		asked += style.Dim("  " + answer.E164)
	}
	switch n := len(answer.Matches) + answer.More; {
	case answer.Withheld:
		fmt.Fprintf(&out, "%s: the caller does not show a number\n", answer.Number)
	case n == 0:
		fmt.Fprintf(&out, "%s\n  No contact has this number.\n", asked)
		if answer.E164 == "" && region == "" {
			fmt.Fprintf(&out, "  It is written without a country code: say where with --region.\n")
		}
	case n == 1:
		fmt.Fprintf(&out, "%s\n", asked)
	default:
		fmt.Fprintf(&out, "%s  %s\n", asked, style.Warn(fmt.Sprintf("%d candidates", n)))
	}
	for _, m := range answer.Matches {
		writeMatch(&out, style, m)
	}
	if answer.More > 0 {
		fmt.Fprintf(&out, "\n  and %d more: raise --limit\n", answer.More)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeMatch writes one contact: who, how it was found, and which record it is where it comes from.
func writeMatch(out *strings.Builder, style progress.Style, m caller.Match) {
	who := style.Bold(oneLine(m.Name))
	for _, more := range []string{m.Title, m.Company} {
		if more != "" && more != m.Name {
			who += ", " + oneLine(more)
		}
	}
	fmt.Fprintf(out, "\n  %s\n", who)
	number := oneLine(m.Number)
	if m.Extension != "" {
		number += " ext. " + oneLine(m.Extension)
	}
	how := string(m.How)
	if m.How == caller.Suffix {
		how = fmt.Sprintf("the last %d digits agree", m.Agree)
	}
	fmt.Fprintf(out, "    %s %s  %s\n", style.Dim("number"), number, style.Dim("("+how+")"))
	fmt.Fprintf(out, "    %s %s %s %s\n", style.Dim("record"), oneLine(m.ID), style.Dim("in"), oneLine(m.Integration))
	if m.URL != "" {
		fmt.Fprintf(out, "    %s    %s\n", style.Dim("url"), oneLine(m.URL))
	}
}
