package phonebooks

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/phonebook"
)

// The sizes of documents, and of what stands in them: see docs/phones.md for where they come from.
const (
	mostYealink     = 1000
	mostSnom        = 2000
	mostGrandstream = 1000
	mostFanvil      = 1000
	mostHtek        = 1000
	mostPolycom     = 5000
	polycomBytes    = 200_000
	mostMitelCSV    = 200
	mostPanasonic   = 20
	mostFritzbox    = 2000
	fritzboxNumbers = 9
	mostMicroSIP    = 5000
	ascomCharacters = 5000
)

// yealink is Yealink's remote phone book.
func yealink(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostYealink, func(e *phonebook.Entry) bool { return len(dialable(e, 32)) > 0 })
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<YealinkIPPhoneDirectory>\n")
	for i := range entries {
		d.WriteString("<DirectoryEntry>")
		d.text("Name", cut(withCompany(&entries[i]), 99))
		for _, n := range dialable(&entries[i], 32) {
			label := "Work"
			if n.Kind == phonebook.Mobile {
				label = "Mobile"
			}
			d.WriteString("<Telephone" + attr("label", label) + ">" + escaping.Replace(n.Dial) + "</Telephone>")
		}
		d.WriteString("</DirectoryEntry>\n")
	}
	if len(entries) == 0 {
		d.WriteString("<DirectoryEntry>")
		d.text("Name", noEntries)
		d.WriteString("<Telephone></Telephone></DirectoryEntry>\n")
	}
	d.WriteString("</YealinkIPPhoneDirectory>\n")
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

// yealinkSearch asks for a name, in Yealink's XML browser.
func yealinkSearch(_ context.Context, r *request) (*document, error) {
	d := newXML()
	d.WriteString(`<YealinkIPPhoneInputScreen type="string" destroyOnExit="yes">`)
	d.text("Title", r.title)
	d.text("URL", r.base+"yealink.xml?max=50")
	d.WriteString("<InputField>")
	d.text("Prompt", "Name or number")
	d.text("Parameter", "q")
	d.WriteString("</InputField></YealinkIPPhoneInputScreen>\n")
	return d.done(), nil
}

// snom is Snom's tbook, version 2.
func snom(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostSnom, nil)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString(`<tbook complete="true" e="2" version="2.0">` + "\n")
	known := map[string]bool{} // the same number twice makes the telephone slow
	for i := range entries {
		e := &entries[i]
		numbers := slices.DeleteFunc(slices.Clone(e.Numbers), func(n phonebook.Number) bool { return known[n.Dial] })
		if len(numbers) == 0 {
			continue
		}
		d.WriteString(`<contact fav="false" vip="false" blocked="false">`)
		d.text("first_name", e.Given)
		d.text("last_name", e.Family)
		d.text("title", e.Title)
		d.text("organization", e.Company)
		email := ""
		if len(e.Emails) > 0 {
			email = e.Emails[0]
		}
		d.text("email", email)
		d.WriteString("<note></note><group></group><numbers>")
		for _, n := range numbers {
			known[n.Dial] = true
			kind := "business"
			if n.Kind == phonebook.Mobile {
				kind = "mobile"
			}
			d.WriteString("<number" + attr("no", n.Dial) + attr("type", kind) + ` outgoing_id="0"/>`)
		}
		d.WriteString("</numbers></contact>\n")
	}
	d.WriteString("</tbook>\n")
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

// grandstream is Grandstream's phonebook.xml. The names of its elements are case-sensitive.
func grandstream(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostGrandstream, nil)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<AddressBook>\n<version>1</version>\n<pbgroup><id>1</id>")
	d.text("name", r.title)
	d.WriteString("</pbgroup>\n")
	for i := range entries {
		e := &entries[i]
		d.WriteString("<Contact>")
		d.text("id", strconv.Itoa(i+1))
		d.text("FirstName", e.Given)
		d.text("LastName", e.Family)
		d.WriteString("<Primary>0</Primary><Frequent>0</Frequent>")
		for _, n := range e.Numbers {
			kind := "Work"
			if n.Kind == phonebook.Mobile {
				kind = "Mobile"
			}
			d.WriteString("<Phone" + attr("type", kind) + ">")
			d.text("phonenumber", n.Dial)
			d.WriteString("<accountindex>0</accountindex></Phone>")
		}
		for _, address := range e.Emails[:min(1, len(e.Emails))] {
			d.WriteString(`<Mail type="Work">` + escaping.Replace(address) + "</Mail>")
		}
		d.WriteString("<Group>1</Group>")
		if e.Company != "" {
			d.text("Company", e.Company)
		}
		if e.Title != "" {
			d.text("Job", e.Title)
		}
		d.WriteString("</Contact>\n")
	}
	d.WriteString("</AddressBook>\n")
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

// fanvil is Fanvil's remote phonebook: an entry has a number of each of three kinds.
func fanvil(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostFanvil, nil)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<PhoneBook>\n")
	for i := range entries {
		work, mobile, other := threeNumbers(&entries[i])
		d.WriteString("<DirectoryEntry>")
		d.text("Name", withCompany(&entries[i]))
		d.text("Telephone", work)
		d.text("Mobile", mobile)
		d.text("Other", other)
		d.WriteString("<Ring></Ring><Group></Group></DirectoryEntry>\n")
	}
	if len(entries) == 0 {
		d.WriteString("<DirectoryEntry>")
		d.text("Name", noEntries)
		d.WriteString("<Telephone></Telephone></DirectoryEntry>\n")
	}
	d.WriteString("</PhoneBook>\n")
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

// threeNumbers are the first work number, the first mobile number, and the first that is left.
func threeNumbers(e *phonebook.Entry) (work, mobile, other string) {
	for _, n := range e.Numbers {
		switch {
		case n.Kind == phonebook.Work && work == "":
			work = n.Dial
		case n.Kind == phonebook.Mobile && mobile == "":
			mobile = n.Dial
		case other == "":
			other = n.Dial
		}
	}
	return work, mobile, other
}

// htek is Htek's remote phonebook: one number per entry.
func htek(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostHtek, nil)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<PhoneDirectory>\n")
	all, others := firstLines(entries, r.most(mostHtek))
	if len(all) == 0 {
		all = []line{{name: noEntries}}
	}
	for _, one := range all {
		d.WriteString("<DirectoryEntry>")
		d.text("Name", one.name)
		d.text("Telephone", one.number)
		d.WriteString("</DirectoryEntry>\n")
	}
	d.WriteString("</PhoneDirectory>\n")
	done := d.done()
	done.leftOut = leftOut + others
	return done, nil
}

// polycom is Polycom's local directory. A number may stand there once; the file is small (?bytes=50000 for older telephones).
func polycom(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostPolycom, nil)
	if err != nil {
		return nil, err
	}
	room := polycomBytes
	if n, err := strconv.Atoi(r.query.Get("bytes")); err == nil && n > 0 {
		room = min(n, polycomBytes)
	}
	d := newXML()
	d.WriteString("<directory>\n<item_list>\n")
	const end = "</item_list>\n</directory>\n"
	known, sd := map[string]bool{}, 0
	for i := range entries {
		e := &entries[i]
		var items xmlDoc
		added := []string{}
		for _, n := range e.Numbers {
			if known[n.Dial] {
				continue
			}
			known[n.Dial] = true
			added = append(added, n.Dial)
			items.WriteString("<item>")
			items.text("lb", cutBytes(e.Company, 40))
			items.text("ln", cutBytes(e.Family, 40))
			items.text("fn", cutBytes(e.Given, 40))
			items.text("ct", n.Dial)
			items.text("sd", strconv.Itoa(sd+len(added)))
			items.WriteString("<rt>def</rt><dc></dc><ad>0</ad><ar>0</ar><bw>0</bw><bb>0</bb></item>\n")
		}
		if d.Len()+items.Len()+len(end) > room {
			leftOut += int64(len(entries) - i)
			break
		}
		sd += len(added)
		d.Write(items.Bytes())
	}
	d.WriteString(end)
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

// panasonic is Panasonic's phonebook page. Numbers have digits, * and # only, names have none of & ' < >.
func panasonic(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostPanasonic, func(e *phonebook.Entry) bool { return len(panasonicNumbers(e)) > 0 })
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString(`<ppxml xmlns="http://panasonic/sip_phone"><Screen version="3.0"><PhoneBook version="2.0">` + "\n")
	for i := range entries {
		d.WriteString("<Personnel" + attr("id", strconv.Itoa(i+1)) + ">")
		d.text("Name", panasonicName(entries[i].Name))
		d.WriteString("<PhoneNums>")
		for _, n := range panasonicNumbers(&entries[i]) {
			kind := "company"
			if n.Kind == phonebook.Mobile {
				kind = "mobile"
			}
			d.WriteString("<PhoneNum" + attr("type", kind) + ">" + n.Dial + "</PhoneNum>")
		}
		d.WriteString("</PhoneNums></Personnel>\n")
	}
	d.WriteString("</PhoneBook></Screen></ppxml>\n")
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

func panasonicName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune("&'<>", r) {
			return -1
		}
		return r
	}, name)
	return cut(strings.Join(strings.Fields(name), " "), 24)
}

func panasonicNumbers(e *phonebook.Entry) (numbers []phonebook.Number) {
	for _, n := range e.Numbers {
		n.Dial = strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '*' || r == '#' {
				return r
			}
			return -1
		}, n.Dial)
		if n.Dial != "" && fits(n.Dial, 32) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// ascom answers Ascom's IP-DECT: givenName, sn and telephoneNumber are looked for, and the answer has 5,000 characters at most.
func ascom(ctx context.Context, r *request) (*document, error) {
	number := r.query.Get("telephoneNumber")
	names := strings.TrimSpace(r.query.Get("givenName") + " " + r.query.Get("sn"))
	if names != "" {
		r.query.Set("q", names)
	} else if number != "" {
		r.query.Set("q", number)
	}
	entries, leftOut, err := r.entries(ctx, 100, func(e *phonebook.Entry) bool {
		return begins(e.Given, r.query.Get("givenName")) && begins(e.Family, r.query.Get("sn"))
	})
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<entries>\n")
	const end = "</entries>\n"
	characters := len([]rune(d.String())) + len(end)
entries:
	for i := range entries {
		for _, n := range entries[i].Numbers {
			var one xmlDoc
			one.WriteString("<entry>")
			one.text("givenName", entries[i].Given)
			one.text("sn", entries[i].Family)
			one.text("telephoneNumber", n.Dial)
			one.WriteString("</entry>\n")
			if characters += len([]rune(one.String())); characters > ascomCharacters {
				leftOut += int64(len(entries) - i)
				break entries
			}
			d.Write(one.Bytes())
		}
	}
	d.WriteString(end)
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

// fritzbox is a phonebook to import into a FRITZ!Box.
func fritzbox(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostFritzbox, nil)
	if err != nil {
		return nil, err
	}
	d := newXML()
	d.WriteString("<phonebooks>\n<phonebook" + attr("name", r.title) + ">\n")
	for i := range entries {
		e := &entries[i]
		d.WriteString("<contact><category>0</category><person>")
		name := e.Name
		if e.Given != "" {
			name = e.Family + ", " + e.Given
		}
		d.text("realName", name)
		d.WriteString("</person><telephony>")
		for n, number := range e.Numbers[:min(fritzboxNumbers, len(e.Numbers))] {
			kind, first := "work", "0"
			if number.Kind == phonebook.Mobile {
				kind = "mobile"
			}
			if n == 0 {
				first = "1"
			}
			d.WriteString("<number" + attr("type", kind) + attr("prio", first) + attr("id", strconv.Itoa(n)) + ">" + escaping.Replace(number.Dial) + "</number>")
		}
		d.WriteString("</telephony><services>")
		for n, address := range e.Emails[:min(1, len(e.Emails))] {
			d.WriteString(`<email classifier="work"` + attr("id", strconv.Itoa(n)) + ">" + escaping.Replace(address) + "</email>")
		}
		d.WriteString("</services>")
		d.text("uniqueid", strconv.Itoa(i+1))
		d.WriteString("</contact>\n")
	}
	d.WriteString("</phonebook>\n</phonebooks>\n")
	done := d.done()
	done.leftOut = leftOut
	return done, nil
}

// microsip is MicroSIP's directory: one number per contact. It ignores an empty list, and asks again when the answer is too old.
func microsip(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostMicroSIP, nil)
	if err != nil {
		return nil, err
	}
	type contact struct {
		Number string `json:"number"`
		Name   string `json:"name"`
		Info   string `json:"info,omitempty"`
	}
	contacts := []contact{}
	all, others := firstLines(entries, r.most(mostMicroSIP))
	for _, one := range all {
		contacts = append(contacts, contact{Number: one.number, Name: one.name})
	}
	if len(contacts) == 0 && r.query.Get("q") == "" {
		return nil, phonebook.ErrNotFilled // an empty list would be ignored, and not be asked for again for an hour
	}
	body, err := json.Marshal(contacts)
	if err != nil {
		return nil, err
	}
	return &document{contentType: "application/json; charset=utf-8", header: map[string][]string{"Cache-Control": {"private, max-age=3600"}}, body: body, leftOut: leftOut + others}, nil
}

// mitelCSV is the directory list of a Mitel or Aastra telephone: name and number, 200 lines.
func mitelCSV(ctx context.Context, r *request) (*document, error) {
	entries, leftOut, err := r.entries(ctx, mostMitelCSV, func(e *phonebook.Entry) bool { return len(dialable(e, 45)) > 0 })
	if err != nil {
		return nil, err
	}
	var body strings.Builder
	for i := range entries {
		entries[i].Numbers = dialable(&entries[i], 45)
	}
	all, others := firstLines(entries, r.most(mostMitelCSV))
	for _, one := range all {
		name := cut(strings.NewReplacer(",", " ", `"`, "").Replace(one.name), 15)
		body.WriteString(name + "," + one.number + "\n")
	}
	return &document{contentType: "text/csv; charset=utf-8", body: []byte(body.String()), leftOut: leftOut + others}, nil
}

// contactsCSV are all entries, whatever program reads them.
func contactsCSV(ctx context.Context, r *request) (*document, error) {
	return &document{contentType: "text/csv; charset=utf-8; header=present", stream: func(w io.Writer) error { return writeCSV(ctx, r, w) }}, nil
}

// contactsVCF are all entries as vCards 3.0.
func contactsVCF(ctx context.Context, r *request) (*document, error) {
	return &document{contentType: "text/vcard; charset=utf-8", stream: func(w io.Writer) error {
		buffer := make([]byte, 0, 64<<10)
		err := r.view.All(ctx, func(e *phonebook.Entry) error {
			if buffer = phonebook.AppendCard(buffer, e); len(buffer) < 48<<10 {
				return nil
			}
			_, err := w.Write(buffer)
			buffer = buffer[:0]
			return err
		})
		if err == nil {
			_, err = w.Write(buffer)
		}
		return err
	}}, nil
}
