package phone

import (
	"regexp/syntax"
	"strconv"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// A plan is one country's numbering plan: the library's metadata, and automata of its expressions, built when the first
// number needs them. It never changes after that.
type plan struct {
	region string // ISO 3166-1 alpha-2, or "001" for a code that belongs to no country
	code   *callingCode
	meta   *phonenumbers.PhoneMetadata

	once          sync.Once
	broken        bool       // an expression could not be built: the library has to be asked
	international *automaton // finds the international prefix; nil if the region has no such prefix
	trunk         *automaton // finds the national prefix; nil if the region has no such prefix
	rewritten     int        // a national prefix of so many digits may have to be rewritten, not only cut off
	general       *automaton // 1: a number of the plan, roughly
	lengths       lengthSet
	local         lengthSet // lengths of what can be dialled only nearby

	onceMobile sync.Once
	mobile     *automaton // 1: a number that can only be a mobile's; nil if it could not be built

	onceExit sync.Once
	exit     string // what is dialled before the calling code of another country
}

// A callingCode is a country calling code and the plans that share it.
type callingCode struct {
	digits string
	plans  []*plan // the main one first

	once   sync.Once
	broken bool
	valid  *automaton // 1 + index of the plan that a valid number belongs to
}

// A lengthSet has bit n set where n digits are possible.
type lengthSet uint32

func (s lengthSet) has(n int) bool { return s>>uint(n)&1 != 0 }

func newLengthSet(lengths []int32) lengthSet {
	var s lengthSet
	for _, n := range lengths {
		if n > 0 {
			s |= 1 << uint(n)
		}
	}
	return s
}

// Limits of numbers. The longest national number is the library's: longer than E.164 has room for.
const (
	maxCode     = 3
	minNational = 2
	maxNational = phonenumbers.MAX_LENGTH_FOR_NSN
	maxE164     = 15
)

// tables find a plan by region and a calling code by its digits.
type tables struct {
	regions [26 * 26]*plan
	codes   [1000]*callingCode
}

// plans are the world's numbering plans. They are loaded with the first number and never change.
var plans = sync.OnceValue(loadPlans)

func loadPlans() *tables {
	t := new(tables)
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		return t // cannot be: the library has read it before
	}
	byRegion := map[string]*plan{}
	for _, meta := range collection.GetMetadata() {
		p := &plan{region: meta.GetId(), meta: meta}
		code := int(meta.GetCountryCode())
		if p.region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
			t.code(code).plans = []*plan{p}
			p.code = t.code(code)
			continue
		}
		byRegion[p.region] = p
		t.regions[regionIndex(p.region)] = p
	}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		for _, region := range phonenumbers.GetRegionCodesForCountryCode(code) {
			if p := byRegion[region]; p != nil {
				p.code = t.code(code)
				p.code.plans = append(p.code.plans, p)
			}
		}
	}
	return t
}

func (t *tables) code(code int) *callingCode {
	if t.codes[code] == nil {
		t.codes[code] = &callingCode{digits: strconv.Itoa(code)}
	}
	return t.codes[code]
}

// regionIndex returns the region's place in the table, or -1 if it is not two letters.
func regionIndex(region string) int {
	if len(region) != 2 {
		return -1
	}
	a, b := int(region[0]|0x20)-'a', int(region[1]|0x20)-'a'
	if a < 0 || a > 25 || b < 0 || b > 25 {
		return -1
	}
	return a*26 + b
}

// planOf returns the region's plan, or nil for an unknown region. Case does not matter.
func planOf(region string) *plan {
	i := regionIndex(region)
	if i < 0 {
		return nil
	}
	return plans().regions[i]
}

// codeAt returns the calling code that digits start with, or nil.
func codeAt(digits []byte) *callingCode {
	t, code := plans(), 0
	for i := 0; i < maxCode && i < len(digits); i++ {
		code = code*10 + int(digits[i]-'0')
		if code == 0 {
			return nil
		}
		if c := t.codes[code]; c != nil {
			return c
		}
	}
	return nil
}

// ready builds what reading a number of the plan takes, once, and reports whether it could.
func (p *plan) ready() bool {
	p.once.Do(func() {
		general := p.meta.GetGeneralDesc()
		p.lengths = newLengthSet(general.GetPossibleLength())
		p.local = newLengthSet(general.GetPossibleLengthLocalOnly())
		p.general = p.build(general.GetNationalNumberPattern(), false)
		if prefix := p.meta.GetInternationalPrefix(); prefix != "" {
			p.international = p.build(prefix, true)
		}
		if prefix := p.meta.GetNationalPrefixForParsing(); prefix != "" {
			p.trunk = p.build(prefix, true)
			p.rewritten = rewriteFrom(prefix, p.meta.GetNationalPrefixTransformRule())
		}
	})
	return !p.broken
}

// build builds the automaton of one expression.
func (p *plan) build(expression string, prefix bool) *automaton {
	b, err := newSubset(expression)
	if err == nil {
		b.first = prefix
		b.label = func(here, atEnd []int, _ int) uint8 {
			return uint8(len(here)*matchHere | len(atEnd)*matchAtEnd)
		}
		var a *automaton
		if a, err = b.build(); err == nil {
			return a
		}
	}
	p.broken = true
	return nil
}

// rewriteFrom returns how many digits a national prefix has at least if the rule that rewrites it applies: when the last group
// of its expression is part of it.
func rewriteFrom(expression, rule string) int {
	const never = 1 << 16
	if rule == "" {
		return never
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return 0
	}
	return shortest(lastGroup(parsed))
}

// lastGroup returns the last capturing group of an expression, or nil.
func lastGroup(re *syntax.Regexp) *syntax.Regexp {
	var last *syntax.Regexp
	if re.Op == syntax.OpCapture {
		last = re
	}
	for _, sub := range re.Sub {
		if group := lastGroup(sub); group != nil && (last == nil || group.Cap > last.Cap) {
			last = group
		}
	}
	return last
}

// shortest returns the least number of digits that an expression matches; never more than that, where in doubt less.
func shortest(re *syntax.Regexp) int {
	if re == nil {
		return 0
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortest(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * shortest(re.Sub[0])
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			sum += shortest(sub)
		}
		return sum
	case syntax.OpAlternate:
		least := shortest(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			least = min(least, shortest(sub))
		}
		return least
	}
	return 0
}

// ready builds the automaton that tells valid numbers, once, and reports whether it could.
func (c *callingCode) ready() bool {
	c.once.Do(func() {
		v := validity{code: c}
		for _, p := range c.plans {
			v.add(p)
		}
		var err error
		if c.valid, err = v.build(); err != nil {
			c.broken = true
		}
	})
	return !c.broken
}

// validity collects the expressions that decide whether a number is valid and which of the plans that share its calling
// code it belongs to.
type validity struct {
	code        *callingCode
	expressions []string
	rules       []rule
}

// A rule says what it means that an expression matches.
type rule struct {
	plan    int
	kind    ruleKind
	lengths lengthSet // that it applies to; 0: all
}

type ruleKind int

const (
	leads   ruleKind = iota // the number is the plan's
	general                 // it may be one of the plan
	typed                   // it is a number of some type: mobile, toll free, …
	mobile                  // it is a mobile's number
)

func (v *validity) add(p *plan) {
	i := v.plan(p)
	if lead := p.meta.GetLeadingDigits(); lead != "" && len(v.code.plans) > 1 {
		v.rule(`(?:`+lead+`)\d*`, rule{i, leads, 0})
	}
	v.desc(p.meta.GetGeneralDesc(), i, general)
	v.others(p, i)
	v.desc(p.meta.GetMobile(), i, typed)
}

// others adds every type of number but mobiles.
func (v *validity) others(p *plan, i int) {
	for _, desc := range []*phonenumbers.PhoneNumberDesc{
		p.meta.GetPremiumRate(), p.meta.GetTollFree(), p.meta.GetSharedCost(), p.meta.GetVoip(), p.meta.GetPersonalNumber(),
		p.meta.GetPager(), p.meta.GetUan(), p.meta.GetVoicemail(), p.meta.GetFixedLine(),
	} {
		v.desc(desc, i, typed)
	}
}

// mobiles returns the automaton that tells mobiles' numbers; nil if it could not be built.
func (p *plan) mobiles() *automaton {
	p.onceMobile.Do(func() {
		v := validity{code: p.code}
		v.others(p, 0)
		v.desc(p.meta.GetMobile(), 0, mobile)
		b, err := newSubset(v.expressions...)
		if err != nil {
			return
		}
		b.maxDepth = maxNational
		b.label = func(_, matched []int, depth int) uint8 {
			is := uint8(0)
			for _, m := range matched {
				switch r := v.rules[m]; {
				case r.lengths != 0 && !r.lengths.has(depth):
				case r.kind != mobile:
					return 0
				default:
					is = 1
				}
			}
			return is
		}
		if built, err := b.build(); err == nil {
			p.mobile = built
		}
	})
	return p.mobile
}

func (v *validity) plan(p *plan) int {
	for i, other := range v.code.plans {
		if other == p {
			return i
		}
	}
	return -1
}

// desc adds one type of number. A type that the plan does not have has a length of -1.
func (v *validity) desc(desc *phonenumbers.PhoneNumberDesc, plan int, kind ruleKind) {
	lengths := desc.GetPossibleLength()
	if desc == nil || len(lengths) == 1 && lengths[0] < 0 {
		return
	}
	v.rule(desc.GetNationalNumberPattern(), rule{plan, kind, newLengthSet(lengths)})
}

func (v *validity) rule(expression string, r rule) {
	v.expressions = append(v.expressions, expression)
	v.rules = append(v.rules, r)
}

func (v *validity) build() (*automaton, error) {
	b, err := newSubset(v.expressions...)
	if err != nil {
		return nil, err
	}
	b.maxDepth = maxNational
	b.label = func(_, matched []int, depth int) uint8 { return v.owner(matched, depth) }
	return b.build()
}

// owner returns 1 + the index of the plan that a number belongs to if the rules in matched match it, 0 if it is not valid. The
// first plan takes it that leads to it, or, where a plan has no leading digits, that has a type for it.
func (v *validity) owner(matched []int, depth int) uint8 {
	for i, p := range v.code.plans {
		var leadsHere, generalHere, typedHere bool
		for _, m := range matched {
			r := v.rules[m]
			if r.plan != i || r.lengths != 0 && !r.lengths.has(depth) {
				continue
			}
			leadsHere = leadsHere || r.kind == leads
			generalHere = generalHere || r.kind == general
			typedHere = typedHere || r.kind == typed
		}
		valid := generalHere && typedHere
		hasLead := p.meta.GetLeadingDigits() != "" && len(v.code.plans) > 1
		if hasLead && leadsHere && !valid {
			return 0
		}
		if valid && (leadsHere || !hasLead) {
			return uint8(i + 1)
		}
	}
	return 0
}

// Regions lists the regions that have a numbering plan, as ISO 3166-1 alpha-2 codes in ascending order.
func Regions() []string {
	var list []string
	for _, p := range plans().regions {
		if p != nil {
			list = append(list, p.region)
		}
	}
	return list
}
