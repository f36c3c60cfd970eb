// Package phone turns a number as people write it into E.164 and into the digits that lookups compare. It does no I/O and
// keeps nothing but tables.
package phone

import "github.com/nyaruka/phonenumbers"

// A Number is a phone number as somebody wrote it, and what it means.
type Number struct {
	Raw       string // as written
	E164      string // with +; empty unless Valid
	Digits    string // what lookups compare: E.164 without +, or what digits there are when it is no full number
	Extension string // digits; empty where there is none
	Valid     bool   // a full number that some country's numbering plan has room for
	Region    string // ISO 3166-1 alpha-2 of the country it belongs to, "001" where to none; empty unless Valid
}

// Parse reads a number. Region is the ISO 3166-1 alpha-2 code of the country where it was written; where that is empty or
// unknown only international spellings are understood. What is no number comes back with Valid false.
func Parse(raw, region string) Number {
	n := Number{Raw: raw}
	p, err := phonenumbers.Parse(raw, region)
	if err == nil && phonenumbers.IsValidNumber(p) {
		n.E164 = phonenumbers.Format(p, phonenumbers.E164)
		n.Digits = n.E164[1:]
		n.Extension = p.GetExtension()
		n.Valid = true
		n.Region = phonenumbers.GetRegionCodeForNumber(p)
		return n
	}
	n.Digits = phonenumbers.NormalizeDigitsOnly(raw)
	return n
}

// Format is the number in E.164 where it is valid, else raw, unchanged. The extension is left out.
func Format(raw, region string) string {
	if n := Parse(raw, region); n.Valid {
		return n.E164
	}
	return raw
}

// AppendFormat appends what [Format] returns and returns the extended buffer. For the usual spellings it allocates nothing.
func AppendFormat(dst []byte, raw, region string) []byte {
	return append(dst, Format(raw, region)...)
}

// KnownRegion reports whether Parse knows the region's numbering plan.
func KnownRegion(region string) bool {
	return phonenumbers.GetSupportedRegions()[region]
}
