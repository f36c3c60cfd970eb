package vcard_test

import (
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file/filetest"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	ours "github.com/contactbridge/contactbridge/source/vcard"
)

const suiteConfig = `
path: '{{auth.tenant}}.vcf'
id: uid
deleted: x-gone
fields:
  name: fn
  title: title
  company: org
  emails: "map(email, #)"
  phones: "map(tel, #)"
  websites: url
  photo_url: photo
  address: label
  twitter: twitter
  url: x-url
  custom_fields: {Plan: x-plan}
`

func TestSource(t *testing.T) {
	t.Run("updated", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Target{New: service(t, suiteConfig+"updated: rev\n"), Restarts: true, HistoryTime: time.Second})
	})
	t.Run("whole file", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Target{New: service(t, suiteConfig), Restarts: true, Unsorted: true, HistoryTime: time.Second})
	})
}

func service(t *testing.T, config string) func(testing.TB) sourcetest.Service {
	return filetest.Service("vcf", encode, func(deps source.Deps) (source.Factory, error) {
		var cfg ours.Config
		if err := yaml.Load([]byte(config), &cfg, yaml.WithKnownFields()); err != nil {
			t.Fatal(err)
		}
		return ours.New(cfg, deps)
	})
}

func encode(list []filetest.Exported) []byte {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			b.WriteString(name + ":" + strings.NewReplacer(`\`, `\\`, "\n", `\n`, ",", `\,`, ";", `\;`).Replace(value) + "\r\n")
		}
	}
	for _, c := range list {
		b.WriteString("BEGIN:VCARD\r\nVERSION:4.0\r\n")
		line("UID", c.ID)
		line("FN", c.Name)
		line("TITLE", c.Title)
		line("ORG", c.Company)
		for _, email := range c.Emails {
			line("EMAIL", email)
		}
		for _, number := range c.Phones {
			line("TEL", number)
		}
		for _, url := range c.Websites {
			line("URL", url)
		}
		line("PHOTO", c.PhotoURL)
		line("LABEL", c.Address)
		line("X-TWITTER", c.Twitter)
		line("X-URL", c.URL)
		for _, field := range c.CustomFields {
			line("X-PLAN", field.Value)
		}
		line("REV", c.Updated)
		line("X-GONE", c.Deleted)
		b.WriteString("END:VCARD\r\n")
	}
	return []byte(b.String())
}
