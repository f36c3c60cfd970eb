package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/internal/setup"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// An asker asks questions on a terminal.
type asker struct {
	in    io.Reader
	lines *bufio.Reader
	out   io.Writer
}

func newAsker(in io.Reader, out io.Writer) *asker {
	return &asker{in: in, lines: bufio.NewReader(in), out: out}
}

// errEnded is the error of a terminal that was closed while an answer was awaited.
var errEnded = errors.New("no answer: nothing was written")

// line asks for one line.
func (a *asker) line(prompt string) (string, error) {
	fmt.Fprint(a.out, prompt)
	text, err := a.lines.ReadString('\n')
	if err != nil && text == "" {
		fmt.Fprintln(a.out)
		return "", errEnded
	}
	return strings.TrimSpace(text), nil
}

// secret asks for a line that is not shown.
func (a *asker) secret(prompt string) (string, error) {
	file, ok := a.in.(*os.File)
	if !ok || a.lines.Buffered() > 0 { // pasted with other answers
		return a.line(prompt)
	}
	fmt.Fprint(a.out, prompt)
	text, err := term.ReadPassword(int(file.Fd()))
	fmt.Fprintln(a.out)
	if err != nil {
		return "", errEnded
	}
	return string(text), nil
}

// choose asks for one of several choices, by number or name.
func (a *asker) choose(prompt string, names, texts []string) (int, error) {
	for i, text := range texts {
		fmt.Fprintf(a.out, "  %2d  %s\n", i+1, text)
	}
	for {
		answer, err := a.line(prompt)
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(names) {
			return n - 1, nil
		}
		if i := slices.Index(names, answer); i >= 0 {
			return i, nil
		}
		near := strictyaml.Nearest(answer, names)
		if near != "" {
			near = fmt.Sprintf(" Did you mean %s?", near)
		}
		fmt.Fprintf(a.out, "Write a number from 1 to %d, or the name.%s\n", len(names), near)
	}
}

// answers collects the answers to the kind's questions: from flags, or by asking.
func (r *setupRun) answers() error {
	if r.draft.Kind.Name == "" {
		if err := r.askKind(); err != nil {
			return err
		}
	}
	answers := source.Answers{}
	var missing []string
	for n := 0; ; n++ {
		questions := r.draft.Kind.Setup.Questions(answers)
		if n >= len(questions) {
			break
		}
		q := questions[n]
		text, err := r.answer(q)
		if err != nil {
			return err
		}
		if text == "" && !q.Optional {
			missing = append(missing, strings.TrimRight(r.option(q.Key, ""), " ="))
		}
		answers[q.Key] = text
		r.draft.Answers = append(r.draft.Answers, setup.Answer{Question: q, Text: text})
	}
	if len(missing) > 0 {
		verb := " is missing"
		if len(missing) > 1 {
			verb = " are missing"
		}
		return misuse(strings.Join(missing, ", ")+verb, "For example: "+exampleOf(r.draft.Kind))
	}
	return nil
}

func (r *setupRun) askKind() error {
	var names, texts []string
	for _, k := range kinds.All() {
		if k.Setup != nil {
			names, texts = append(names, k.Name), append(texts, fmt.Sprintf("%-10s %s", k.Name, k.Summary))
		}
	}
	fmt.Fprintln(r.out, "Where are the contacts?")
	i, err := r.in.choose("Number or name: ", names, texts)
	if err != nil {
		return err
	}
	r.draft.Kind, _ = kinds.Named(names[i])
	return nil
}

// answer returns the answer to one question: from a flag, by asking, or the default.
func (r *setupRun) answer(q source.Question) (string, error) {
	if text, ok := r.given[q.Key]; ok {
		delete(r.given, q.Key)
		if len(q.Choices) > 0 && !slices.Contains(q.Choices, text) {
			return "", misuse(fmt.Sprintf("--%s cannot be %q", flagOf(q.Key), text), "Choose one of: "+strings.Join(q.Choices, ", ")+".")
		}
		return text, nil
	}
	if r.in == nil {
		return q.Default, nil
	}
	return r.ask(q)
}

// ask asks until the answer is good.
func (r *setupRun) ask(q source.Question) (string, error) {
	fmt.Fprintf(r.out, "\n%s\n", r.style().Bold(q.Title))
	if q.Help != "" {
		fmt.Fprintln(r.out, q.Help)
	}
	if len(q.Choices) > 0 {
		i, err := r.in.choose("Number or name: ", q.Choices, q.Choices)
		if err != nil {
			return "", err
		}
		return q.Choices[i], nil
	}
	if q.Example != "" {
		fmt.Fprintf(r.out, "For example: %s\n", q.Example)
	}
	prompt := q.Key + ": "
	switch {
	case q.Default != "":
		prompt = fmt.Sprintf("%s [%s]: ", q.Key, q.Default)
	case q.Optional:
		prompt = q.Key + " (Enter for none): "
	}
	for {
		read := r.in.line
		if q.Secret {
			read = r.in.secret
		}
		text, err := read(prompt)
		if err != nil {
			return "", err
		}
		if text == "" && (q.Default != "" || q.Optional) {
			return q.Default, nil
		}
		if text == "" {
			fmt.Fprintln(r.out, "An answer is needed.")
			continue
		}
		if _, _, err := setup.Resolve([]setup.Answer{{Question: q, Text: text}}, os.LookupEnv); err != nil {
			r.say(err)
			continue
		}
		return text, nil
	}
}

// say shows an error in the dialog.
func (r *setupRun) say(err error) {
	known := failure.Of(err)
	message := known.Message
	if message == "" {
		message = err.Error()
	}
	fmt.Fprintln(r.out, r.style().Warn(sentence(message)))
	if known.Hint != "" {
		fmt.Fprintf(r.out, "%s\n", oneLine(known.Hint))
	}
}

// askRegion asks for the country of numbers without one, where that matters.
func (r *setupRun) askRegion() error {
	if r.in == nil || r.draft.Region != "" || r.asked {
		return nil
	}
	r.asked = true
	fmt.Fprintf(r.out, "\n%s\n", r.style().Bold("Which country do phone numbers without a country code belong to?"))
	fmt.Fprintln(r.out, "Its code or name, such as US, DE or France. Enter leaves it open: such numbers are sent as they are written.")
	for {
		text, err := r.in.line("country: ")
		if err != nil || text == "" {
			return err
		}
		if r.draft.Region, err = regionOf(text); err == nil {
			return nil
		}
		r.say(err)
	}
}

// correct asks what to change. done says that the configuration is to be written.
func (r *setupRun) correct(good bool) (done bool, err error) {
	for {
		fmt.Fprintln(r.out)
		if good {
			fmt.Fprintf(r.out, "Enter writes %s. To change something first, write KEY=VALUE; ? shows how, q ends without writing.\n", r.flags.output)
		} else {
			fmt.Fprintln(r.out, "Write KEY=VALUE to correct it; ? shows how, q ends without writing.")
		}
		text, err := r.in.line("> ")
		if err != nil {
			return false, err
		}
		key, value, change := strings.Cut(text, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case text == "" && good:
			return true, nil
		case text == "q" || text == "quit":
			return false, errors.New("nothing was written, as you said")
		case !change || key == "":
			r.showHelp()
			continue
		}
		before := r.wish
		if err := r.change(key, value); err != nil {
			r.wish = before
			r.say(err)
			continue
		}
		return false, nil
	}
}

// fieldNames are those of a contact, without their custom fields.
var fieldNames = []string{"name", "title", "company", "emails", "phones", "websites", "photo_url", "address", "twitter", "url", "country"}

// change takes one correction.
func (r *setupRun) change(key, value string) error {
	switch {
	case key == "region" && value == "":
		r.draft.Region = ""
		return nil
	case key == "region":
		region, err := regionOf(value)
		if err == nil {
			r.draft.Region = region
		}
		return err
	case key == r.inventory.Key && value != "":
		r.wish = proposal.Wish{Things: r.inventory.Named(value)} // what was said of columns was said of another's
		return r.propose()
	case slices.Contains(fieldNames, key):
		values := []string{value}
		if isListField(key) && !r.isColumn(value) {
			values = splitList(value)
		}
		return r.wishFor(fieldSetting(key, values))
	case strings.HasPrefix(key, "fields."):
		return r.change(strings.TrimPrefix(key, "fields."), value)
	}
	return r.wishFor(proposal.Setting{Key: key, Value: value})
}

// isColumn reports whether a text is the whole name of a column of what is read, which may hold commas.
func (r *setupRun) isColumn(text string) bool {
	return slices.ContainsFunc(r.draft.Proposal.Things, func(t proposal.Thing) bool {
		return slices.ContainsFunc(t.Columns, func(c proposal.Column) bool { return c.Name == text })
	})
}

func (r *setupRun) wishFor(s proposal.Setting) error {
	r.wish.Settings = slices.DeleteFunc(slices.Clone(r.wish.Settings), func(has proposal.Setting) bool { return has.Key == s.Key })
	if s.Key != "id" || s.Value != "" { // an id there must be: without a word on it, what is proposed
		r.wish.Settings = append(r.wish.Settings, s)
	}
	return r.propose()
}

// splitList splits expressions at commas that are not within brackets or quotes.
func splitList(text string) []string {
	var list []string
	depth, start := 0, 0
	quote := rune(0)
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case strings.ContainsRune("'\"`", c):
			quote = c
		case strings.ContainsRune("([{", c):
			depth++
		case strings.ContainsRune(")]}", c):
			depth--
		case c == ',' && depth == 0:
			list = append(list, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	return append(list, strings.TrimSpace(text[start:]))
}

// showPreview shows the contacts as preview does.
func (r *setupRun) showPreview(p *preview.Preview) {
	style := r.style()
	fmt.Fprintln(r.out)
	_ = preview.Print(r.out, p, terminalWidth(r.out), preview.Style{Bold: style.Bold, Dim: style.Dim, Warn: style.Warn, Bad: style.Bad}) // as other output
}
