package phone

import (
	"slices"
	"strings"
)

// A Renumbering is a change of a country's numbers that left two spellings of one number in address books: the one before it and
// the one after.
type Renumbering struct {
	Region string // ISO 3166-1 alpha-2
	What   string // a phrase
	Date   string // ISO 8601; from when to when, where it took place in steps
	Source string // who published it, and in what

	code   string // country calling code
	pairs  []pair // national numbers
	inside bool   // the old spelling is dialled inside the country only, without the calling code
	both   bool   // both spellings are in the country's plan today, and can only be one subscriber's
}

// A pair is how national numbers were written and how they are written now: an x is any digit, [5-9] one of these, * all that
// follow. What x, [] and * stand for is the same in both, in the same order.
type pair struct{ old, now string }

// String names the renumbering for people.
func (r *Renumbering) String() string { return r.Region + ", " + r.Date + ": " + r.What }

// Renumberings returns the table of changes that [Respell] knows.
func Renumberings() []Renumbering { return append([]Renumbering(nil), renumberings...) }

// renumberings are the changes, each with what its regulator published. An old spelling that is somebody else's number today is not
// tried: see [Respell].
var renumberings = []Renumbering{
	{
		Region: "AR", code: "54", What: "mobile numbers are written with a 9 from abroad, with 15 inside the country", Date: "1999-01-24",
		Source: "Secretaría de Comunicaciones, Plan Fundamental de Numeración Nacional (Resolución 46/97)",
		both:   true, pairs: []pair{{"xxxxxxxxxx", "9xxxxxxxxxx"}},
	},
	{
		Region: "BJ", code: "229", What: "all numbers got 01 in front", Date: "2024-11-30",
		Source: "ARCEP Bénin, plan national de numérotation à dix chiffres",
		pairs:  []pair{{"[2-9]xxxxxxx", "01[2-9]xxxxxxx"}},
	},
	{
		Region: "BR", code: "55", What: "mobile numbers got a ninth digit", Date: "2012-07-29/2016-11-06",
		Source: "Anatel, Resolução nº 553/2010",
		pairs:  []pair{{"xx[6-9]xxxxxxx", "xx9[6-9]xxxxxxx"}},
	},
	{
		Region: "CI", code: "225", What: "numbers got two digits of their network in front", Date: "2021-01-31",
		Source: "ARTCI, plan national de numérotation à dix chiffres",
		pairs: []pair{
			{"[04-9][0-3]xxxxxx", "01[04-9][0-3]xxxxxx"},
			{"[04-9][4-6]xxxxxx", "05[04-9][4-6]xxxxxx"},
			{"[04-9][7-9]xxxxxx", "07[04-9][7-9]xxxxxx"},
			{"[23]x8xxxxx", "21[23]x8xxxxx"},
			{"[23]x0xxxxx", "25[23]x0xxxxx"},
			{"[23]x[1-79]xxxxx", "27[23]x[1-79]xxxxx"},
		},
	},
	{
		Region: "CO", code: "57", What: "fixed lines got 60 in front of their area code", Date: "2021-09-01",
		Source: "Comisión de Regulación de Comunicaciones, Resolución 5826 de 2019",
		pairs:  []pair{{"[124-8]xxxxxxx", "60[124-8]xxxxxxx"}},
	},
	{
		Region: "IT", code: "39", What: "the 0 of fixed lines belongs to the number, also from abroad", Date: "1998-06-19/1998-12-18",
		Source: "Ministero delle Comunicazioni, piano di numerazione nazionale (1998)",
		pairs:  []pair{{"[1-9]*", "0[1-9]*"}},
	},
	{
		Region: "IT", code: "39", What: "the 0 of mobile numbers was dropped", Date: "2001-07-01",
		Source: "AGCOM, delibera 6/00/CIR (Gazzetta Ufficiale, 21 July 2000)",
		pairs:  []pair{{"03*", "3*"}},
	},
	{
		Region: "MX", code: "52", What: "the 1 of mobile numbers was dropped from abroad, 044 and 045 inside the country", Date: "2019-08-03",
		Source: "Instituto Federal de Telecomunicaciones, Plan Técnico Fundamental de Numeración",
		pairs:  []pair{{"1xxxxxxxxxx", "xxxxxxxxxx"}}, // Parse reads the old spelling as the new number already
	},
	{
		Region: "UA", code: "380", What: "the prefix 8 of long-distance calls became 0", Date: "2009-10-14",
		Source: "Ministry of Transport and Communications, order 1200 of 2008-09-29",
		inside: true, pairs: []pair{{"80[3-9]xxxxxxxx", "[3-9]xxxxxxxx"}},
	},
	{
		Region: "VN", code: "84", What: "mobile numbers of eleven digits got ten", Date: "2018-09-15",
		Source: "Ministry of Information and Communications, decision 798/QD-BTTTT of 2018",
		pairs: []pair{
			{"162xxxxxxx", "32xxxxxxx"},
			{"163xxxxxxx", "33xxxxxxx"},
			{"164xxxxxxx", "34xxxxxxx"},
			{"165xxxxxxx", "35xxxxxxx"},
			{"166xxxxxxx", "36xxxxxxx"},
			{"167xxxxxxx", "37xxxxxxx"},
			{"168xxxxxxx", "38xxxxxxx"},
			{"169xxxxxxx", "39xxxxxxx"},
			{"120xxxxxxx", "70xxxxxxx"},
			{"121xxxxxxx", "79xxxxxxx"},
			{"122xxxxxxx", "77xxxxxxx"},
			{"126xxxxxxx", "76xxxxxxx"},
			{"128xxxxxxx", "78xxxxxxx"},
			{"123xxxxxxx", "83xxxxxxx"},
			{"124xxxxxxx", "84xxxxxxx"},
			{"125xxxxxxx", "85xxxxxxx"},
			{"127xxxxxxx", "81xxxxxxx"},
			{"129xxxxxxx", "82xxxxxxx"},
			{"186xxxxxxx", "56xxxxxxx"},
			{"188xxxxxxx", "58xxxxxxx"},
			{"199xxxxxxx", "59xxxxxxx"},
		},
	},
	{
		Region: "VN", code: "84", What: "area codes of fixed lines begin with 2", Date: "2017-02-11/2017-06-17",
		Source: "Ministry of Information and Communications, circular 22/2014/TT-BTTTT and decision 2036/QD-BTTTT of 2016",
		pairs: []pair{
			{"4xxxxxxxx", "24xxxxxxxx"},
			{"8xxxxxxxx", "28xxxxxxxx"},
			{"22xxxxxxx", "212xxxxxxx"},
			{"231xxxxxxx", "213xxxxxxx"},
			{"20xxxxxxx", "214xxxxxxx"},
			{"230xxxxxxx", "215xxxxxxx"},
			{"29xxxxxxx", "216xxxxxxx"},
			{"52xxxxxxx", "232xxxxxxx"},
			{"53xxxxxxx", "233xxxxxxx"},
			{"54xxxxxxx", "234xxxxxxx"},
			{"510xxxxxxx", "235xxxxxxx"},
			{"511xxxxxxx", "236xxxxxxx"},
			{"37xxxxxxx", "237xxxxxxx"},
			{"38xxxxxxx", "238xxxxxxx"},
			{"39xxxxxxx", "239xxxxxxx"},
			{"33xxxxxxx", "203xxxxxxx"},
			{"240xxxxxxx", "204xxxxxxx"},
			{"25xxxxxxx", "205xxxxxxx"},
			{"26xxxxxxx", "206xxxxxxx"},
			{"27xxxxxxx", "207xxxxxxx"},
			{"280xxxxxxx", "208xxxxxxx"},
			{"281xxxxxxx", "209xxxxxxx"},
			{"320xxxxxxx", "220xxxxxxx"},
			{"321xxxxxxx", "221xxxxxxx"},
			{"241xxxxxxx", "222xxxxxxx"},
			{"31xxxxxxx", "225xxxxxxx"},
			{"351xxxxxxx", "226xxxxxxx"},
			{"36xxxxxxx", "227xxxxxxx"},
			{"350xxxxxxx", "228xxxxxxx"},
			{"30xxxxxxx", "229xxxxxxx"},
			{"780xxxxxxx", "290xxxxxxx"},
			{"781xxxxxxx", "291xxxxxxx"},
			{"710xxxxxxx", "292xxxxxxx"},
			{"711xxxxxxx", "293xxxxxxx"},
			{"74xxxxxxx", "294xxxxxxx"},
			{"76xxxxxxx", "296xxxxxxx"},
			{"77xxxxxxx", "297xxxxxxx"},
			{"79xxxxxxx", "299xxxxxxx"},
			{"61xxxxxxx", "251xxxxxxx"},
			{"62xxxxxxx", "252xxxxxxx"},
			{"63xxxxxxx", "263xxxxxxx"},
			{"64xxxxxxx", "254xxxxxxx"},
			{"55xxxxxxx", "255xxxxxxx"},
			{"56xxxxxxx", "256xxxxxxx"},
			{"57xxxxxxx", "257xxxxxxx"},
			{"58xxxxxxx", "258xxxxxxx"},
			{"68xxxxxxx", "259xxxxxxx"},
			{"60xxxxxxx", "260xxxxxxx"},
			{"501xxxxxxx", "261xxxxxxx"},
			{"500xxxxxxx", "262xxxxxxx"},
			{"59xxxxxxx", "269xxxxxxx"},
			{"70xxxxxxx", "270xxxxxxx"},
			{"651xxxxxxx", "271xxxxxxx"},
			{"72xxxxxxx", "272xxxxxxx"},
			{"73xxxxxxx", "273xxxxxxx"},
			{"650xxxxxxx", "274xxxxxxx"},
			{"75xxxxxxx", "275xxxxxxx"},
			{"66xxxxxxx", "276xxxxxxx"},
			{"67xxxxxxx", "277xxxxxxx"},
		},
	},
}

// A Respelling is another spelling of a number, from before or after a renumbering.
type Respelling struct {
	Digits string // as [Number.Digits]
	Full   bool   // it is a full number of today's plan; otherwise of one that is past
	By     *Renumbering
}

// Respell returns the other spellings of a number that a renumbering has made. Region is where the number was written, as in
// [Parse]; in it, numbers without their calling code are known too. An old spelling that is a valid number today is left out, unless the country
// gave it to no other subscriber.
func Respell(n Number, region string) []Respelling {
	var list []Respelling
	for i := range renumberings {
		r := &renumberings[i]
		if strings.HasPrefix(n.Digits, r.code) {
			list = r.respell(list, n.Digits[len(r.code):], n.Valid, region)
		}
		if !n.Valid && (region == r.Region || r.inside && region == "") {
			list = r.respellWithoutCode(list, n.Digits)
		}
	}
	return list
}

// isOld reports whether a number that is not valid is one from before a renumbering.
func isOld(n Number) bool {
	return slices.ContainsFunc(Respell(n, ""), func(r Respelling) bool { return r.Full })
}

// respell adds the other spellings of a national number; valid says that it is one of today's plan.
func (r *Renumbering) respell(list []Respelling, national string, valid bool, region string) []Respelling {
	for _, p := range r.pairs {
		if valid {
			if old, ok := rewrite(national, p.now, p.old); ok {
				list = r.addOld(list, old, region)
			}
		}
		if r.inside || valid && !r.both {
			continue
		}
		if now, ok := rewrite(national, p.old, p.now); ok {
			list = r.addNow(list, now)
		}
	}
	return list
}

// respellWithoutCode adds today's spelling of digits without calling code that only the old plan knows.
func (r *Renumbering) respellWithoutCode(list []Respelling, digits string) []Respelling {
	for _, p := range r.pairs {
		if now, ok := rewrite(digits, p.old, p.now); ok {
			list = r.addNow(list, now)
		}
	}
	return list
}

func (r *Renumbering) addNow(list []Respelling, national string) []Respelling {
	digits := r.code + national
	if !Parse("+"+digits, "").Valid {
		return list
	}
	return append(list, Respelling{Digits: digits, Full: true, By: r})
}

func (r *Renumbering) addOld(list []Respelling, national, region string) []Respelling {
	if r.inside {
		return append(list, Respelling{Digits: national, By: r})
	}
	digits := r.code + national
	full := Parse("+"+digits, "").Valid
	switch {
	case !full:
		list = append(list, Respelling{Digits: digits, By: r})
	case r.both:
		return append(list, Respelling{Digits: digits, Full: true, By: r})
	default:
		return list
	}
	if region == r.Region && Parse(national, region).Digits == national { // as it is kept where it was written without its calling code
		list = append(list, Respelling{Digits: national, By: r})
	}
	return list
}

// rewrite returns digits as another pattern writes them; ok is false where they do not fit the first one.
func rewrite(digits, from, to string) (_ string, ok bool) {
	var space [maxE164]byte
	kept := space[:0]
	rest := digits
	for from != "" {
		token := next(from)
		from = from[len(token):]
		if token == "*" {
			kept, rest = append(kept, rest...), ""
			break
		}
		if rest == "" || !fits(token, rest[0]) {
			return "", false
		}
		if isDigit(token[0]) {
			rest = rest[1:]
			continue
		}
		kept, rest = append(kept, rest[0]), rest[1:]
	}
	if rest != "" {
		return "", false
	}
	out := make([]byte, 0, maxE164)
	for to != "" {
		token := next(to)
		to = to[len(token):]
		switch {
		case token == "*":
			out, kept = append(out, kept...), nil
		case isDigit(token[0]):
			out = append(out, token[0])
		default:
			out, kept = append(out, kept[0]), kept[1:]
		}
	}
	return string(out), true
}

// next returns the first token of a pattern: a digit, x, * or [5-9].
func next(pattern string) string {
	if pattern[0] == '[' {
		return pattern[:strings.IndexByte(pattern, ']')+1]
	}
	return pattern[:1]
}

// fits reports whether a digit is one that a token stands for.
func fits(token string, digit byte) bool {
	if token[0] != '[' {
		return token == "x" || token[0] == digit
	}
	class := token[1 : len(token)-1]
	for i := 0; i < len(class); i++ {
		low, high := class[i], class[i]
		if i+2 < len(class) && class[i+1] == '-' {
			high = class[i+2]
			i += 2
		}
		if low <= digit && digit <= high {
			return true
		}
	}
	return false
}
