package phonebooks

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phonebook"
)

// Sizes of pages that people turn on a telephone.
const (
	ciscoPage  = 32
	fanvilPage = 16
	mitelPage  = 15
	snomPage   = 50

	mitelBytes = 10_000
)

// directory writes lines as the entries that Snom, Cisco and Fanvil read: one that says so where there are none.
func (d *xmlDoc) directory(all []line) {
	if len(all) == 0 {
		all = []line{{name: noEntries}}
	}
	for _, one := range all {
		d.WriteString("<DirectoryEntry>")
		d.text("Name", one.name)
		d.text("Telephone", one.number)
		d.WriteString("</DirectoryEntry>\n")
	}
}

// more is the address of the next page of a list.
func (r *request) more(file string, size int) string {
	values := url.Values{"offset": {strconv.Itoa(r.offset() + size)}}
	if q := r.query.Get("q"); q != "" {
		values.Set("q", q)
	}
	return r.base + file + "?" + values.Encode()
}

// snomSearch asks for a name, in Snom's minibrowser. __Q__ is what the telephone replaces.
func snomSearch(_ context.Context, r *request) (*document, error) {
	d := newXML()
	d.WriteString("<SnomIPPhoneInput>")
	d.text("Title", r.title)
	d.text("Prompt", "Name or number")
	d.text("Url", r.base+"snom-directory.xml?q=__Q__")
	d.WriteString("<InputItem>")
	d.text("DisplayName", "Name or number")
	d.text("InputToken", "__Q__")
	d.WriteString("<DefaultValue></DefaultValue><InputFlags>a</InputFlags></InputItem></SnomIPPhoneInput>\n")
	return d.done(), nil
}

// snomDirectory is a list in Snom's minibrowser.
func snomDirectory(ctx context.Context, r *request) (*document, error) {
	entries, more, err := r.page(ctx, snomPage)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<SnomIPPhoneDirectory>")
	d.text("Title", r.title)
	d.text("Prompt", "Dial")
	d.directory(lines(entries))
	if more {
		d.WriteString("<SoftKeyItem><Name>F2</Name><Label>More</Label>")
		d.text("URL", r.more("snom-directory.xml", snomPage))
		d.WriteString("</SoftKeyItem>")
	}
	d.WriteString("</SnomIPPhoneDirectory>\n")
	return d.done(), nil
}

// ciscoMenu is what Cisco's "URL Directories" must lead to.
func ciscoMenu(_ context.Context, r *request) (*document, error) {
	d := newXML()
	d.WriteString("<CiscoIPPhoneMenu>")
	d.text("Title", cut(r.title, 64))
	d.WriteString("<Prompt>Choose</Prompt>")
	for _, item := range [][2]string{{"Search", "cisco-input.xml"}, {"All", "cisco-list.xml?offset=0"}} {
		d.WriteString("<MenuItem>")
		d.text("Name", item[0])
		d.text("URL", r.base+item[1])
		d.WriteString("</MenuItem>")
	}
	d.WriteString("</CiscoIPPhoneMenu>\n")
	return r.forCisco(d), nil
}

func ciscoInput(_ context.Context, r *request) (*document, error) {
	d := newXML()
	d.WriteString("<CiscoIPPhoneInput>")
	d.text("Title", cut(r.title, 64))
	d.WriteString("<Prompt>Name or number</Prompt>")
	d.text("URL", r.base+"cisco-list.xml")
	d.WriteString("<InputItem><DisplayName>Name or number</DisplayName><QueryStringParam>q</QueryStringParam><DefaultValue></DefaultValue><InputFlags>A</InputFlags></InputItem>")
	d.WriteString("</CiscoIPPhoneInput>\n")
	return r.forCisco(d), nil
}

// ciscoList is a page of at most 32 lines. The header Refresh leads to the next one.
func ciscoList(ctx context.Context, r *request) (*document, error) {
	entries, last, err := r.ciscoLines(ctx)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<CiscoIPPhoneDirectory>")
	d.text("Title", cut(r.title, 64))
	first := r.offset() + 1
	if len(entries) == 0 {
		d.text("Prompt", noEntries)
	} else {
		d.text("Prompt", fmt.Sprintf("%d-%d", first, first+len(entries)-1))
	}
	d.directory(entries)
	d.WriteString("<SoftKeyItem><Name>Dial</Name><URL>SoftKey:Dial</URL><Position>1</Position></SoftKeyItem>")
	d.WriteString("<SoftKeyItem><Name>Exit</Name><URL>SoftKey:Exit</URL><Position>3</Position></SoftKeyItem>")
	if !last {
		d.WriteString("<SoftKeyItem><Name>Next</Name><URL>SoftKey:Next</URL><Position>4</Position></SoftKeyItem>")
	}
	d.WriteString("</CiscoIPPhoneDirectory>\n")
	done := r.forCisco(d)
	done.header["Expires"] = []string{"-1"}
	if !last {
		done.header["Refresh"] = []string{"0; url=" + r.more("cisco-list.xml", ciscoPage)}
	}
	return done, nil
}

// ciscoLines are the lines of a page: one number each, so entries with several numbers take several lines. The offset counts lines of
// a search, and entries of the whole phonebook, of which each shows its first number.
func (r *request) ciscoLines(ctx context.Context) (page []line, last bool, err error) {
	if strings.TrimSpace(r.query.Get("q")) == "" {
		entries, more, err := r.page(ctx, ciscoPage)
		for i := range entries {
			if len(entries[i].Numbers) > 0 {
				page = append(page, line{entries[i].Name, entries[i].Numbers[0].Dial})
			}
		}
		return page, !more, err
	}
	entries, err := r.view.Search(ctx, r.query.Get("q"), mostCiscoHits)
	all := lines(entries)
	all = all[min(r.offset(), len(all)):]
	return all[:min(ciscoPage, len(all))], len(all) <= ciscoPage, err
}

// mostCiscoHits is how many entries of a search can be turned to.
const mostCiscoHits = 320

// forCisco gives a document the encoding that the telephone reads: UTF-8 where it says so, else ISO-8859-1.
func (r *request) forCisco(d *xmlDoc) *document {
	done := d.done()
	done.header = http.Header{}
	charsets := strings.ToLower(strings.Join(append(r.Header.Values("Accept-Charset"), r.Header.Values("Accept")...), ","))
	if strings.Contains(charsets, "utf-8") || strings.Contains(charsets, "utf8") {
		return done
	}
	var latin []byte
	for _, c := range strings.Replace(d.String(), `encoding="UTF-8"`, `encoding="ISO-8859-1"`, 1) {
		if c < 0x100 {
			latin = append(latin, byte(c))
		} else {
			latin = fmt.Appendf(latin, "&#%d;", c)
		}
	}
	done.contentType, done.body = "text/xml; charset=iso-8859-1", latin
	return done
}

// fanvilSearch asks for a name, on a Fanvil.
func fanvilSearch(_ context.Context, r *request) (*document, error) {
	d := newXML()
	d.WriteString("<FanvilIPPhoneInputScreen>")
	d.text("Title", r.title)
	d.WriteString("<Prompt>Name or number</Prompt>")
	d.text("URL", r.base+"fanvil-list.xml")
	d.WriteString("<InputField><Prompt>Name or number</Prompt><Parameter>q</Parameter><Default></Default></InputField></FanvilIPPhoneInputScreen>\n")
	return d.done(), nil
}

func fanvilList(ctx context.Context, r *request) (*document, error) {
	entries, more, err := r.page(ctx, fanvilPage)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<FanvilIPPhoneDirectory>")
	d.text("Title", r.title)
	d.directory(lines(entries))
	if more {
		d.WriteString(`<SoftKey index="2"><Name>More</Name>`)
		d.text("URI", r.more("fanvil-list.xml", fanvilPage))
		d.WriteString("</SoftKey>")
	}
	d.WriteString("</FanvilIPPhoneDirectory>\n")
	return d.done(), nil
}

// mitel is a menu of a Mitel or Aastra telephone: its directory object does not know how to dial.
func mitel(ctx context.Context, r *request) (*document, error) {
	entries, more, err := r.page(ctx, mitelPage)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString(`<AastraIPPhoneTextMenu style="none" destroyOnExit="yes">`)
	d.text("Title", r.title)
	all := lines(entries)
	if len(all) == 0 {
		d.WriteString("<MenuItem><Prompt>" + noEntries + "</Prompt><URI></URI></MenuItem>\n")
	}
	var next xmlDoc
	if more {
		next.WriteString("<MenuItem><Prompt>More</Prompt>")
		next.text("URI", r.more("mitel.xml", mitelPage))
		next.WriteString("</MenuItem>\n")
	}
	const end = "</AastraIPPhoneTextMenu>\n"
	for n, one := range all {
		var item xmlDoc
		item.WriteString("<MenuItem>")
		item.text("Prompt", cut(one.name, 100))
		item.text("URI", "Dial:"+one.number)
		item.WriteString("</MenuItem>\n")
		if n == 29 || d.Len()+item.Len()+next.Len()+len(end) > mitelBytes { // 30 items with that for more
			break
		}
		d.Write(item.Bytes())
	}
	d.Write(next.Bytes())
	d.WriteString(end)
	return d.done(), nil
}

func mitelSearch(_ context.Context, r *request) (*document, error) {
	d := newXML()
	d.WriteString(`<AastraIPPhoneInputScreen type="string" editable="yes" destroyOnExit="yes">`)
	d.text("Title", r.title)
	d.WriteString("<Prompt>Name or number</Prompt>")
	d.text("URL", r.base+"mitel.xml")
	d.WriteString("<Parameter>q</Parameter><Default></Default></AastraIPPhoneInputScreen>\n")
	return d.done(), nil
}

// Gigaset's online directory.
const (
	gigasetMost    = 100
	gigasetSearch  = 500
	gigasetLimit   = 2048
	gigasetNothing = 6 // the service is not available
)

// gigasetNumbers are the fields in which a number may be looked for.
var gigasetNumbers = []string{"hm", "nr", "mb", "sip"}

// gigaset answers Gigaset's protocol for online directories.
func gigaset(ctx context.Context, r *request) (*document, error) {
	head := r.gigasetHead()
	if id := r.query.Get("reqid"); id != "" {
		head += attr("reqid", id)
	}
	a, err := r.askGigaset(ctx)
	if err != nil {
		return nil, err
	}
	d := newXML()
	if len(a.entries) == 0 {
		d.WriteString("<list" + head + attr("notfound", a.asked) + ` total="0"/>` + "\n")
		return d.done(), nil
	}
	room := gigasetLimit * 8
	if n, err := strconv.Atoi(r.query.Get("limit")); err == nil && n > 0 {
		room = n
	}
	var items xmlDoc
	last := a.first - 1
	for i := range a.entries {
		var one xmlDoc
		writeGigaset(&one, &a.entries[i])
		begun := fmt.Sprintf("<list%s total=\"%d\" first=\"%d\" last=\"%d\">", head, a.total, a.first, last+1)
		if last >= a.first && d.Len()+len(begun)+items.Len()+one.Len()+len("</list>\n") > room {
			break
		}
		items.Write(one.Bytes())
		last++
	}
	d.WriteString("<list" + head + fmt.Sprintf(" total=\"%d\" first=\"%d\" last=\"%d\">", a.total, a.first, last))
	d.Write(items.Bytes())
	d.WriteString("</list>\n")
	return d.done(), nil
}

func writeGigaset(d *xmlDoc, e *phonebook.Entry) {
	d.WriteString("<entry" + attr("id", e.Card) + ">")
	d.text("ln", e.Family)
	if e.Given != "" {
		d.text("fn", e.Given)
	}
	work, mobile, other := threeNumbers(e)
	if work == "" {
		work, other = other, ""
	}
	for _, field := range [][2]string{{"hm", work}, {"mb", mobile}, {"nr", other}} {
		if field[1] != "" {
			d.text(field[0], field[1])
		}
	}
	d.WriteString("</entry>")
}

// A gigasetAnswer is a part of a list.
type gigasetAnswer struct {
	entries []phonebook.Entry
	first   int    // place of the first one in the whole list, from 1
	total   int64  // of the whole list
	asked   string // the field by which nothing was found
}

func (r *request) askGigaset(ctx context.Context) (a gigasetAnswer, err error) {
	count := gigasetMost
	if n, err := strconv.Atoi(r.query.Get("count")); err == nil && n > 0 {
		count = min(n, gigasetMost)
	}
	a.first = 1
	if n, err := strconv.Atoi(r.query.Get("first")); err == nil && n > 0 {
		a.first = min(n, mostOffset)
	}
	for _, field := range gigasetNumbers {
		if number := unstarred(r.query.Get(field)); number != "" {
			a.asked = field
			return a, r.gigasetNumber(ctx, &a, r.query.Get(field), count)
		}
	}
	ln, fn := unstarred(r.query.Get("ln")), unstarred(r.query.Get("fn"))
	if ln != "" || fn != "" {
		a.asked = "ln"
		if ln == "" {
			a.asked = "fn"
		}
		found, err := r.view.Search(ctx, strings.TrimSpace(ln+" "+fn), gigasetSearch)
		found = slices.DeleteFunc(found, func(e phonebook.Entry) bool {
			return len(e.Numbers) == 0 || !(begins(e.Family, ln) && begins(e.Given, fn) || fn == "" && begins(e.Name, ln))
		})
		a.total = int64(len(found))
		found = found[min(a.first-1, len(found)):]
		a.entries = found[:min(count, len(found))]
		return a, err
	}
	a.asked, a.total = "ln", r.view.State.Members
	if from := unstarred(r.query.Get("set_first")); from != "" {
		before, err := r.view.Before(ctx, from)
		if err != nil {
			return a, err
		}
		a.first = int(before) + 1
	}
	a.entries, err = r.view.Page(ctx, "", a.first-1, count)
	return a, err
}

// gigasetNumber looks for a number: that of a call as it came in, or one that is being typed, with * at its end. The answer has it in
// the spelling that was asked for, since the handset compares texts.
func (r *request) gigasetNumber(ctx context.Context, a *gigasetAnswer, text string, count int) error {
	number := unstarred(text)
	exact := !strings.HasSuffix(strings.TrimSpace(text), "*")
	var err error
	if exact {
		a.entries, err = r.view.Number(ctx, number, count)
	} else {
		a.entries, err = r.view.Search(ctx, number, count)
	}
	a.total, a.first = int64(len(a.entries)), 1
	if !exact {
		return err
	}
	for i := range a.entries {
		a.entries[i].Ask(r.view.Numbers, number)
	}
	return err
}

// gigasetHead are the attributes that every answer begins with.
func (r *request) gigasetHead() string {
	return attr("response", "get_list") + attr("type", cmp.Or(r.query.Get("type"), "pb"))
}

func unstarred(text string) string {
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(text), "*"))
}

// begins reports whether a name has every word of a text at the beginning of one of its words.
func begins(name, text string) bool {
	words := directory.Fold(name)
	for _, typed := range directory.Fold(text) {
		if !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, typed) }) {
			return false
		}
	}
	return true
}

func gigasetUnfilled(r *request) *document {
	d := newXML()
	d.WriteString("<error" + r.gigasetHead() + fmt.Sprintf("><errorid>%d</errorid></error>\n", gigasetNothing))
	return d.done()
}
