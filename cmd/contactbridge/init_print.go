package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// showProposal says what was chosen and why, and what was not.
func (r *setupRun) showProposal(seen *preview.Preview) {
	style, p := r.style(), &r.draft.Proposal
	fmt.Fprintln(r.out)
	if len(p.Settings) > 0 {
		fmt.Fprintln(r.out, style.Bold("What is proposed, and why"))
	}
	width := 0
	for _, s := range p.Settings {
		width = max(width, len(s.Key))
	}
	screen := terminalWidth(r.out)
	for _, s := range p.Settings {
		text, why := fmt.Sprintf("  %-*s  %s", width, s.Key, settingText(s.Value)), ""
		if s.Why != "" {
			why = "(" + oneLine(s.Why) + ")"
		}
		switch {
		case why == "":
		case len(text)+len(why)+2 <= screen:
			text += "  " + style.Dim(why)
		default:
			text += fmt.Sprintf("\n  %-*s  %s", width, "", style.Dim(why))
		}
		fmt.Fprintln(r.out, text)
	}
	if r.draft.Region != "" {
		fmt.Fprintf(r.out, "  %-*s  %s%s\n", width, "region", r.draft.Region, style.Dim("  ("+r.whyRegion()+")"))
	}
	r.showOthers()
	for _, problem := range p.Problems {
		if saysBetter(seen, problem) {
			continue
		}
		fmt.Fprintf(r.out, "\n%s\n", style.Warn(sentence(problem.Message)))
		if problem.Hint != "" {
			fmt.Fprintln(r.out, "    "+oneLine(problem.Hint))
		}
	}
	if r.unknownCountry() && (seen == nil || !slices.ContainsFunc(seen.Problems, func(has source.Problem) bool { return has.Hint == countryHint })) {
		fmt.Fprintf(r.out, "\n%s\n    %s\n", style.Warn("There are phone numbers without a country code, and nothing says which country they belong to."), countryHint)
	}
}

// whyRegion says what the country of phone numbers is for, and who says that it is this one.
func (r *setupRun) whyRegion() string {
	if r.draft.Region == r.draft.Proposal.Region && r.flags.region == "" && !r.asked {
		return "the country of all numbers with a country code: those without one are read as numbers of it"
	}
	return "of phone numbers without a country code"
}

// showOthers lists what else could hold contacts.
func (r *setupRun) showOthers() {
	const most = 8
	others := r.draft.Proposal.Others
	if len(others) == 0 {
		return
	}
	fmt.Fprintf(r.out, "\n%s\n", r.style().Bold(fmt.Sprintf("Other %ss that could hold contacts", r.inventory.Noun)))
	width := 0
	for _, o := range others[:min(most, len(others))] {
		width = max(width, len(o.Name))
	}
	for _, o := range others[:min(most, len(others))] {
		fmt.Fprintf(r.out, "  %-*s  %s\n", width, oneLine(o.Name), oneLine(o.Why))
	}
	if len(others) > most {
		fmt.Fprintf(r.out, "  and %d more\n", len(others)-most)
	}
	how := r.option(r.inventory.Key, "NAME")
	if r.in != nil {
		how = r.inventory.Key + "=NAME"
	}
	fmt.Fprintf(r.out, "  To take another one: %s\n", how)
}

// option is how a key is given on the command line: by its flag, or by --set where it has none, as keys with lists and the questions
// that depend on an answer.
func (r *setupRun) option(key, value string) string {
	flags, _, err := r.cmd.Root().Find([]string{"init", r.draft.Kind.Name})
	if err == nil && flags.Flags().Lookup(flagOf(key)) != nil {
		return "--" + flagOf(key) + " " + value
	}
	return "--set " + key + "=" + value
}

// settingText is a value as it is shown.
func settingText(value any) string {
	switch v := value.(type) {
	case []string:
		return oneLine(strings.Join(v, ", "))
	case []proposal.Setting:
		var parts []string
		for _, s := range v {
			parts = append(parts, s.Key+": "+settingText(s.Value))
		}
		return strings.Join(parts, ", ")
	}
	return oneLine(fmt.Sprint(value))
}

// sentence makes a sentence of a message.
func sentence(message string) string {
	message = oneLine(message)
	return strings.ToUpper(message[:1]) + message[1:] + "."
}

// showWrong says what is wrong with the configuration as it is now.
func (r *setupRun) showWrong(problems *strictyaml.Problems) {
	out := r.out
	if r.in == nil {
		out = r.cmd.ErrOrStderr()
	}
	fmt.Fprintln(out)
	for _, p := range problems.List {
		fmt.Fprintf(out, "%s\n", r.style().Bad(oneLine(p.Message)))
		if p.Hint != "" {
			fmt.Fprintf(out, "    %s\n", oneLine(p.Hint))
		}
	}
}

// showHelp says how things are changed.
func (r *setupRun) showHelp() {
	if key := r.inventory.Key; key != "" {
		fmt.Fprintf(r.out, "  %s=NAME        read another %s\n", key, r.inventory.Noun)
	}
	fmt.Fprintf(r.out, `  phones=a, b       the columns, or expressions, of a field: %s
  id=EXPRESSION     what identifies a contact; also updated, deleted and any other key of the source
  country=          nothing after = leaves the key out
  region=DE         the country of phone numbers without a country code
  q                 ends without writing
`, strings.Join(fieldNames, ", "))
}

// showNext says what is to be done with the configuration.
func (r *setupRun) showNext() {
	file := shellWord(r.flags.output)
	fmt.Fprintf(r.out, "\n%s is written. To start the bridge:\n\n", r.flags.output)
	for _, v := range r.draft.Secrets() {
		fmt.Fprintf(r.out, "  export %s=…    # %s\n", v.Name, v.For)
	}
	fmt.Fprintf(r.out, "  export %s=$(openssl rand -hex 24)    # callers must send it as token\n", r.draft.CallersToken())
	fmt.Fprintf(r.out, "  contactbridge serve -c %s\n", file)
}

// shellWord writes a text as one word of a shell.
func shellWord(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
