package phone

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// A sampled is an example number of a region, and what it must be read as.
type sampled struct {
	region string
	kind   phonenumbers.PhoneNumberType
	number *phonenumbers.PhoneNumber
	want   string // E.164
}

func (s sampled) format(f phonenumbers.PhoneNumberFormat) string {
	return phonenumbers.Format(s.number, f)
}

func (s sampled) code() string { return fmt.Sprint(s.number.GetCountryCode()) }

// sample returns the library's example numbers of the usual types, region by region. Numbers that can be dialled only inside their
// country are part of it.
func sample() map[string][]sampled {
	list := map[string][]sampled{}
	for _, region := range sortedRegions() {
		for _, kind := range []phonenumbers.PhoneNumberType{
			phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE, phonenumbers.VOIP, phonenumbers.SHARED_COST,
		} {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil {
				continue
			}
			s := sampled{region: region, kind: kind, number: n, want: phonenumbers.Format(n, phonenumbers.E164)}
			same := func(other sampled) bool { return other.want == s.want }
			if len(s.want) <= 1+maxE164 && !slices.ContainsFunc(list[region], same) {
				list[region] = append(list[region], s)
			}
		}
	}
	return list
}

// A spelling is one of the ways to write a number that docs/who-is-calling.md names. It returns "" where a country does not
// know it.
type spelling struct {
	name  string
	write func(s sampled) string
	pairs bool // also two to a cell
}

func withDigits(zero rune) func(string) string {
	return func(text string) string {
		return strings.Map(func(c rune) rune {
			if '0' <= c && c <= '9' {
				return zero + c - '0'
			}
			return c
		}, text)
	}
}

// abroad returns the number as it is dialled with an international prefix.
func abroad(prefix string) func(s sampled) string {
	return func(s sampled) string {
		return prefix + " " + strings.TrimPrefix(s.format(phonenumbers.INTERNATIONAL), "+")
	}
}

// ownPrefix returns the region's international prefix where it has a single one.
func ownPrefix(s sampled) string {
	prefix := planOf(s.region).meta.GetInternationalPrefix()
	if !onlyDigits(prefix) {
		prefix = strings.ReplaceAll(planOf(s.region).meta.GetPreferredInternationalPrefix(), "~", "")
	}
	if prefix == "" {
		return ""
	}
	return abroad(prefix)(s)
}

func national(change func(string) string) func(s sampled) string {
	return func(s sampled) string { return change(s.format(phonenumbers.NATIONAL)) }
}

func international(change func(string) string) func(s sampled) string {
	return func(s sampled) string { return change(s.format(phonenumbers.INTERNATIONAL)) }
}

// zeroInBrackets is +49 (0)30 …, in countries where the zero is dialled at home and nothing else is changed.
func zeroInBrackets(s sampled) string {
	home := s.format(phonenumbers.NATIONAL)
	significant := phonenumbers.GetNationalSignificantNumber(s.number)
	if planOf(s.region).meta.GetNationalPrefix() != "0" || digitsOf(home) != "0"+significant {
		return ""
	}
	return "+" + s.code() + " (0)" + strings.TrimLeft(strings.TrimLeft(home, "("), "0")
}

func asIs(text string) string { return text }

func replaceAll(old, new string) func(string) string {
	return func(text string) string { return strings.ReplaceAll(text, old, new) }
}

var theSpellings = []spelling{
	{"E.164", func(s sampled) string { return s.want }, true},
	{"international, with spaces", international(asIs), true},
	{"international, with dots", international(replaceAll(" ", ".")), true},
	{"international, with no-break spaces", international(replaceAll(" ", "\u00a0")), false},
	{"national", national(asIs), true},
	{"national, digits only", national(digitsOf), true},
	{"national, with a slash", national(func(text string) string { return strings.Replace(text, " ", "/", 1) }), true},
	{"national, with dots", national(func(text string) string { return strings.NewReplacer(" ", ".", "-", ".").Replace(text) }), true},
	{"national, in Arabic digits", national(withDigits('٠')), false},
	{"international, in Persian digits", international(withDigits('۰')), false},
	{"international, full width", international(func(text string) string { return strings.ReplaceAll(withDigits('０')(text), "+", "＋") }), false},
	{"with a zero in brackets", zeroInBrackets, true},
	{"with the country's own prefix for calls abroad", ownPrefix, true},
	{"with 00 from a country where it is dialled", func(s sampled) string {
		if planOf(s.region).meta.GetInternationalPrefix() != "00" {
			return ""
		}
		return "00" + s.want[1:]
	}, true},
	{"with a tel address", func(s sampled) string { return s.format(phonenumbers.RFC3966) }, false},
	{"with a sip address", func(s sampled) string { return "<sip:" + s.want + "@pbx.example;user=phone>" }, false},
	{"with a sip address, + not encoded", func(s sampled) string { return "sip: " + s.want[1:] + "@pbx.example" }, false},
	{"number@host", func(s sampled) string { return s.want + "@192.0.2.1" }, false},
	{"bare international digits", func(s sampled) string { return s.want[1:] }, true},
	{"with an extension", international(func(text string) string { return text + " ext. 12" }), true},
	{"with a label", national(func(text string) string { return "Tel.: " + text }), true},
	{"with a remark", international(func(text string) string { return text + " (work)" }), true},
	{"through a float", func(s sampled) string { return s.want[1:] + ".0" }, false},
	{"through numeric(20,2)", func(s sampled) string { return s.want[1:] + ".00" }, false},
	{"in scientific notation", func(s sampled) string {
		return s.want[1:2] + "." + s.want[2:] + fmt.Sprintf("E+%02d", len(s.want)-2)
	}, false},
}

var theSeparators = []string{
	";", "; ", "；", ",", ", ", "，", "、", "/", " / ", "|", " | ", `\`, ` \ `, "&", " & ", " + ", " - ", " – ", " • ", " · ", " ::: ", " or ",
	" oder ", "\n", "\r\n", "\r", "\v", "\f", "\u0085", "\u2028", "\u2029", "<br>", "<br />", "\t", "  ", "    ",
}

var theJSON = []string{
	`["%s","%s"]`, `[["%s"],["%s"]]`, `[{"type":"work","value":"%s"},{"type":"home","value":"%s"}]`, `[{"number":"%s"},{"number":"%s"}]`,
	`[{"label":"x","phone":"%s"},{"phone":"%s"}]`, `{"work":"%s","mobile":"%s"}`,
}

// A tally counts how often a spelling was read right.
type tally struct {
	asked, right, ambiguous, invented int
	examples                          []string // of what was read wrong
	listed                            []string // with two valid readings
}

// judge compares what was read with what was written. A number that was read and is not valid counts as not read.
func (c *tally) judge(text, region string, want ...string) {
	c.asked++
	var got []string
	for _, n := range ParseAll(text, region) {
		got = append(got, n.E164)
	}
	if slices.Equal(got, want) {
		c.right++
		return
	}
	if ambiguous(text, region, want) {
		c.ambiguous++
		c.listed = append(c.listed, fmt.Sprintf("%s %q: %q or %q", region, text, got, want))
		return
	}
	for _, e164 := range got {
		if e164 != "" && !slices.Contains(want, e164) {
			c.invented++
			break
		}
	}
	if len(c.examples) < 8 {
		c.examples = append(c.examples, fmt.Sprintf("%s %q: %q, want %q", region, text, got, want))
	}
}

// ambiguous reports whether another reading is valid too: digits without a + that are a number of the region as well, or two
// numbers that make one.
func ambiguous(text, region string, want []string) bool {
	whole := Parse(text, region)
	if len(want) == 1 {
		bare, _ := unsheet(text)
		return whole.Valid && onlyDigits(bare) && nationalReading(bare, region) && slices.ContainsFunc(Others(text, region), func(n Number) bool { return n.E164 == want[0] })
	}
	if whole.Valid && whole.Extension == "" {
		return true
	}
	for _, number := range want {
		if bare := number[1:]; strings.Contains(text, bare) && !strings.Contains(text, "+"+bare) && nationalReading(bare, region) {
			return true
		}
	}
	return false
}

// nationalReading reports whether the library reads digits as a valid number of the region that lacks its calling code.
func nationalReading(digits, region string) bool {
	o := byLibrary(digits, region)
	return o.valid && o.digits != digits
}

// TestEverySpelling reads the example numbers of all regions in every spelling of docs/who-is-calling.md, alone and two to a
// cell with every separator. With -v it prints what was read right; without, it takes one separator of each sort.
func TestEverySpelling(t *testing.T) {
	separators := theSeparators
	if !testing.Verbose() {
		separators = []string{";", ", ", " / ", "/", " - ", "\n", "  ", " ::: ", "<br>"}
	}
	numbers := sample()
	var all tally
	check := func(name string, c tally) {
		all.asked, all.right, all.ambiguous, all.invented = all.asked+c.asked, all.right+c.right, all.ambiguous+c.ambiguous, all.invented+c.invented
		share := float64(c.right+c.ambiguous) / float64(max(c.asked, 1))
		t.Logf("%-52s %7d read, %7.3f %% right, %4d with two valid readings, %d invented", name, c.asked, 100*share, c.ambiguous, c.invented)
		for _, both := range c.listed {
			t.Log("    two valid readings:", both)
		}
		if share < 0.995 || c.invented > 0 {
			t.Errorf("%s: %d of %d wrong, %d invented:\n%s", name, c.asked-c.right-c.ambiguous, c.asked, c.invented, strings.Join(c.examples, "\n"))
		}
	}
	for _, how := range theSpellings {
		var alone tally
		between := make([]tally, len(separators))
		for _, region := range sortedRegions() {
			list := numbers[region]
			for i, s := range list {
				text := how.write(s)
				if text == "" {
					continue
				}
				alone.judge(text, region, s.want)
				other := list[(i+1)%len(list)]
				next := how.write(other)
				if !how.pairs || next == "" || other.want == s.want {
					continue
				}
				for j, separator := range separators {
					between[j].judge(text+separator+next, region, s.want, other.want)
				}
			}
		}
		check(how.name, alone)
		for j, separator := range separators {
			if how.pairs {
				check(fmt.Sprintf("%s, two with %q", how.name, separator), between[j])
			}
		}
	}
	for _, form := range theJSON {
		var c tally
		for _, region := range sortedRegions() {
			list := numbers[region]
			for i, s := range list {
				if other := list[(i+1)%len(list)]; other.want != s.want {
					c.judge(fmt.Sprintf(form, s.format(phonenumbers.NATIONAL), other.format(phonenumbers.INTERNATIONAL)), region, s.want, other.want)
				}
			}
		}
		check("JSON "+form, c)
	}
	check("all", all)
}

// TestTwoAreaCodesInBracketsOfEveryRegion: two numbers with one space between are two, or one text; never digits from both.
func TestTwoAreaCodesInBracketsOfEveryRegion(t *testing.T) {
	write := func(s sampled) string {
		area, rest, ok := strings.Cut(groupsOf(s.format(phonenumbers.NATIONAL)), " ")
		if !ok || len(area) < 2 {
			return ""
		}
		return "(" + area + ") " + rest
	}
	var c tally
	numbers := sample()
	for _, region := range sortedRegions() {
		list := numbers[region]
		for i, s := range list {
			other := list[(i+1)%len(list)]
			if first, second := write(s), write(other); first != "" && second != "" && s.want != other.want {
				c.judge(first+" "+second, region, s.want, other.want)
			}
		}
	}
	if c.invented > 0 || float64(c.right) < 0.985*float64(c.asked) {
		t.Errorf("%d of %d right, %d with two valid readings, %d invented:\n%s", c.right, c.asked, c.ambiguous, c.invented, strings.Join(append(c.examples, c.listed...), "\n"))
	}
	t.Logf("%d of %d right, %d with two valid readings", c.right, c.asked, c.ambiguous)
}
