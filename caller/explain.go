package caller

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/phone"
)

// An Explanation says how an answer came about: how the number was read, in which forms it was looked for, which contacts were
// found by which rule, and what decided. Applying its policy to its candidates gives the same answer.
type Explanation struct {
	Account    string      `json:"account,omitempty"`    // that was asked
	Region     string      `json:"region,omitempty"`     // by which the number was read
	Read       string      `json:"read"`                 // how it was read, a sentence
	Forms      []Form      `json:"forms,omitempty"`      // in which it was looked for, in their order
	Asked      []Asked     `json:"asked,omitempty"`      // sources that were asked, since no contact has the number
	Candidates []Candidate `json:"candidates,omitempty"` // the best first; at most a hundred
	Policy     []Criterion `json:"policy"`               // of the account
	Why        string      `json:"why"`                  // who was named and why, or why nobody was: sentences
	Ages       []Age       `json:"ages,omitempty"`       // of the integrations that the candidates come from
}

// A Form is a spelling of the number that was looked for.
type Form struct {
	As     How    `json:"as"`
	Number string `json:"number"` // digits; with + a full number, with … in front an ending, with x a range
	Found  int    `json:"found"`
	By     string `json:"by,omitempty"` // of a renumbering: which; of a range: configured or derived
}

// A Candidate is a match with what the policy looks at.
type Candidate struct {
	Match
	Rule     string    `json:"rule"`               // that found it, a phrase
	Priority int       `json:"priority,omitempty"` // of its integration; 0: none
	Role     Role      `json:"role"`               // of its integration
	Changed  time.Time `json:"changed,omitzero"`   // when a run last changed the contact; absent: not known
	Chosen   bool      `json:"chosen,omitempty"`   // it names the call
	Not      string    `json:"not,omitempty"`      // why it does not, a phrase
}

// An Age says how old what an integration's contacts say may be.
type Age struct {
	Integration string    `json:"integration"`
	Fresh       time.Time `json:"fresh,omitzero"` // everything that was committed before is in the directory; absent: no run was complete
}

// mostCandidates bounds an explanation.
const mostCandidates = 100

// A trace notes what a search does, for its explanation. A nil one notes nothing.
type trace struct {
	list  []Form
	asked []Asked
	at    int   // place of the match that names the call; -1: none
	best  []int // places of those that agree best
}

func (t *trace) form(number string, as How, found int, by string) {
	if t != nil {
		t.list = append(t.list, Form{As: as, Number: number, Found: found, By: by})
	}
}

// forms notes several spellings that were looked for by one question.
func (t *trace) forms(numbers []string, as How, found int) {
	if t != nil {
		t.form(strings.Join(numbers, ", "), as, found, "")
	}
}

// sources notes what came of asking sources.
func (t *trace) sources(asked []Asked) {
	if t != nil {
		t.asked = asked
	}
}

func (t *trace) chosen(at int, best []int) {
	if t != nil {
		t.at, t.best = at, slices.Clone(best)
	}
}

// explain says how an answer came about, before its matches are cut at the limit.
func explain(a *Answer, region string, opts *LookupOptions) *Explanation {
	e := &Explanation{Region: region, Forms: opts.trace.list, Asked: opts.trace.asked, Policy: opts.Rules.policy()}
	e.Read = read(a, region, opts)
	e.candidates(a, opts)
	e.Why = why(a, opts)
	return e
}

// read says how the number was read.
func read(a *Answer, region string, opts *LookupOptions) string {
	where := "without a country: the account has no region"
	if region != "" {
		where = "as one that was dialled in " + region
	}
	if opts.UnknownRegion != "" {
		where += ", since there is no region " + strconv.Quote(opts.UnknownRegion)
	}
	switch {
	case a.Withheld, a.Note != "":
		return "It was not looked for."
	case a.E164 == "":
		return "It was read " + where + ". It is not a full number: it was looked for by its digits."
	}
	text := "It was read " + where + ". It is a full number"
	if a.Region != "" && a.Region != "001" {
		text += " of " + a.Region
	}
	if a.Extension != "" {
		text += ", with an extension"
	}
	return text + "."
}

func (e *Explanation) candidates(a *Answer, opts *LookupOptions) {
	rules := &opts.Rules
	// The match that names the call was moved to the front.
	best := map[int]bool{}
	for _, i := range opts.trace.best {
		switch at := opts.trace.at; {
		case i == at:
			i = 0
		case i < at:
			i++
		}
		best[i] = true
	}
	for i := range a.Matches[:min(len(a.Matches), mostCandidates)] {
		m := &a.Matches[i]
		c := Candidate{Match: *m, Rule: m.rule(), Role: rules.role(m), Changed: m.changed, Priority: rules.Integrations[m.Integration].Priority}
		switch {
		case a.Named != nil && opts.trace.at >= 0 && i == 0:
			c.Chosen = true
		case !m.How.names():
			c.Not = "equal endings name nobody"
		case !best[i] && c.Role != Contacts:
			c.Not = "a list names a call only where no contact does"
		case !best[i]:
			c.Not = "another agrees better"
		default:
			c.Not = notChosen(a)
		}
		e.Candidates = append(e.Candidates, c)
		e.age(m.Integration, rules)
	}
}

func (e *Explanation) age(integration string, rules *Rules) {
	if integration == "" || slices.ContainsFunc(e.Ages, func(a Age) bool { return a.Integration == integration }) {
		return
	}
	e.Ages = append(e.Ages, Age{Integration: integration, Fresh: rules.Integrations[integration].Fresh})
}

// notChosen says why a contact that agrees as well as any does not name the call.
func notChosen(a *Answer) string {
	if a.Named == nil {
		return "nothing decides between those that agree as well"
	}
	switch a.Named.By {
	case ByCompany:
		return "its company names the call"
	case ByPriority:
		return "another's integration has priority"
	case ByNewest:
		return "another changed later, or has priority"
	}
	return "another record with the same name is shown"
}

// rule says what found a match.
func (m *Match) rule() string {
	switch m.How {
	case Exact:
		return "the same number"
	case National:
		return "the same number, read in its country"
	case Renumbered:
		return "the same number, renumbered (" + m.by.String() + ")"
	case Range:
		if m.contacts > 0 {
			return fmt.Sprintf("a number among those of %d contacts of the company", m.contacts)
		}
		return "a number of a range that is configured"
	}
	return fmt.Sprintf("the last %d digits agree", m.Agree)
}

// why says who was named and why, or why nobody was.
func why(a *Answer, opts *LookupOptions) string {
	if a.Named == nil {
		return whyNobody(a, opts)
	}
	text := ""
	switch a.Named.By {
	case ByOnly:
		text += "One contact agrees best. "
	case BySameName:
		text += "All contacts that agree best have this name. "
	case ByPriority:
		text += "Its integration has priority. "
	case ByCompany:
		text += "The contacts that agree best share this company, and nothing else says which of them calls. "
	case ByNewest:
		text += "Of the contacts that agree best, it changed last. "
	case ByRange:
		text += "No contact has the number, and the company has the range. "
	}
	m := &a.Matches[0]
	if m.Live {
		text += "The directory has no such contact yet: its source was asked. "
	}
	return text + "Rule " + string(m.How) + ": " + m.rule() + "."
}

func whyNobody(a *Answer, opts *LookupOptions) string {
	switch a.Reason {
	case WithheldOne, Placeholder:
		return a.Note
	case Ambiguous:
		return fmt.Sprintf("%d contacts agree equally well, and the policy (%s) does not decide between them.", len(opts.trace.best), joined(opts.Rules.policy()))
	case SuffixOnly:
		return "Only the last digits of contacts' numbers agree. That is not enough to name anyone."
	case WrongRegion:
		return whyWrongRegion(a, opts)
	case InvalidNumber:
		if a.Note != "" {
			return a.Note
		}
		return "It is not a number of that country, and no contact has these digits. If it is another country's, it lacks its country code."
	}
	return "No contact has this number."
}

func whyWrongRegion(a *Answer, opts *LookupOptions) string {
	for i := range a.Matches {
		if stored := a.Matches[i].E164; stored != "" {
			country := phone.Parse(stored, "").Region
			if phone.Parse(a.Number, country).E164 == stored {
				return fmt.Sprintf("Read as a number of %s it would be a contact's. Set the region where calls come in, or send numbers with their country code.", country)
			}
		}
	}
	if opts.UnknownRegion != "" {
		return fmt.Sprintf("No contact has this number. There is no region %q: write two letters, such as US.", opts.UnknownRegion)
	}
	return "It lacks its country code, and the account has no region to read it by. Set the account's region."
}

func joined(policy []Criterion) string {
	if len(policy) == 0 {
		return "none"
	}
	words := make([]string, len(policy))
	for i, c := range policy {
		words[i] = string(c)
	}
	return strings.Join(words, ", ")
}
