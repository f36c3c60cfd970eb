package cell_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/cell"
)

func TestSeveralAddressesInOneCell(t *testing.T) {
	for text, want := range map[string]string{
		"a@x.example":                                 "a@x.example",
		"a@x.example ::: b@x.example":                 "a@x.example|b@x.example",
		"a@x.example;b@x.example":                     "a@x.example|b@x.example",
		"a@x.example；b@x.example":                     "a@x.example|b@x.example",
		"a@x.example,b@x.example":                     "a@x.example|b@x.example",
		"a@x.example、b@x.example，c@x.example":         "a@x.example|b@x.example|c@x.example",
		"a@x.example / b@x.example":                   "a@x.example|b@x.example",
		"a@x.example/b@x.example":                     "a@x.example|b@x.example",
		`a@x.example\b@x.example`:                     "a@x.example|b@x.example",
		"a@x.example | b@x.example & c@x.example":     "a@x.example|b@x.example|c@x.example",
		"a@x.example + b@x.example - c@x.example":     "a@x.example|b@x.example|c@x.example",
		"a@x.example – b@x.example • c@x.example":     "a@x.example|b@x.example|c@x.example",
		"a@x.example · b@x.example":                   "a@x.example|b@x.example",
		"a@x.example or b@x.example oder c@x.example": "a@x.example|b@x.example|c@x.example",
		"a@x.example\r\nb@x.example\u2028c@x.example": "a@x.example|b@x.example|c@x.example",
		"a@x.example<br>b@x.example<BR />c@x.example": "a@x.example|b@x.example|c@x.example",
		"a@x.example\tb@x.example  c@x.example":       "a@x.example|b@x.example|c@x.example",
		"a@x.example b@x.example":                     "a@x.example|b@x.example",
		"a@x.example; a@x.example;":                   "a@x.example",
		"a@x.example; ask Jane; b@x.example":          "a@x.example|ask Jane|b@x.example",
		"Jane Doe <a@x.example>; Bob <b@x.example>":   "Jane Doe <a@x.example>|Bob <b@x.example>",
		"Doe, Jane <a@x.example>; b@x.example":        "Doe, Jane <a@x.example>|b@x.example",
		`"Doe; Jane" <a@x.example>, b@x.example`:      `"Doe; Jane" <a@x.example>|b@x.example`,
		"a+tag@x.example":                             "a+tag@x.example",
		"o'neil&sons@x.example":                       "o'neil&sons@x.example",
		"a-b@x.example; c_d@x.example":                "a-b@x.example|c_d@x.example",
		`["a@x.example",{"value":"b@x.example","type":"work"},["c@x.example; d@x.example"]]`: "a@x.example|b@x.example|c@x.example|d@x.example",
		`{"work":"a@x.example","home":"b@x.example"}`:                                        "a@x.example|b@x.example",
		"a@x.example;":                     "a@x.example",
		";e@x.example":                     "e@x.example",
		"c@x.example<br>":                  "c@x.example",
		"<p> d@x.example </p>":             "d@x.example",
		"::: a@x.example ::: ":             "a@x.example",
		"a@x.example\r\n":                  "a@x.example",
		"a@x.example |":                    "a@x.example",
		"- a@x.example, /":                 "a@x.example",
		"\u2028a@x.example；":               "a@x.example",
		"a@x.example; b@x.example<br>,":    "a@x.example|b@x.example",
		"Jane Doe <a@x.example>;":          "Jane Doe <a@x.example>",
		`["a@x.example;", ",b@x.example"]`: "a@x.example|b@x.example",
		" a@x.example ":                    " a@x.example ",
		"a-@x.example":                     "a-@x.example",
		";":                                ";",
		"ask Jane;":                        "ask Jane;",
		"ask Jane; call":                   "ask Jane; call",
		"":                                 "",
		"[":                                "[",
	} {
		if got := strings.Join(cell.Emails(text), "|"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestSeveralWebsitesInOneCell(t *testing.T) {
	for text, want := range map[string]string{
		"www.a.example ::: b.example":              "www.a.example|b.example",
		"a.example; b.example":                     "a.example|b.example",
		"a.example,b.example":                      "a.example|b.example",
		"https://a.example/x http://b.example":     "https://a.example/x|http://b.example",
		"https://a.example/x,y;z?a=b&c=d|e":        "https://a.example/x,y;z?a=b&c=d|e",
		"https://a.example/x,https://b.example/y":  "https://a.example/x|https://b.example/y",
		"https://a.example/x, https://b.example":   "https://a.example/x|https://b.example",
		"a.example / b.example - c.example":        "a.example|b.example|c.example",
		"a.example or b.example\nc.example":        "a.example|b.example|c.example",
		"our page is a.example":                    "our page is a.example",
		"our page is a.example;":                   "our page is a.example;",
		"www.a.example;":                           "www.a.example",
		"b.example :::":                            "b.example",
		":::b.example":                             "b.example",
		"b.example:::":                             "b.example",
		"a.example<br />":                          "a.example",
		"https://a.example/x;":                     "https://a.example/x",
		"https://a.example/x; https://b.example/,": "https://a.example/x|https://b.example/",
		"https://a.example/":                       "https://a.example/",
		"https://a.example/x-":                     "https://a.example/x-",
		"a.example; in the making":                 "a.example; in the making",
		`[{"url":"a.example"},"b.example"]`:        "a.example|b.example",
	} {
		if got := strings.Join(cell.Websites(text), "|"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestListsAreReadCellByCell(t *testing.T) {
	if got := strings.Join(cell.EachEmail([]string{"a@x.example;", "b@x.example"}), "|"); got != "a@x.example|b@x.example" {
		t.Errorf("addresses: %s", got)
	}
	if got := strings.Join(cell.EachWebsite([]string{"a.example:::", "b.example"}), "|"); got != "a.example|b.example" {
		t.Errorf("websites: %s", got)
	}
}

// saysNothing are JSON texts that hold no value.
var saysNothing = []string{
	"[]", " [ ] ", "{}", `""`, `" "`, "[null]", `[""]`, `["", " "]`, "[[]]", "[{}]", "[false]", `{"number":null}`, `{"home":"","work":[]}`,
	`{"type":"work"}`, `[{"type":"work","number":""},{"primary":true,"value":null}]`, `{"id":7,"name":"Jane","email":""}`,
}

func TestJSONThatSaysNothingHoldsNoValue(t *testing.T) {
	for _, text := range saysNothing {
		if values, ok := cell.JSON(text); !ok || len(values) > 0 {
			t.Errorf("%q: %q, %t", text, values, ok)
		}
		if list := cell.EachEmail([]string{text, "a@x.example"}); !slices.Equal(list, []string{"a@x.example"}) {
			t.Errorf("e-mail addresses of %q: %q", text, list)
		}
		if list := cell.EachWebsite([]string{text, "a.example"}); !slices.Equal(list, []string{"a.example"}) {
			t.Errorf("websites of %q: %q", text, list)
		}
	}
}

func TestTextThatIsNoListOfValuesMeansItself(t *testing.T) {
	for _, text := range []string{
		"[1", "[1] [2]", "{1}", "[,]", "[] []", "{]", "[}", strings.Repeat("[", 50) + "1" + strings.Repeat("]", 50), "12", "null", `{"remark":"none"}`, `{"id":12345678,"label":"x"}`,
	} {
		if values, ok := cell.JSON(text); ok {
			t.Errorf("%q holds %q", text, values)
		}
		if list := cell.EachEmail([]string{text}); !slices.Equal(list, []string{text}) {
			t.Errorf("e-mail addresses of %q: %q", text, list)
		}
	}
	if values, ok := cell.JSON(`{"b":"1234","a":[5678,{"value":"9","ext":"7"}]}`); !ok || strings.Join(values, "|") != "1234|5678|9 ext. 7" {
		t.Errorf("%q, %t", values, ok)
	}
}

func FuzzReadTwice(f *testing.F) {
	for _, text := range []string{
		"a@x.example ::: b@x.example", "Doe, Jane <a@x>; b@y", `[{"value":"a@b"}]`, "http://a.example/x,y; www.b.example", "a@b/c@d or e@f", `"a;b" <c@d>, e@f`,
		"a@x.example;", "<br>www.a.example :::", "- a@b /",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, read := range map[string]func([]string) []string{"emails": cell.EachEmail, "websites": cell.EachWebsite} {
			once := slices.Clone(read([]string{text}))
			if twice := read(slices.Clone(once)); !slices.Equal(once, twice) {
				t.Errorf("%s %q: %q, read again %q", name, text, once, twice)
			}
		}
	})
}
