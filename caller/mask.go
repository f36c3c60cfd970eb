package caller

import "strings"

// masked digits are the last ones of a number; what is left tells its country and area.
const maskedDigits = 4

// Mask returns a number as a look-up that is kept writes it: without its last four digits. A text without digits becomes "…": it may be
// a name.
func Mask(number string) string {
	b := []byte(number)
	left := maskedDigits
	for i := len(b) - 1; i >= 0 && left > 0; i-- {
		if '0' <= b[i] && b[i] <= '9' {
			b[i] = 'x'
			left--
		}
	}
	if left == maskedDigits && strings.Trim(number, "x+… ") != "" {
		return "…"
	}
	return string(b)
}

// Mask takes names, links and the last digits of numbers out of an answer and its explanation. It changes copies: what else has the
// answer keeps all.
func (a *Answer) Mask() {
	a.Number, a.E164, a.Extension = Mask(a.Number), Mask(a.E164), Mask(a.Extension)
	if a.Named != nil {
		named := Named{Integration: a.Named.Integration, ID: a.Named.ID, By: a.Named.By}
		a.Named = &named
	}
	a.Matches = append([]Match{}, a.Matches...)
	for i := range a.Matches {
		a.Matches[i].mask()
	}
	if a.Explanation == nil {
		return
	}
	e := *a.Explanation
	e.Forms, e.Candidates = append([]Form(nil), e.Forms...), append([]Candidate(nil), e.Candidates...)
	for i := range e.Forms {
		e.Forms[i].Number = maskEach(e.Forms[i].Number)
	}
	for i := range e.Candidates {
		e.Candidates[i].mask()
	}
	a.Explanation = &e
}

// maskEach masks several numbers in one text.
func maskEach(numbers string) string {
	list := strings.Split(numbers, ", ")
	for i := range list {
		list[i] = Mask(list[i])
	}
	return strings.Join(list, ", ")
}

func (m *Match) mask() {
	m.Number, m.E164, m.Extension, m.Email = Mask(m.Number), Mask(m.E164), Mask(m.Extension), ""
	m.Name, m.Title, m.Company, m.URL = "", "", "", ""
}
