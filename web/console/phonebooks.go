package console

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"rsc.io/qr"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/carddav"
	"github.com/contactbridge/contactbridge/web/console/view"
	"github.com/contactbridge/contactbridge/web/phonebooks"
)

// hasPhonebooks reports whether there is a page of phonebooks.
func (c *Console) hasPhonebooks() bool { return len(c.options.Phonebooks.All()) > 0 }

// phonebooks lists those of an account.
func (c *Console) phonebooks(q *request) error {
	var books []hub.PhonebookView
	account := q.chosen()
	if account != "" {
		var err error
		if books, err = c.hub.PhonebooksOf(q.Context(), account); err != nil {
			return err
		}
	}
	q.page.Section = view.SectionPhonebooks
	return q.show(http.StatusOK, "Phonebooks", view.PhonebooksPage(q.page, account, books))
}

// mostShown is how many entries a preview shows.
const mostShown = 10

// phonebook shows how one is read, by whom, and what devices show.
func (c *Console) phonebook(q *request) error {
	b := c.options.Phonebooks.Find(q.PathValue("phonebook"))
	gone := &failure.Error{Code: failure.NotFound, Message: "there is no such phonebook", Hint: "Phonebooks are declared in the hub's configuration: see docs/phones.md."}
	if b == nil || b.Account != q.PathValue("account") {
		return gone
	}
	p := view.Phonebook{Account: b.Account, Name: b.Name, Where: b.Where, Makers: phonebooks.Makers()}
	books, err := c.hub.PhonebooksOf(q.Context(), b.Account)
	if err != nil {
		return err
	}
	for i := range books {
		if books[i].Name == b.Name {
			p.Stands = &books[i]
		}
	}
	if p.Stands == nil {
		return gone
	}
	if err := c.addresses(q, b, &p); err != nil {
		return err
	}
	if p.Asked = strings.TrimSpace(q.URL.Query().Get("q")); p.Asked != "" && q.page.May.Contacts {
		if p.Shown, err = preview(q, b, p.Asked[:min(len(p.Asked), 200)]); err != nil {
			return err
		}
	}
	q.page.Section = view.SectionPhonebooks
	return q.show(http.StatusOK, b.Name, view.PhonebookPage(q.page, p))
}

// addresses adds where the phonebook is read. No secret is among them: it stands in the configuration.
func (c *Console) addresses(q *request, b *phonebook.Book, p *view.Phonebook) error {
	base := strings.TrimSuffix(c.options.PublicURL, "/")
	if base == "" {
		base = "http://" + q.Host
		if c.options.Secure {
			base = "https://" + q.Host
		}
	}
	at, err := url.Parse(base)
	if err != nil {
		return err
	}
	if b.HTTP != nil {
		p.HTTP = &view.PhonebookHTTP{URL: base + phonebooks.Prefix + b.Name + "/", User: b.HTTP.User, Secret: b.HTTP.SecretPath != ""}
	}
	if b.LDAP != nil {
		host, port, err := net.SplitHostPort(b.LDAP.Listen)
		if err != nil {
			return err
		}
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = at.Hostname() // it listens everywhere
		}
		p.LDAP = &view.PhonebookLDAP{Server: host, Port: port, Base: b.LDAP.Base, User: b.LDAP.BindDN, TLS: tlsOf(b.LDAP), Anonymous: b.LDAP.Anonymous}
	}
	if b.CardDAV != nil {
		p.CardDAV = &view.PhonebookCardDAV{URL: base + carddav.Prefix + b.Name + "/", User: b.CardDAV.User}
		scheme := "carddav"
		if at.Scheme == "https" {
			scheme = "carddavs"
		}
		code, err := qr.Encode((&url.URL{Scheme: scheme, User: url.User(b.CardDAV.User), Host: at.Host, Path: carddav.Prefix + b.Name + "/"}).String(), qr.M)
		if err != nil {
			return err
		}
		p.CardDAV.Size, p.CardDAV.Dark = code.Size, code.Black
	}
	return nil
}

func tlsOf(l *phonebook.LDAP) string {
	switch {
	case l.Cert == "":
		return "none"
	case l.StartTLS:
		return "StartTLS"
	}
	return "LDAPS"
}

// preview is what devices show of what is typed, or who calls.
func preview(q *request, b *phonebook.Book, text string) ([]view.ShownEntry, error) {
	v, err := b.Open(q.Context())
	if err != nil {
		return nil, err
	}
	find := v.Search
	digits := phonebook.OnlyDigits(text)
	if len(digits) >= 4 && len(digits) >= len(text)/2 {
		find = v.Number
	}
	entries, err := find(q.Context(), text, mostShown)
	shown := make([]view.ShownEntry, len(entries))
	for i := range entries {
		e := &entries[i]
		shown[i] = view.ShownEntry{Name: e.Name, Family: e.Family, Given: e.Given, Company: e.Company}
		for _, n := range e.AllNumbers() {
			shown[i].Numbers = append(shown[i].Numbers, n.Dial)
		}
	}
	return shown, err
}
