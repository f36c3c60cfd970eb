package vcard

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// The columns of a card, in the order of a record's values. Others are properties that the configuration names.
const (
	columnUID = iota
	columnName
	columnCompany
	columnDepartment
	columnTitle
	columnRole
	columnEmail
	columnPhone
	columnFax
	columnURL
	columnAddress
	columnCountry
	columnPhoto
	columnTwitter
	columnNickname
	columnNote
	columnCategories
	columnBirthday
	columnUpdated
	fixedColumns
)

var columnNames = [fixedColumns]string{
	"uid", "fn", "org", "department", "title", "role", "email", "tel", "fax", "url", "adr", "country", "photo", "twitter", "nickname",
	"note", "categories", "bday", "rev",
}

// A value is one of several values of a column.
type value struct {
	text  string
	group string
	pref  int
}

// A card is what has been read of one card. Its memory is used again.
type card struct {
	texts   [fixedColumns]string
	lists   [fixedColumns][]value // emails, phones, websites, addresses
	labels  map[string]string     // of groups
	country []value               // of addresses, and of what Apple says of them
	formal  string                // the name of its parts
	postal  string                // an address as one text
	extra   map[string][]string   // properties that the configuration names
	group   bool                  // it is a group of others
}

func (c *card) reset() {
	lists := c.lists
	for i := range lists {
		lists[i] = lists[i][:0]
	}
	*c = card{lists: lists, country: c.country[:0]}
}

// add takes a property into the card.
func (c *card) add(p *property, extra map[string]int) {
	if _, ok := extra[p.name]; ok {
		if c.extra == nil {
			c.extra = map[string][]string{}
		}
		if text := p.text(); text != "" {
			c.extra[p.name] = append(c.extra[p.name], text)
		}
	}
	switch p.name {
	case "UID":
		c.set(columnUID, p)
	case "FN":
		c.set(columnName, p)
	case "N":
		c.formal = cmp.Or(c.formal, fullName(p.parts()))
	case "NICKNAME":
		c.set(columnNickname, p)
	case "ORG":
		c.organization(p)
	case "TITLE":
		c.set(columnTitle, p)
	case "ROLE":
		c.set(columnRole, p)
	case "NOTE":
		c.set(columnNote, p)
	case "CATEGORIES":
		c.set(columnCategories, p)
	case "BDAY":
		c.set(columnBirthday, p)
	case "REV":
		c.texts[columnUpdated] = cmp.Or(c.texts[columnUpdated], stampOf(p.text()))
	case "EMAIL":
		c.list(columnEmail, p, trimScheme(p.text(), "mailto:"))
	case "TEL":
		c.phone(p)
	case "URL":
		c.list(columnURL, p, p.text())
	case "ADR":
		c.address(p)
	case "LABEL":
		c.postal = cmp.Or(c.postal, lineOf(p.text()))
	case "PHOTO":
		c.photo(p)
	default:
		c.addOther(p)
	}
}

// addOther takes the properties of certain programs.
func (c *card) addOther(p *property) {
	switch p.name {
	case "KIND", "X-ADDRESSBOOKSERVER-KIND":
		c.group = c.group || strings.EqualFold(p.text(), "group")
	case "X-ABLABEL":
		if c.labels == nil {
			c.labels = map[string]string{}
		}
		c.labels[p.group] = strings.ToUpper(p.text())
	case "X-ABADR":
		c.country = append(c.country, value{text: p.text(), group: p.group, pref: p.pref + 1000})
	case "X-TWITTER":
		c.set(columnTwitter, p)
	case "X-SOCIALPROFILE":
		if p.is("TWITTER") {
			text := p.text()
			c.texts[columnTwitter] = cmp.Or(c.texts[columnTwitter], text[strings.LastIndexAny(text, "/:")+1:])
		}
	}
}

func (c *card) set(column int, p *property) {
	if c.texts[column] == "" {
		c.texts[column] = p.text()
	}
}

func (c *card) list(column int, p *property, text string) {
	if text != "" && !slices.ContainsFunc(c.lists[column], func(v value) bool { return v.text == text }) {
		c.lists[column] = append(c.lists[column], value{text, p.group, p.pref})
	}
}

// fullName composes a name of its parts: family, given, additional, prefixes, suffixes. Several values of a part stand with commas
// between them.
func fullName(parts []string) string {
	for len(parts) < 5 {
		parts = append(parts, "")
	}
	var words []string
	for _, i := range []int{3, 1, 2, 0, 4} {
		words = append(words, strings.Fields(strings.ReplaceAll(parts[i], ",", " "))...)
	}
	return strings.Join(words, " ")
}

func (c *card) organization(p *property) {
	if parts := p.parts(); c.texts[columnCompany] == "" {
		c.texts[columnCompany] = parts[0]
		c.texts[columnDepartment] = joined(parts[1:])
	}
}

func joined(parts []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" }), ", ")
}

// phone takes a number. A tel URI keeps its extension; its separators are removed (RFC 3966).
func (c *card) phone(p *property) {
	text := p.text()
	if number := trimScheme(text, "tel:"); number != text {
		number, parameters, _ := strings.Cut(number, ";")
		text = strings.Map(func(r rune) rune {
			if strings.ContainsRune("-.() ", r) {
				return -1
			}
			return r
		}, number)
		for parameter := range strings.SplitSeq(parameters, ";") {
			if key, digits, _ := strings.Cut(parameter, "="); strings.EqualFold(key, "ext") && digits != "" {
				text += ";ext=" + digits
			} else if strings.EqualFold(key, "phone-context") && !strings.HasPrefix(text, "+") {
				text = "tel:" + text + ";phone-context=" + digits
			}
		}
	}
	if (p.is("FAX") || p.is("PAGER")) && !p.is("VOICE") && !p.is("CELL") {
		c.list(columnFax, p, text)
		return
	}
	c.list(columnPhone, p, text)
}

func trimScheme(text, scheme string) string {
	if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return strings.TrimSpace(text[len(scheme):])
	}
	return text
}

// address takes an address: box, extension, street, city, region, code, country.
func (c *card) address(p *property) {
	parts := p.parts()
	for len(parts) < 7 {
		parts = append(parts, "")
	}
	for i := range parts {
		parts[i] = lineOf(parts[i])
	}
	town := strings.TrimSpace(parts[5] + " " + parts[3])
	c.list(columnAddress, p, joined([]string{parts[2], parts[1], parts[0], town, parts[4], parts[6]}))
	if parts[6] != "" {
		c.country = append(c.country, value{parts[6], p.group, p.pref})
	}
}

// lineOf makes one line of several.
func lineOf(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), ", ")
}

// photo takes the address of a photo; one that is data is not sent.
func (c *card) photo(p *property) {
	if p.base64 {
		return
	}
	if text := p.text(); trimScheme(text, "https://") != text || trimScheme(text, "http://") != text {
		c.texts[columnPhoto] = cmp.Or(c.texts[columnPhoto], text)
	}
}

// stampOf writes a time in the extended form of ISO 8601: 20260301T100000Z is 2026-03-01T10:00:00Z.
func stampOf(text string) string {
	if len(text) < 8 || strings.Trim(text[:8], "0123456789") != "" {
		return text
	}
	day, clock, timed := strings.Cut(strings.ToUpper(text[8:]), "T")
	if day != "" || len(text) > 8 && !timed {
		return text
	}
	date := text[:4] + "-" + text[4:6] + "-" + text[6:8]
	if len(clock) < 6 || strings.Trim(clock[:6], "0123456789") != "" {
		if !timed {
			return date
		}
		return date + "T" + clock
	}
	return date + "T" + clock[:2] + ":" + clock[2:4] + ":" + clock[4:]
}

// finish puts the card's values into their columns, of which extra are behind the fixed ones.
func (c *card) finish(values [][]byte, extra map[string]int) {
	c.dropFax()
	c.texts[columnName] = cmp.Or(c.texts[columnName], c.formal, c.texts[columnNickname])
	for column, text := range c.texts {
		values[column] = []byte(text)
	}
	for column, list := range c.lists {
		if len(list) > 0 {
			slices.SortStableFunc(list, func(a, b value) int { return cmp.Compare(a.pref, b.pref) })
			values[column] = textOf(list)
		}
	}
	if len(c.lists[columnAddress]) > 0 {
		values[columnAddress] = []byte(c.lists[columnAddress][0].text)
	} else {
		values[columnAddress] = []byte(c.postal)
	}
	if len(c.country) > 0 {
		values[columnCountry] = []byte(slices.MinFunc(c.country, func(a, b value) int { return cmp.Compare(a.pref, b.pref) }).text)
	}
	for name, column := range extra {
		list := make([]value, len(c.extra[name]))
		for i, text := range c.extra[name] {
			list[i].text = text
		}
		values[column] = textOf(list)
	}
}

// dropFax takes numbers away that are labelled as those of a fax.
func (c *card) dropFax() {
	c.lists[columnPhone] = slices.DeleteFunc(c.lists[columnPhone], func(v value) bool {
		fax := v.group != "" && strings.Contains(c.labels[v.group], "FAX")
		if fax {
			c.lists[columnFax] = append(c.lists[columnFax], v)
		}
		return fax
	})
}

// textOf returns one value as it is, and several as a JSON array. A text that looks like JSON is in an array too.
func textOf(list []value) []byte {
	if len(list) == 0 {
		return nil
	}
	if first := list[0].text; len(list) == 1 && first != "" && first[0] != '[' && first[0] != '{' {
		return []byte(first)
	}
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.text
	}
	text, _ := json.Marshal(texts) // texts make no errors
	return text
}
