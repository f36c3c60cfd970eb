package rest

import (
	"context"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

// linkAccount is what stands for the account's name in link.
const linkAccount = "account"

// linkParts returns the language's link with the connection's values and the account in it: what is left differs from record to record.
func (c *client) linkParts(ctx context.Context) ([]textPart, error) {
	values := c.values
	var parts []textPart
	for _, p := range c.factory.language.Link.parts {
		if p.name == "" || p.name == "id" || strings.HasPrefix(p.name, recordPrefix) {
			parts = append(parts, p)
			continue
		}
		if p.name == linkAccount {
			account, err := c.account(ctx)
			if err != nil {
				return nil, err
			}
			values = values.with(scope{linkAccount: account})
		}
		value, err := p.value(values)
		if err != nil {
			return nil, err
		}
		parts = append(parts, textPart{literal: textOf(value)})
	}
	return parts, nil
}

// url returns a record's page; empty if a value that stands in it is missing.
func (w *walk) url(i item) string {
	var b strings.Builder
	for _, p := range w.link {
		value := p.literal
		switch path, ofRecord := strings.CutPrefix(p.name, recordPrefix); {
		case p.name == "id":
			value, _ = source.EscapeURL(i.id)
		case ofRecord:
			column := slices.Index(w.f.columns.Names(), path)
			if column < 0 || len(i.values[column]) == 0 {
				return ""
			}
			value, _ = source.EscapeURL(string(i.values[column]))
		}
		b.WriteString(value)
	}
	return b.String()
}
