package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/progress"
)

// lookupFlags are the flags of contactbridge lookup.
type lookupFlags struct {
	directoryFlags

	rulesFlags

	limit   int
	all     bool
	json    bool
	explain bool
	numbers string
	file    string
	compare compareFlags
}

func newLookupCommand() *cobra.Command {
	var f lookupFlags
	cmd := &cobra.Command{
		Use:     "lookup NUMBER",
		GroupID: groupSync,
		Short:   "Say who is calling",
		Long: `Say whose number this is, however it is written, and which record of which external service is theirs.

The best matches come first: "exact" is the same number; "national" means that one of the two was written without its
country code; "renumbered", that its country has changed its numbers since; "range", that no contact has the number but a company
has those around it; "suffix", that only the last digits agree. An unknown number is a result too, not an error: exit status 0.

--explain says why: how the number was read, in which forms it was looked for, what was found, and what decided. --file answers a
whole list of calls, such as a month of them, sums up the rules, and compares with another region or policy. For a hub's
directory, -c hub.yaml takes the account's region, policy, ranges, priorities and roles from its configuration.`,
		Example: `  contactbridge lookup "(415) 555-0100" --region US --db contacts.db
  contactbridge lookup +44 20 7946 0018 --json
  contactbridge lookup 020 7946 0018 --explain --db data/directory.db --account acme -c hub.yaml
  contactbridge lookup --file calls.csv --region DE --compare-region AT`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.file != "" {
				return noNumber(args)
			}
			return numberArgs(cmd, args)
		},
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
	flags.BoolVar(&f.explain, "explain", false, "say how the number was read, what was found by which rule, and what decided")
	flags.StringVar(&f.numbers, "numbers", "", "how --json writes numbers: e164, national or as_asked")
	f.rulesFlags.add(cmd)
	f.addFile(cmd)
	return cmd
}

func noNumber(args []string) error {
	if len(args) > 0 {
		return misuse("--file and a NUMBER do not go together", "Leave one of them out.")
	}
	return nil
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
	spelling, err := caller.ParseSpelling(f.numbers)
	if err != nil {
		return misuse("--numbers: "+failure.Of(err).Message, failure.Of(err).Hint)
	}
	store, err := f.open(cmd.Context(), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	rules, err := f.rules(cmd.Context(), store, &f.directoryFlags)
	if err != nil {
		return err
	}
	if f.file != "" {
		return f.replay(cmd, store, rules)
	}
	limit := f.limit
	if f.integration != "" {
		limit = 1000 // the others' matches are taken out afterwards
	}
	answer, err := caller.Lookup(cmd.Context(), store, f.account, number, f.region, caller.LookupOptions{Limit: limit, All: f.all, Explain: f.explain, Rules: rules})
	if err != nil {
		return fmt.Errorf("look the number up: %w", err)
	}
	if answer.Explanation != nil {
		answer.Explanation.Account = f.account
	}
	f.narrow(&answer)
	if spelling != "" {
		answer.Spell(spelling)
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), answer)
	}
	if err := printAnswer(cmd.OutOrStdout(), answer, f.region); err != nil || len(answer.Matches) > 0 || answer.Withheld {
		return err
	}
	return f.sayUnknown(cmd, store)
}

// sayUnknown says that nobody is found because the account or the integration is not in the directory.
func (f *lookupFlags) sayUnknown(cmd *cobra.Command, store directory.Store) error {
	states, err := store.States(cmd.Context(), "")
	if err != nil {
		return fmt.Errorf("list the integrations: %w", err)
	}
	var accounts, integrations []string
	for _, s := range states {
		accounts = append(accounts, s.Key.Account)
		if s.Key.Account == f.account {
			integrations = append(integrations, s.Key.Integration)
		}
	}
	what, name, known := "account", f.account, slices.Compact(slices.Sorted(slices.Values(accounts)))
	if len(integrations) > 0 {
		what, name, known = "integration", f.integration, integrations
	}
	if name == "" || len(known) == 0 || slices.Contains(known, name) {
		return nil
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "  There is no %s %q in this directory. There are: %s.\n", what, name, oneLine(strings.Join(known[:min(len(known), 10)], ", ")))
	return err
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
	if answer.Explanation != nil {
		writeExplanation(&out, style, answer)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeExplanation says how the answer came about, in its own words.
func writeExplanation(out *strings.Builder, style progress.Style, answer caller.Answer) {
	e := answer.Explanation
	shown := "nobody"
	if answer.Named != nil {
		shown = oneLine(answer.Named.Name)
	}
	fmt.Fprintf(out, "\n  %s %s  %s\n    %s\n", style.Dim("shown as"), style.Bold(shown), style.Dim("("+string(answer.Reason)+")"), e.Why)
	if answer.List != "" {
		fmt.Fprintf(out, "    %s %s\n", style.Dim("list    "), answer.List)
	}
	fmt.Fprintf(out, "  %s %s\n", style.Dim("read    "), e.Read)
	for i, form := range e.Forms {
		label := "        "
		if i == 0 {
			label = "asked   "
		}
		how := string(form.As)
		if form.By != "" {
			how += ", " + form.By
		}
		fmt.Fprintf(out, "  %s %s  %s\n", style.Dim(label), form.Number, style.Dim(fmt.Sprintf("(%s): %d", how, form.Found)))
	}
	for _, c := range e.Candidates {
		outcome := "named"
		if !c.Chosen {
			outcome = c.Not
		}
		who := oneLine(c.Name)
		if c.Integration != "" {
			who += " of " + oneLine(c.Integration)
		}
		fmt.Fprintf(out, "  %s %s: %s; %s\n", style.Dim("found   "), who, c.Rule, outcome)
	}
	for _, age := range e.Ages {
		fresh := "no complete run is known"
		if !age.Fresh.IsZero() {
			fresh = "as of " + age.Fresh.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(out, "  %s %s: %s\n", style.Dim("age     "), oneLine(age.Integration), fresh)
	}
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
	if m.How == caller.Range {
		return // a company's, and no record
	}
	fmt.Fprintf(out, "    %s %s %s %s\n", style.Dim("record"), oneLine(m.ID), style.Dim("in"), oneLine(m.Integration))
	if m.URL != "" {
		fmt.Fprintf(out, "    %s    %s\n", style.Dim("url"), oneLine(m.URL))
	}
}
