package main

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/phone"
)

// compareFlags say what a list of calls is compared with.
type compareFlags struct {
	column  string
	region  string
	policy  []string
	changes int
}

func (f *lookupFlags) addFile(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "answer all calls of a CSV `file` (- is standard input), and sum up the rules")
	flags.StringVar(&f.compare.column, "column", "", "the file's column with the caller's number, by `name` or place; default: the first with numbers")
	flags.StringVar(&f.compare.region, "compare-region", "", "what would change with another `country`")
	flags.StringSliceVar(&f.compare.policy, "compare-policy", nil, "what would change with other `criteria`, such as newest,company")
	flags.IntVar(&f.compare.changes, "changes", 20, "changed calls to show")
}

// A replay is what became of a list of calls.
type replay struct {
	Calls    int                   `json:"calls"`
	Named    int                   `json:"named"`
	Reasons  map[caller.Reason]int `json:"reasons"`
	By       map[caller.By]int     `json:"by"`
	Lists    map[caller.Role]int   `json:"lists,omitempty"`
	Compared *comparison           `json:"compared,omitempty"`
}

// A comparison is what would become of the same calls otherwise.
type comparison struct {
	Region  string                `json:"region,omitempty"`
	Policy  []caller.Criterion    `json:"policy,omitempty"`
	Named   int                   `json:"named"`
	Reasons map[caller.Reason]int `json:"reasons"`
	Changed int                   `json:"changed"` // calls with another name or reason
	Changes []change              `json:"changes,omitempty"`
}

// A change is a number for which the answers differ.
type change struct {
	Number string `json:"number"`
	Calls  int    `json:"calls"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// replay answers all calls of a file.
func (f *lookupFlags) replay(cmd *cobra.Command, store directory.Store, rules caller.Rules) error {
	if f.compare.region != "" && !phone.KnownRegion(strings.ToUpper(f.compare.region)) {
		return misuse(fmt.Sprintf("--compare-region: unknown region %q", f.compare.region), country.Hint(f.compare.region))
	}
	otherRules, otherRegion := rules, cmp.Or(strings.ToUpper(f.compare.region), f.region)
	if len(f.compare.policy) > 0 {
		policy, err := caller.ParsePolicy(f.compare.policy)
		if err != nil {
			return misuseOf("--compare-policy", err)
		}
		otherRules.Policy = policy
	}
	numbers, order, err := f.calls(cmd.InOrStdin())
	if err != nil {
		return err
	}
	r := replay{Reasons: map[caller.Reason]int{}, By: map[caller.By]int{}, Lists: map[caller.Role]int{}}
	if f.compare.region != "" || len(f.compare.policy) > 0 {
		r.Compared = &comparison{Region: strings.ToUpper(f.compare.region), Policy: otherRules.Policy, Reasons: map[caller.Reason]int{}}
	}
	for _, number := range order {
		ask := func(region string, rules caller.Rules) (caller.Answer, error) {
			a, err := caller.Lookup(cmd.Context(), store, f.account, number, region, caller.LookupOptions{Rules: rules})
			if err != nil {
				err = fmt.Errorf("look the number up: %w", err)
			}
			return a, err
		}
		answer, err := ask(f.region, rules)
		if err != nil {
			return err
		}
		r.add(&answer, numbers[number])
		if r.Compared == nil {
			continue
		}
		other, err := ask(otherRegion, otherRules)
		if err != nil {
			return err
		}
		r.Compared.add(number, &answer, &other, numbers[number])
	}
	if r.Compared != nil {
		slices.SortStableFunc(r.Compared.Changes, func(a, b change) int { return b.Calls - a.Calls })
		r.Compared.Changes = r.Compared.Changes[:min(len(r.Compared.Changes), max(f.compare.changes, 0))]
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), r)
	}
	return r.print(cmd.OutOrStdout())
}

func (r *replay) add(a *caller.Answer, calls int) {
	r.Calls += calls
	r.Reasons[a.Reason] += calls
	if a.Named != nil {
		r.Named += calls
		r.By[a.Named.By] += calls
	}
	if a.List != "" {
		r.Lists[a.List] += calls
	}
}

func (c *comparison) add(number string, before, after *caller.Answer, calls int) {
	c.Reasons[after.Reason] += calls
	if after.Named != nil {
		c.Named += calls
	}
	was, is := shownAs(before), shownAs(after)
	if was == is {
		return
	}
	c.Changed += calls
	c.Changes = append(c.Changes, change{Number: number, Calls: calls, Before: was, After: is})
}

// shownAs is who an answer shows, and why, in a few words.
func shownAs(a *caller.Answer) string {
	if a.Named == nil {
		return "nobody (" + string(a.Reason) + ")"
	}
	return oneLine(a.Named.Name) + " (" + string(a.Reason) + ")"
}

// calls reads the numbers of the file: how often each was asked for, and in which order they come.
func (f *lookupFlags) calls(stdin io.Reader) (numbers map[string]int, order []string, err error) {
	in := stdin
	if f.file != "-" {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, nil, misuse("--file: "+err.Error(), "Name a CSV file with one call a line.")
		}
		defer file.Close()
		in = file
	}
	buffered := bufio.NewReader(in)
	reader := csv.NewReader(buffered)
	reader.FieldsPerRecord, reader.LazyQuotes, reader.ReuseRecord = -1, true, true
	if start, _ := buffered.Peek(4096); strings.Count(firstLine(start), ";") > strings.Count(firstLine(start), ",") {
		reader.Comma = ';'
	}
	column, numbers := -1, map[string]int{}
	for line := 1; ; line++ {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, misuse(fmt.Sprintf("--file: line %d cannot be read: %v", line, err), "Write one call a line, as CSV with commas or semicolons.")
		}
		if column < 0 {
			var header bool
			if column, header, err = f.compare.place(row); err != nil {
				return nil, nil, err
			}
			if header {
				continue
			}
		}
		if column >= len(row) {
			continue
		}
		number := strings.Clone(strings.TrimSpace(row[column]))
		if numbers[number] == 0 {
			order = append(order, number)
		}
		numbers[number]++
	}
	if len(order) == 0 {
		return nil, nil, misuse("--file: there are no calls in "+f.file, "Write one call a line, as CSV with commas or semicolons.")
	}
	return numbers, order, nil
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// columnNames are names of columns with callers' numbers, in small letters.
var columnNames = []string{"number", "caller", "caller_id", "callerid", "from", "src", "source", "calling", "phone", "caller number"}

// place finds the column with the numbers in the first row, and whether that row is a header.
func (c *compareFlags) place(row []string) (column int, header bool, err error) {
	row = slices.Clone(row)
	row[0] = strings.TrimPrefix(row[0], "\ufeff")
	named := func(names ...string) int {
		return slices.IndexFunc(row, func(cell string) bool { return slices.Contains(names, strings.ToLower(strings.TrimSpace(cell))) })
	}
	numbered := slices.IndexFunc(row, func(cell string) bool { return len(phone.Parse(cell, "").Digits) >= 3 })
	if c.column != "" {
		if at := named(strings.ToLower(c.column)); at >= 0 {
			return at, true, nil
		}
		n, err := strconv.Atoi(c.column)
		if err != nil || n < 1 || n > len(row) {
			return 0, false, misuse(fmt.Sprintf("--column: the file has no column %q", c.column), "Its first line is: "+strings.Join(row, ", "))
		}
		return n - 1, numbered < 0, nil
	}
	if at := named(columnNames...); at >= 0 {
		return at, true, nil
	}
	if numbered < 0 {
		return 0, false, misuse("--file: it is not clear which column holds the numbers", "Name it with --column. The first line is: "+strings.Join(row, ", "))
	}
	return numbered, false, nil
}

// print sums up the calls for people.
func (r *replay) print(w io.Writer) error {
	style := progress.NewStyle(w)
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s named\n", count(r.Calls, "call"), share(r.Named, r.Calls))
	for _, reason := range byCount(r.Reasons) {
		fmt.Fprintf(&out, "  %-12s %7d  %s\n", reason, r.Reasons[reason], style.Dim(percent(r.Reasons[reason], r.Calls)))
	}
	for _, by := range byCount(r.By) {
		if by != caller.ByOnly && by != caller.ByRange {
			fmt.Fprintf(&out, "  decided by %s: %d\n", by, r.By[by])
		}
	}
	for _, list := range byCount(r.Lists) {
		fmt.Fprintf(&out, "  on a list to %s: %d\n", list, r.Lists[list])
	}
	if c := r.Compared; c != nil {
		c.print(&out, style, r)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (c *comparison) print(out *strings.Builder, style progress.Style, r *replay) {
	var with []string
	if c.Region != "" {
		with = append(with, "region "+c.Region)
	}
	if len(c.Policy) > 0 {
		words := make([]string, len(c.Policy))
		for i, criterion := range c.Policy {
			words[i] = string(criterion)
		}
		with = append(with, "policy "+strings.Join(words, ","))
	}
	fmt.Fprintf(out, "\nwith %s: %s named, %s would change\n", strings.Join(with, " and "), share(c.Named, r.Calls), count(c.Changed, "call"))
	all := maps.Clone(r.Reasons)
	for reason := range c.Reasons {
		all[reason] += 0
	}
	for _, reason := range byCount(all) {
		if was, is := r.Reasons[reason], c.Reasons[reason]; was != is {
			fmt.Fprintf(out, "  %-12s %7d  %s\n", reason, is, style.Dim(fmt.Sprintf("(%+d)", is-was)))
		}
	}
	for _, ch := range c.Changes {
		fmt.Fprintf(out, "  %s  %s -> %s", ch.Number, ch.Before, ch.After)
		if ch.Calls > 1 {
			fmt.Fprintf(out, "  %s", style.Dim(count(ch.Calls, "call")))
		}
		out.WriteString("\n")
	}
}

// byCount lists the keys, the most frequent first.
func byCount[K ~string](counts map[K]int) []K {
	keys := slices.Collect(maps.Keys(counts))
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	return keys
}

func share(n, of int) string { return fmt.Sprintf("%d (%s)", n, percent(n, of)) }

func percent(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(of, 1))) }
