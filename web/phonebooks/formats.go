package phonebooks

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/phonebook"
)

// formats are the files of a phonebook, in lower case.
var formats = map[string]format{
	"yealink.xml":        {make: yealink},
	"yealink-search.xml": {make: yealinkSearch, asks: true},

	"snom.xml":           {make: snom},
	"snom-search.xml":    {make: snomSearch, asks: true},
	"snom-directory.xml": {make: snomDirectory, asks: true},

	"grandstream.xml":  {make: grandstream},
	"phonebook.xml":    {make: grandstream}, // the names that the telephone adds to its path
	"gs_phonebook.xml": {make: grandstream},

	"cisco.xml":       {make: ciscoMenu, asks: true},
	"cisco-input.xml": {make: ciscoInput, asks: true},
	"cisco-list.xml":  {make: ciscoList, fresh: true},

	"fanvil.xml":        {make: fanvil},
	"fanvil-search.xml": {make: fanvilSearch, asks: true},
	"fanvil-list.xml":   {make: fanvilList, asks: true},

	"htek.xml": {make: htek},

	"gigaset.xml": {make: gigaset, fresh: true, unfilled: gigasetUnfilled},

	"polycom.xml":                {make: polycom},
	"000000000000-directory.xml": {make: polycom},

	"mitel.xml":         {make: mitel, asks: true},
	"mitel-search.xml":  {make: mitelSearch, asks: true},
	"mitel.csv":         {make: mitelCSV},
	"aastra.xml":        {make: mitel, asks: true},
	"aastra-search.xml": {make: mitelSearch, asks: true},
	"aastra.csv":        {make: mitelCSV},

	"panasonic.xml": {make: panasonic, asks: true},
	"ascom.xml":     {make: ascom, asks: true},
	"fritzbox.xml":  {make: fritzbox},
	"microsip.json": {make: microsip},

	"contacts.csv": {make: contactsCSV},
	"contacts.vcf": {make: contactsVCF},
}

// most is how many entries a document has: what the format takes, or fewer if the address says so (?max=).
func (r *request) most(format int) int {
	if n, err := strconv.Atoi(r.query.Get("max")); err == nil && n > 0 {
		return min(n, format)
	}
	return format
}

// offset is where a page begins.
func (r *request) offset() int {
	n, err := strconv.Atoi(r.query.Get("offset"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, mostOffset)
}

const mostOffset = 1_000_000

// entries are those of a list, by name: what q asks for, or else those that the phonebook's rule chooses. Entries without a number
// are left out, and those that take says are useless to the telephone.
func (r *request) entries(ctx context.Context, format int, take func(*phonebook.Entry) bool) (entries []phonebook.Entry, leftOut int64, err error) {
	most := r.most(format)
	usable := func(e *phonebook.Entry) bool { return len(e.Numbers) > 0 && (take == nil || take(e)) }
	if q := strings.TrimSpace(r.query.Get("q")); q != "" {
		found, err := r.view.Search(ctx, q, 2*most)
		found = slices.DeleteFunc(found, func(e phonebook.Entry) bool { return !usable(&e) })
		return found[:min(most, len(found))], 0, err
	}
	leftOut, err = r.view.Choose(ctx, most, func(e *phonebook.Entry) (bool, error) {
		if !usable(e) {
			return false, nil
		}
		entries = append(entries, *e)
		return true, nil
	})
	slices.SortStableFunc(entries, func(a, b phonebook.Entry) int { return strings.Compare(a.Sort, b.Sort) })
	return entries, leftOut, err
}

// page returns entries for a list that is read page by page, and whether there are more.
func (r *request) page(ctx context.Context, size int) (entries []phonebook.Entry, more bool, err error) {
	offset := r.offset()
	if q := strings.TrimSpace(r.query.Get("q")); q != "" {
		entries, err = r.view.Search(ctx, q, offset+size+1)
		entries = entries[min(offset, len(entries)):]
	} else {
		entries, err = r.view.Page(ctx, "", offset, size+1)
	}
	more = len(entries) > size
	return entries[:min(size, len(entries))], more, err
}

// noEntries is shown where a list is empty: several telephones take an empty one for an error.
const noEntries = "No entries"

// cut is a text of at most n characters.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return strings.TrimSpace(text[:i])
		}
		n--
	}
	return text
}

// cutBytes is a text of at most n bytes, cut between characters.
func cutBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.TrimSpace(text[:n])
}

// fits reports whether a number can be dialled by a telephone that takes so many characters of it: a number that is cut off is another
// one's.
func fits(number string, n int) bool { return utf8.RuneCountInString(number) <= n }

// dialable are the numbers of an entry with at most n characters.
func dialable(e *phonebook.Entry, n int) []phonebook.Number {
	return slices.DeleteFunc(slices.Clone(e.Numbers), func(one phonebook.Number) bool { return !fits(one.Dial, n) })
}

// withCompany is a name with the company after it, as lists show it.
func withCompany(e *phonebook.Entry) string {
	if e.Company == "" {
		return e.Name
	}
	return e.Name + ", " + e.Company
}

// A line is one number of an entry, for telephones that show one number per entry.
type line struct {
	name   string
	number string
}

// lines are the entries' numbers, each with a name that says which it is where there are several.
func lines(entries []phonebook.Entry) (all []line) {
	for i := range entries {
		e := &entries[i]
		for n, number := range e.Numbers {
			name := e.Name
			if len(e.Numbers) > 1 {
				switch {
				case number.Kind == phonebook.Mobile:
					name += " (mobile)"
				case n > 0:
					name += " (" + strconv.Itoa(n+1) + ")"
				}
			}
			all = append(all, line{name, number.Dial})
		}
	}
	return all
}

// firstLines returns the lines of whole entries, as many as there is room for, and how many entries have none of them.
func firstLines(entries []phonebook.Entry, most int) (all []line, leftOut int64) {
	for i := range entries {
		of := lines(entries[i : i+1])
		if room := most - len(all); len(of) > room {
			if i > 0 {
				return all, int64(len(entries) - i)
			}
			of = of[:room] // better some of its numbers than none
		}
		all = append(all, of...)
	}
	return all, 0
}

// Files lists the files of a phonebook.
func Files() []string { return slices.Sorted(maps.Keys(formats)) }
