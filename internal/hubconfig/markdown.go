package hubconfig

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"github.com/contactbridge/contactbridge/internal/config"
)

//go:generate sh -c "$DOLLAR{CONTACTBRIDGE_BINARY:-go run ../../cmd/contactbridge} config docs --hub --output ../../docs/hub-configuration.md"

//go:embed reference.md.tmpl
var reference string

// Markdown is the reference of the configuration: every key, from the tags that the loader goes by.
func Markdown() ([]byte, error) {
	t, err := template.New("reference").Funcs(template.FuncMap{"table": config.Table}).Parse(reference)
	if err != nil {
		return nil, fmt.Errorf("read the reference's template: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]any{
		"Config": &Config{}, "TLS": &TLS{}, "ACME": &config.Authority{}, "Account": &Account{}, "Callers": &Callers{}, "Calls": &Calls{}, "Integration": &Integration{}, "Field": &Field{}, "OAuth": &OAuth{}, "OAuthClient": &OAuthClient{}, "Files": &Files{}, "Limits": &Limits{}, "Ceilings": &Ceilings{}, "Guard": &Guard{},
		"Token": &Token{}, "Webhook": &Webhook{}, "Alerts": &Alerts{}, "SMTP": &SMTP{}, "Receiver": &Receiver{}, "Phonebook": &Phonebook{}, "BookNumbers": &BookNumbers{}, "PhonebookHTTP": &PhonebookHTTP{}, "PhonebookLDAP": &PhonebookLDAP{}, "BookTLS": &BookTLS{}, "PhonebookDAV": &PhonebookDAV{}, "Network": &Network{}, "Secrets": &Secrets{}, "Keep": &Keep{}, "SignIn": &SignIn{},
	}); err != nil {
		return nil, fmt.Errorf("write the reference: %w", err)
	}
	return out.Bytes(), nil
}
