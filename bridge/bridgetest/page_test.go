package bridgetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// readAll reads a body and returns what was reported, as "case: message", and the ids.
func readAll(body string) (p *page, reports, ids []string) {
	r := reader{
		report: func(caseID, format string, args ...any) {
			reports = append(reports, caseID+": "+fmt.Sprintf(format, args...))
		},
		contact: func(id string, raw []byte) {
			if !json.Valid(raw) || raw[0] != '{' {
				reports = append(reports, "raw: "+string(raw))
			}
			ids = append(ids, id)
		},
		restart: func() { reports, ids = nil, nil },
	}
	return r.read([]byte(body)), reports, ids
}

func contactWith(fields string) string {
	return `{"contacts":[{"id":"1","name":"Jane Doe"` + fields + `}]}`
}

func TestGoodPagesAreReadWithoutAFinding(t *testing.T) {
	for _, body := range []string{
		`{"contacts":[]}`,
		`{"next_offset":null,"synchronization_checkpoint":null,"context":null,"contacts":[]}`,
		contactWith(``),
		contactWith(`,"title":"CTO","company":"Example Corp.","emails":["a@b.c"],"phones":["+15555555555"],"photo_url":"https://x/y.png",
			"address":"37, Famous St.","websites":["https://x"],"twitter":"jane_doe","url":"https://x/1",
			"custom_fields":[{"key":"A {\"}","value":""},{"value":"v","key":"k"}]`),
		`{"contacts":[{"custom_fields":[{"key":"k","value":"v"}],"name":"Jos\u00e9 \ud83d\ude00 Zoë","id":"{1"}],"extra":{"a":[1,2,{}]}}`,
		`{"contacts":[{"id":"1","name":"A"},{"id":"2","name":"B"}],"deleted_contacts":["3"]}`,
	} {
		if p, reports, _ := readAll(body); p == nil || len(reports) > 0 {
			t.Errorf("%s: %q", body, reports)
		}
	}
}

func TestEveryViolationOnAPageIsReportedUnderItsCase(t *testing.T) {
	for body, want := range map[string]string{
		``:                                 "json",
		`[]`:                               "json",
		`"x"`:                              "json",
		`<html>`:                           "json",
		`{"contacts":[]`:                   "json",
		`{"contacts":[]} {}`:               "json",
		"\xef\xbb\xbf" + `{"contacts":[]}`: "json",
		contactWith(`,"title":"Zo` + "\xeb" + `"`):                            "json",
		contactWith(`,"title":"\ud83d"`):                                      "json",
		contactWith(`,"title":"A","title":"B"`):                               "json-duplicate-keys",
		`{}`:                                                                  "contacts-array",
		`{"contacts":null}`:                                                   "contacts-array",
		`{"contacts":{"id":"1"}}`:                                             "contacts-array",
		`{"contacts":[],"next_offset":2}`:                                     "next-offset-type",
		`{"contacts":[],"next_offset":{}}`:                                    "next-offset-type",
		`{"contacts":[],"next_offset":""}`:                                    "next-offset-empty",
		`{"contacts":[],"synchronization_checkpoint":1353452460}`:             "checkpoint-type",
		`{"contacts":[],"synchronization_checkpoint":""}`:                     "checkpoint-empty",
		`{"contacts":["1"]}`:                                                  "contact-types",
		`{"contacts":[{"name":"A"}]}`:                                         "contact-id",
		`{"contacts":[{"id":1,"name":"A"}]}`:                                  "contact-id",
		`{"contacts":[{"id":null,"name":"A"}]}`:                               "contact-id",
		`{"contacts":[{"id":"","name":"A"}]}`:                                 "contact-id",
		`{"contacts":[{"id":"1"}]}`:                                           "contact-name",
		`{"contacts":[{"id":"1","name":null}]}`:                               "contact-name",
		`{"contacts":[{"id":"1","name":5}]}`:                                  "contact-name",
		`{"contacts":[{"id":"1","name":" "}]}`:                                "contact-name",
		`{"contacts":[{"id":"1","name":"` + strings.Repeat("x", 300) + `"}]}`: "long-names",
		contactWith(`,"phones":"+1"`):                                         "contact-types",
		contactWith(`,"phones":[1]`):                                          "contact-types",
		contactWith(`,"phones":[null]`):                                       "contact-types",
		contactWith(`,"company":7`):                                           "contact-types",
		contactWith(`,"custom_fields":{"a":"b"}`):                             "contact-types",
		contactWith(`,"custom_fields":["a"]`):                                 "contact-types",
		contactWith(`,"custom_fields":[{"key":"a"}]`):                         "contact-types",
		contactWith(`,"custom_fields":[{"key":"a","value":null}]`):            "contact-types",
		contactWith(`,"custom_fields":[]`):                                    "contact-empties",
		contactWith(`,"emails":[]`):                                           "contact-empties",
		contactWith(`,"emails":[""]`):                                         "contact-empties",
		contactWith(`,"title":""`):                                            "contact-empties",
		contactWith(`,"title":null`):                                          "contact-nulls",
		contactWith(`,"phone":"+1"`):                                          "contact-unknown-fields",
		contactWith(`,"title":"Zo` + "\ufffd" + `"`):                          "text-damage",
		contactWith(`,"title":"a\u0000b"`):                                    "text-damage",
		contactWith(`,"title":"MÃ¼ller"`):                                     "text-damage",
		`{"contacts":[],"deleted_contacts":{}}`:                               "deletions",
		`{"contacts":[],"deleted_contacts":[1]}`:                              "deletions",
		`{"contacts":[],"rejected_contacts":{}}`:                              "deletions",
		`{"contacts":[],"rejected_contacts":["1"]}`:                           "deletions",
	} {
		_, reports, _ := readAll(body)
		if len(reports) != 1 || !strings.HasPrefix(reports[0], want+": ") {
			t.Errorf("%.100s: %q, want one of %s", body, reports, want)
		}
	}
}

func TestAPageIsReadDespiteItsFaults(t *testing.T) {
	p, _, ids := readAll(`{"next_offset":3,"synchronization_checkpoint":12,"contacts":[{"id":7,"name":null},{"name":"x"},{"id":"8"}],"contacts_total":1,"contacts_total":2}`)
	if p == nil || p.next != "3" || p.checkpoint != "12" || p.contacts != 3 || !slices.Equal(ids, []string{"7", "8"}) {
		t.Errorf("%+v, ids %q", p, ids)
	}
}

func TestContextIsKeptByteForByte(t *testing.T) {
	const context = `{ "b":1.0, "a": [ "\u00e9" ] }`
	if p, _, _ := readAll(`{"contacts":[],"context":` + context + `}`); string(p.context) != context {
		t.Errorf("%s", p.context)
	}
	again := reencode([]byte(context))
	if string(again) != `{"a":["é"],"b":1.0}` {
		t.Errorf("reencoded: %s", again)
	}
}

func FuzzReadPage(f *testing.F) {
	f.Add(contactWith(`,"phones":["+1",null],"custom_fields":[{"key":"a","value":1}]`))
	f.Add(`{"next_offset":"x","contacts":[{"id":"1"},{"id":"1","id":"2"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		p, reports, ids := readAll(body)
		reported := slices.ContainsFunc(reports, func(r string) bool { return strings.HasPrefix(r, "json: ") })
		if p == nil && !reported {
			t.Error("no page, and no reason")
		}
		if !reported && !json.Valid([]byte(body)) {
			t.Error("broken JSON was not reported")
		}
		if p != nil && len(ids) > p.contacts {
			t.Errorf("%d ids of %d contacts", len(ids), p.contacts)
		}
		for _, r := range reports {
			if strings.HasPrefix(r, "raw: ") && !reported {
				t.Error(r)
			}
		}
	})
}
