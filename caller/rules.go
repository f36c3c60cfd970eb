package caller

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/phone"
)

// Rules say how an account names its callers. The zero value is what an account has that says nothing.
type Rules struct {
	Policy       []Criterion            // what decides between several contacts of one number, in this order; nil: [DefaultPolicy]
	Ranges       []NumberRange          // numbers that belong to a company, besides those that are derived
	NoDerive     bool                   // derive no ranges from contacts
	Integrations map[string]Integration // what is special about some of them, by name
	Region       string                 // where contacts' numbers are written; empty: where the question's is
}

// An Integration is what a look-up has to know of where contacts come from. The zero value suits one that nothing is known of.
type Integration struct {
	Priority int       // 1 goes before 2; 0: after all that have one
	Role     Role      // empty: [Contacts]
	Fresh    time.Time // everything that was committed before is in the directory; zero: not known
}

// A Role says what an integration's contacts are.
type Role string

// The roles.
const (
	Contacts Role = "contacts" // people and companies
	Block    Role = "block"    // numbers to block: they name a caller only where no contact does
	Allow    Role = "allow"    // numbers that are never blocked, whatever lists to block say
)

// ParseRole reads a role; an empty text is [Contacts].
func ParseRole(text string) (Role, error) {
	switch r := Role(text); r {
	case "":
		return Contacts, nil
	case Contacts, Block, Allow:
		return r, nil
	}
	return "", &failure.Error{Code: failure.Invalid, Field: "role", Message: fmt.Sprintf("unknown role %q", text), Hint: "Write contacts, block or allow."}
}

// A Criterion decides between several contacts of one number.
type Criterion string

// The criteria.
const (
	Priority Criterion = "priority" // those of the integration with the least priority remain
	Company  Criterion = "company"  // where all share one company, its name is the caller's
	Newest   Criterion = "newest"   // those that changed last remain
)

// DefaultPolicy is the policy of accounts that have no other.
var DefaultPolicy = []Criterion{Priority, Company, Newest}

// ParsePolicy reads a policy: criteria, each at most once.
func ParsePolicy(words []string) ([]Criterion, error) {
	var policy []Criterion
	for _, word := range words {
		c := Criterion(strings.TrimSpace(word))
		switch {
		case !slices.Contains(DefaultPolicy, c):
			return nil, &failure.Error{Code: failure.Invalid, Field: "policy", Message: fmt.Sprintf("unknown criterion %q", word), Hint: "Choose from: priority, company, newest."}
		case slices.Contains(policy, c):
			return nil, &failure.Error{Code: failure.Invalid, Field: "policy", Message: fmt.Sprintf("%s stands in the policy twice", c), Hint: "Write each criterion once."}
		}
		policy = append(policy, c)
	}
	return policy, nil
}

// A NumberRange is a block of numbers of one company.
type NumberRange struct {
	Digits  string // that all of them begin with, without +
	Rest    int    // digits that follow
	Company string
}

// String writes a range as [ParseRange] reads it.
func (r NumberRange) String() string { return r.pattern() + ": " + r.Company }

func (r NumberRange) pattern() string { return "+" + r.Digits + strings.Repeat("x", r.Rest) }

func (r NumberRange) contains(digits string) bool {
	return len(digits) == len(r.Digits)+r.Rest && strings.HasPrefix(digits, r.Digits)
}

// MostRanges is how many ranges an account may configure: every call looks through them.
const MostRanges = 1000

// The lengths that a range may have.
const (
	leastRange = 4 // digits before the x
	mostRest   = 6 // x: a million numbers
)

// ParseRange reads a range: "+4420794600xx: Example Ltd".
func ParseRange(text string) (NumberRange, error) {
	number, company, found := strings.Cut(text, ":")
	number, company = strings.TrimSpace(number), strings.TrimSpace(company)
	digits, plus := strings.CutPrefix(strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(number), "+")
	begin := strings.TrimRight(digits, "xX")
	r := NumberRange{Digits: begin, Rest: len(digits) - len(begin), Company: company}
	switch {
	case !found || company == "":
		return r, rangeError(text, "it names no company")
	case !plus || begin == "" || strings.Trim(begin, "0123456789") != "":
		return r, rangeError(text, "it does not begin with + and digits")
	case len(begin) < leastRange || r.Rest < 1 || r.Rest > mostRest || len(digits) > 15:
		return r, rangeError(text, fmt.Sprintf("it needs %d digits or more, then one to %d x, 15 in all at most", leastRange, mostRest))
	}
	return r, nil
}

func rangeError(text, why string) error {
	return &failure.Error{
		Code: failure.Invalid, Field: "ranges", Message: fmt.Sprintf("%q is not a range of numbers: %s", text, why),
		Hint: "Write the country code, an x for each digit that may be any, and the company: \"+4420794600xx: Example Ltd\".",
	}
}

func (r *Rules) policy() []Criterion {
	if r.Policy == nil {
		return DefaultPolicy
	}
	return r.Policy
}

// role returns the role of a match.
func (r *Rules) role(m *Match) Role {
	if role := r.Integrations[m.Integration].Role; role != "" {
		return role
	}
	return Contacts
}

// unranked is the priority of integrations that have none.
const unranked = 1 << 30

func (r *Rules) priority(m *Match) int {
	if p := r.Integrations[m.Integration].Priority; p > 0 {
		return p
	}
	return unranked
}

// Named is who a call is shown as.
type Named struct {
	Name        string `json:"name"`
	Company     string `json:"company,omitempty"`
	Integration string `json:"integration,omitempty"` // where the contact comes from; empty where only a company is named
	ID          string `json:"id,omitempty"`          // of the contact in the external service
	URL         string `json:"url,omitempty"`
	By          By     `json:"by"` // what decided
}

// By says what decided who is named.
type By string

// What decides.
const (
	ByOnly     By = "only"      // one contact agrees best
	BySameName By = "same_name" // all that agree best have this name
	ByPriority By = "priority"
	ByCompany  By = "company"
	ByNewest   By = "newest"
	ByRange    By = "range" // no contact has the number, but the company has the range that it lies in
)

// choose names the caller out of ranked matches: best is the group that agrees best, of contacts if there are any, otherwise of
// lists; at is the place of the contact that is named, -1 where that is a company or nobody. A list is looked at only where no contact names
// the caller.
func (r *Rules) choose(matches []Match) (named *Named, at int, best []int) {
	for _, contacts := range []bool{true, false} {
		best = best[:0]
		for i := range matches {
			m := &matches[i]
			if !m.How.names() || (r.role(m) == Contacts) != contacts {
				continue
			}
			if len(best) > 0 && compareCloseness(matches[best[0]], *m) != 0 {
				break
			}
			best = append(best, i)
		}
		if len(best) > 0 {
			named, at = r.decide(matches, best)
			return named, at, best
		}
	}
	return nil, -1, nil
}

// decide applies the policy to matches that agree equally well.
func (r *Rules) decide(matches []Match, best []int) (*Named, int) {
	if len(best) == 1 {
		return named(&matches[best[0]], ByOnly), best[0]
	}
	if sameNames(matches, best) {
		at := r.record(matches, best)
		return named(&matches[at], BySameName), at
	}
	remain := best
	for _, c := range r.policy() {
		var by By
		switch c {
		case Priority:
			remain, by = least(remain, func(i int) int { return r.priority(&matches[i]) }), ByPriority
		case Company:
			if company := sharedCompany(matches, remain); company != "" {
				return &Named{Name: company, Company: company, By: ByCompany}, -1
			}
			continue
		case Newest:
			remain, by = newest(matches, remain), ByNewest
		}
		if len(remain) == 1 || sameNames(matches, remain) {
			at := r.record(matches, remain)
			return named(&matches[at], by), at
		}
	}
	return nil, -1
}

// record returns the place of the record that is shown of those with one name: by priority, then the newest, then the first.
func (r *Rules) record(matches []Match, of []int) int {
	return newest(matches, least(of, func(i int) int { return r.priority(&matches[i]) }))[0]
}

func named(m *Match, by By) *Named {
	if m.How == Range {
		by = ByRange
	}
	return &Named{Name: m.Name, Company: m.Company, Integration: m.Integration, ID: m.ID, URL: m.URL, By: by}
}

// least returns the places with the least value.
func least[T cmp.Ordered](places []int, value func(int) T) []int {
	var kept []int
	for _, i := range places {
		switch {
		case len(kept) == 0 || value(i) < value(kept[0]):
			kept = append(kept[:0], i)
		case value(i) == value(kept[0]):
			kept = append(kept, i)
		}
	}
	return kept
}

// newest returns the places of those that changed last.
func newest(matches []Match, places []int) []int {
	return least(places, func(i int) int64 { return -matches[i].changed.UnixMilli() })
}

func sameNames(matches []Match, places []int) bool {
	return sharedBy(places, func(i int) string { return matches[i].Name })
}

// sharedCompany returns the company of all, as the first one writes it; empty where they share none.
func sharedCompany(matches []Match, places []int) string {
	if sharedBy(places, func(i int) string { return matches[i].Company }) {
		return matches[places[0]].Company
	}
	return ""
}

// sharedBy reports whether all have the same words in a text, in any case.
func sharedBy(places []int, text func(int) string) bool {
	first := folded(text(places[0]))
	return first != "" && !slices.ContainsFunc(places[1:], func(i int) bool { return text(i) != text(places[0]) && folded(text(i)) != first })
}

func folded(text string) string {
	if words := directory.Fold(text); len(words) > 0 {
		return strings.Join(words, " ")
	}
	return strings.TrimSpace(text)
}

// list returns the list that a number stands on: an allow list if there is one, otherwise a block list. Only a contact with
// the number counts, not one with a number that is merely alike.
func (r *Rules) list(matches []Match) (list Role) {
	for i := range matches {
		if !matches[i].How.names() || matches[i].How == Range {
			continue
		}
		switch r.role(&matches[i]) {
		case Allow:
			return Allow
		case Block:
			list = Block
		}
	}
	return list
}

// configured returns the range that a number lies in, the narrowest.
func (r *Rules) configured(n *phone.Number) *NumberRange {
	var found *NumberRange
	for i := range r.Ranges {
		if r.Ranges[i].contains(n.Digits) && (found == nil || r.Ranges[i].Rest < found.Rest) {
			found = &r.Ranges[i]
		}
	}
	return found
}
