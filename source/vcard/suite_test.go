package vcard_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	ours "github.com/contactbridge/contactbridge/source/vcard"
)

func TestSource(t *testing.T)          { suite().Run(t) }
func TestSourceWholeFile(t *testing.T) { suite().RunUnsorted(t) }

func suite() sourcetest.File {
	return sourcetest.File{Extension: ".vcf", Write: write, New: func(cfg file.Config, deps source.Deps) (source.Factory, error) {
		cfg.ID, cfg.Deleted = "uid", "x-gone"
		if cfg.Updated != "" {
			cfg.Updated = "rev"
		}
		cfg.Fields = record.Fields{
			Name: "fn", Title: "title", Company: "org", Emails: record.Expressions{"map(email, #)"}, Phones: record.Expressions{"map(tel, #)"},
			Websites: record.Expressions{"url"}, PhotoURL: "photo", Address: "label", Twitter: "twitter", URL: "x-url",
			CustomFields: record.CustomFields{{Key: "Plan", Expression: "x-plan"}},
		}
		return ours.New(ours.Config{Config: cfg}, deps)
	}}
}

// properties are those of the suite's columns.
var properties = map[string]string{
	"id": "UID", "name": "FN", "title": "TITLE", "company": "ORG", "email": "EMAIL", "email2": "EMAIL", "phone": "TEL", "mobile": "TEL",
	"website": "URL", "photo": "PHOTO", "address": "LABEL", "twitter": "X-TWITTER", "url": "X-URL", "plan": "X-PLAN", "updated": "REV",
	"gone": "X-GONE",
}

func write(columns []string, records [][]string) ([]byte, error) {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, ",", `\,`, ";", `\;`)
	for _, values := range records {
		b.WriteString("BEGIN:VCARD\r\nVERSION:4.0\r\n")
		for i, value := range values {
			if value != "" {
				b.WriteString(properties[columns[i]] + ":" + escape.Replace(value) + "\r\n")
			}
		}
		b.WriteString("END:VCARD\r\n")
	}
	return []byte(b.String()), nil
}
