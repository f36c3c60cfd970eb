package json

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file/filetest"
)

// contactsOf reads the contacts of a document: id, name, title, company, emails, phones, websites, address, custom fields, and a minus
// in front of one that is deleted.
func contactsOf(t *testing.T, config, content string) []string {
	t.Helper()
	var list []string
	filetest.Serve(t, "a.json", content, func(folder string) (source.Factory, error) {
		var cfg Config
		if err := yaml.Unmarshal([]byte("{path: a.json"+config+"}"), &cfg); err != nil {
			return nil, err
		}
		return New(cfg, source.Deps{Folder: folder})
	}, func(change *bridge.Change) {
		c := &change.Contact
		parts := []string{c.ID, c.Name, c.Title, c.Company, strings.Join(c.Emails, " "), strings.Join(c.Phones, " "), strings.Join(c.Websites, " "), c.Address}
		for _, custom := range c.CustomFields {
			parts = append(parts, custom.Key+"="+custom.Value)
		}
		text := strings.Join(parts, "|")
		if change.Deleted {
			text = "-" + text
		}
		list = append(list, strings.Clone(text))
	})
	return list
}

// Odoo and others write false for what is empty: it is no name, no number and no address. A field that is a truth value stays one.
func TestTruthValuesAreNoData(t *testing.T) {
	empty := `[{"id":7,"name":"Ada","title":false,"company":false,"email":false,"phone":"1","mobile":false,"website":false,"address":{"street":false,"city":"X"},"news":false,"gone":false},` +
		`{"id":8,"name":false,"title":"CTO","company":{"name":"Acme"},"email":"b@x.example","phone":true,"mobile":"2","website":"x.example","address":false,"news":true,"gone":true},` +
		`{"id":9,"name":"false","title":false,"company":{"name":false},"email":[false,"c@x.example"],"phone":[true,false],"mobile":false,"address":{"street":"1 Low St","city":false}}]`
	for name, test := range map[string]struct {
		config, content string
		want            []string
	}{
		"no fields": {"", empty, []string{
			"7|Ada||||1||X", "8||CTO|Acme|b@x.example|2|x.example|", `9||||[false,"c@x.example"]|[true,false]||1 Low St`,
		}},
		"fields": {
			", id: id, deleted: gone, fields: {name: name, title: title, company: company, emails: email, phones: [phone, mobile], websites: website, address: address, custom_fields: {News: news}}", empty,
			[]string{`7|Ada||||1||{"city":"X"}|News=false`, `-8||CTO|{"name":"Acme"}|b@x.example|2|x.example||News=true`, `9||||[false,"c@x.example"]|[true,false]||{"street":"1 Low St"}`},
		},
		"expressions": {
			`, id: id, fields: {name: 'name ?? email ?? "nobody"', title: 'gone ? "former" : "here"', company: 'gone == true', phones: [mobile ?? phone], custom_fields: {Gone: gone, Not: 'gone == "false"', Title: title, Text: '"is " + news'}}`, empty,
			[]string{
				"7|Ada|here|||1|||Gone=false|Not=true|Text=is false", "8|b@x.example|former|||2|||Gone=true|Not=false|Title=CTO|Text=is true",
				"9|c@x.example|here||||||Not=false|Text=is",
			},
		},
		"nothing but truth values": {"", `[{"id":1,"name":"A","mobile":false,"company":{"name":false}},{"id":2,"name":"B","mobile":true}]`, []string{"1|A||||||", "2|B||||||"}},
		"texts are texts":          {"", `[{"id":1,"name":"True","company":"false"},{"id":2,"name":"false","company":"true"}]`, []string{"1|True||false||||", "2|false||true||||"}},
	} {
		if got := contactsOf(t, test.config, test.content); !slices.Equal(got, test.want) {
			t.Errorf("%s: contacts\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

// A key may be a text in most records and an object in one: that one takes nothing from the others.
func TestAKeyThatIsATextOrAnObject(t *testing.T) {
	got := contactsOf(t, "", `[{"id":1,"name":"Ann A","company":"Acme","address":"1 Low St, Leeds"},`+
		`{"id":2,"name":{"first":"Bob","last":"B"},"company":{"id":4,"name":"Beta"},"address":{"street":"2 High St","city":"York"}},`+
		`{"id":3,"name":"Cid C","title":{"name":"CTO"},"company":"Acme"},{"id":4,"name":{"last":"D"},"title":"CEO"}]`)
	want := []string{"1|Ann A||Acme||||1 Low St, Leeds", "2|Bob B||Beta||||2 High St, York", "3|Cid C|CTO|Acme||||", "4|D|CEO|||||"}
	if !slices.Equal(got, want) {
		t.Errorf("contacts\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
