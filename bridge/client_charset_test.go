package bridge_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/contactbridge/contactbridge/bridge"
)

// page of two contacts with names given as bytes.
func pageOf(names ...string) string {
	var list []string
	for i, name := range names {
		list = append(list, fmt.Sprintf(`{"id":"%d","name":"%s"}`, i+1, name))
	}
	return `{"contacts":[` + strings.Join(list, ",") + `]}`
}

func namesOf(p *bridge.Page) string {
	var names []string
	for _, c := range p.Contacts {
		names = append(names, c.Name)
	}
	for _, r := range p.Rejected {
		names = append(names, "-"+r.ID+" "+r.Reason)
	}
	return strings.Join(names, "|")
}

func littleEndian(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}

func TestAnAnswerInISO88591IsDecodedOrItsContactsAreRejected(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	for name, c := range map[string]struct{ body, contentType, want string }{
		"bytes say so":                    {pageOf("J\xfcrgen", "Zo\xeb"), "application/json", "Jürgen|Zoë"},
		"header says so":                  {pageOf("J\xfcrgen"), "application/json; charset=ISO-8859-1", "Jürgen"},
		"header says UTF-8, bytes do not": {pageOf("J\xfcrgen"), "application/json; charset=utf-8", "Jürgen"},
		"Windows-1252":                    {pageOf("\x93J\xfcrgen\x94 \x80"), "application/json", "“Jürgen” €"},
		"ISO-8859-15":                     {pageOf("\xa4 \x8a"), "application/json; charset=iso-8859-15", "-1 its text is not UTF-8, and the answer is not in ISO-8859-1 either"},
		"the euro of ISO-8859-15":         {pageOf("\xa4"), "application/json; charset=iso-8859-15", "€"},
		"header of old, bytes are UTF-8":  {pageOf("Jürgen", "名"), "application/json; charset=ISO-8859-1", "Jürgen|名"},
		"Windows-1251":                    {pageOf("\xc8\xe2\xe0\xed"), "application/json; charset=windows-1251", "Иван"},
		"Shift JIS":                       {pageOf("\x8e\x52\x93\x63"), "application/json;charset=Shift_JIS", "山田"},
		"UTF-16":                          {littleEndian(pageOf("Jürgen", "名😀")), "application/json", "Jürgen|名😀"},
		"UTF-16 without a mark":           {littleEndian(pageOf("Jürgen"))[2:], "application/json", "Jürgen"},
		"UTF-8":                           {pageOf("Jürgen", "名😀", "x\u00a0y"), "application/json", "Jürgen|名😀|x\u00a0y"},
		"UTF-8 with one that is broken":   {pageOf("Zoë", "J\xfcrgen", "Anna"), "application/json", "Zoë|Anna|-2 its text is not UTF-8, and the answer is not in ISO-8859-1 either"},
		"a cut character":                 {pageOf("Zoë", "Zo\xc3", "Zo\xe2\x82"), "application/json", "Zoë|-2 its text is not UTF-8, and the answer is not in ISO-8859-1 either|-3 its text is not UTF-8, and the answer is not in ISO-8859-1 either"},
		"both":                            {pageOf("J\xfcrgen", "Zoë"), "application/json", "Jürgen|-2 its text is not UTF-8, and the answer is not in ISO-8859-1 either"},
		"no character of the set":         {pageOf("J\x81rgen", "Bob"), "application/json", "Bob|-1 its text is not UTF-8, and the answer is not in ISO-8859-1 either"},
		"across buffers":                  {pageOf(long, "J\xfcrgen", long+"\xeb"), "application/json", long + "|Jürgen|" + long + "ë"},
		"across buffers, UTF-8":           {pageOf(long, "Jürgen", strings.Repeat("名", 40_000)), "application/json", long + "|Jürgen|" + strings.Repeat("名", 40_000)},
		"U+FFFF where nothing is broken":  {pageOf("Zoë \uffff"), "application/json", "Zoë \uffff"},
	} {
		page, err := ask1(answering(200, c.body, "Content-Type", c.contentType))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := namesOf(page); got != c.want {
			t.Errorf("%s: %.200q, want %.200q", name, got, c.want)
		}
	}
	for name, c := range map[string]struct{ body, contentType, word string }{
		"an unknown set":      {pageOf("x"), "application/json; charset=klingon", "klingon"},
		"a damaged token":     {"{\"contacts\":[{\"id\":\"é\"}],\"next_offset\":\"\xff\"}", "application/json", "next_offset"},
		"a damaged deletion":  {"{\"contacts\":[{\"id\":\"é\"}],\"deleted_contacts\":[\"\xff\"]}", "application/json", "deleted_contacts"},
		"an array in UTF-16":  {littleEndian("[]"), "application/json", "array"},
		"a page that ends so": {"{\"contacts\":[\xc3", "application/json", "not valid JSON"},
	} {
		if _, err := ask1(answering(200, c.body, "Content-Type", c.contentType)); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v, want %q", name, err, c.word)
		}
	}
}

// An id that cannot be read is unknown: the contact that it belongs to would count as absent, so the rejected one has no id (D8).
func TestADamagedIDIsNoID(t *testing.T) {
	for _, body := range []string{
		"{\"contacts\":[{\"id\":\"é\",\"name\":\"Zoë\"},{\"id\":\"\xff\",\"name\":\"Anna\"}]}",
		"{\"contacts\":[{\"id\":\"é\",\"name\":\"Zoë\"}],\"rejected_contacts\":[{\"id\":\"\xff\",\"reason\":\"x\"}]}",
	} {
		page, err := ask1(answering(200, body, "Content-Type", "application/json"))
		if err != nil || len(page.Contacts) != 1 || len(page.Rejected) != 1 || page.Rejected[0].ID != "" {
			t.Errorf("%q: %+v, %v", body, page, err)
		}
	}
}
