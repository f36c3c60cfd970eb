package console

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rsc.io/qr"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/api"
	"github.com/contactbridge/contactbridge/web/carddav"
	"github.com/contactbridge/contactbridge/web/console/view"
	"github.com/contactbridge/contactbridge/web/phonebooks"
)

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
func (c *Console) phonebook(q *request) error { return q.showPhonebook(http.StatusOK, view.KeyForm{}) }

func (q *request) showPhonebook(status int, f view.KeyForm) error {
	account, name := q.PathValue("account"), q.PathValue("phonebook")
	stands, err := q.console.hub.PhonebookOf(q.Context(), account, name)
	if err != nil {
		return err
	}
	b := stands.Book
	if b == nil { // it is gone from the configuration file, and the directory is about to hear of it
		return &failure.Error{Code: failure.NotFound, Message: "there is no such phonebook", Hint: "Look at the list of phonebooks."}
	}
	p := view.Phonebook{Account: account, Name: name, Where: b.Where, Makers: phonebooks.Makers(), Stands: &stands, Declared: declaredUsers(b), Form: f}
	if err := q.console.addresses(q, b, &p); err != nil {
		return err
	}
	if p.Asked = strings.TrimSpace(q.URL.Query().Get("q")); p.Asked != "" && q.page.May.Contacts {
		if p.Shown, err = preview(q, b, p.Asked[:min(len(p.Asked), 200)]); err != nil && !errors.Is(err, phonebook.ErrNotFilled) {
			return err
		}
	}
	q.page.Section = view.SectionPhonebooks
	return q.show(status, name, view.PhonebookPage(q.page, p))
}

// declaredUsers are those with which devices sign in by the configuration file.
func declaredUsers(b *phonebook.Book) (all []view.DeclaredUser) {
	if b.HTTP != nil && b.HTTP.User != "" {
		all = append(all, view.DeclaredUser{Name: b.HTTP.User, Way: "password, over HTTP"})
	}
	if b.HTTP != nil && b.HTTP.SecretPath != "" {
		all = append(all, view.DeclaredUser{Way: "secret address"})
	}
	if b.LDAP != nil && b.LDAP.BindDN != "" {
		all = append(all, view.DeclaredUser{Name: b.LDAP.BindDN, Way: "password, over LDAP"})
	}
	if b.CardDAV != nil && b.CardDAV.User != "" {
		all = append(all, view.DeclaredUser{Name: b.CardDAV.User, Way: "password, over CardDAV"})
	}
	return all
}

// reach is where devices reach the hub.
func (c *Console) reach(q *request) (*url.URL, error) {
	base := strings.TrimSuffix(c.options.PublicURL, "/")
	if base == "" {
		base = "http://" + q.Host
		if c.options.Secure {
			base = "https://" + q.Host
		}
	}
	return url.Parse(base)
}

// addresses adds where the phonebook is read. No secret is among them.
func (c *Console) addresses(q *request, b *phonebook.Book, p *view.Phonebook) error {
	at, err := c.reach(q)
	if err != nil {
		return err
	}
	if b.HTTP != nil {
		p.HTTP = &view.PhonebookHTTP{URL: at.String() + phonebooks.Prefix + b.Slug() + "/", User: b.HTTP.User, Secret: b.HTTP.SecretPath != ""}
	}
	if b.LDAP != nil {
		user := b.LDAP.BindDN
		if user == "" && !b.LDAP.Anonymous {
			user = b.LDAP.KeyDN("CREDENTIAL")
		}
		if p.LDAP, err = ldapOf(at, b.LDAP, user); err != nil {
			return err
		}
	}
	if b.CardDAV != nil {
		p.CardDAV, err = cardsOf(at, b, b.CardDAV.User)
	}
	return err
}

func ldapOf(at *url.URL, l *phonebook.LDAP, user string) (*view.PhonebookLDAP, error) {
	host, port, err := net.SplitHostPort(l.Listen)
	if err != nil {
		return nil, err
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = at.Hostname() // it listens everywhere
	}
	return &view.PhonebookLDAP{Server: host, Port: port, Base: l.Base, User: user, TLS: tlsOf(l), Anonymous: l.Anonymous}, nil
}

// cardsOf is where a phonebook is read over CardDAV, with a code for mobiles where the user is known.
func cardsOf(at *url.URL, b *phonebook.Book, user string) (*view.PhonebookCardDAV, error) {
	path := carddav.Prefix + b.Slug() + "/"
	v := &view.PhonebookCardDAV{URL: at.String() + path, User: user}
	if user == "" {
		return v, nil
	}
	scheme := "carddav"
	if at.Scheme == "https" {
		scheme = "carddavs"
	}
	code, err := qr.Encode((&url.URL{Scheme: scheme, User: url.User(user), Host: at.Host, Path: path}).String(), qr.M)
	if err != nil {
		return nil, err
	}
	v.Size, v.Dark = code.Size, code.Black
	return v, nil
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

// addKey makes a credential and shows it, this once.
func (c *Console) addKey(q *request) error {
	account, name := q.PathValue("account"), q.PathValue("phonebook")
	f := view.KeyForm{Name: strings.TrimSpace(q.PostForm.Get("name")), Kind: registry.KeyKind(q.PostForm.Get("kind"))}
	k, secret, err := c.hub.AddKey(q.Context(), account, name, f.Name, f.Kind)
	if err != nil {
		if f.Problem = problemOf(err); f.Problem != nil {
			return q.showPhonebook(http.StatusUnprocessableEntity, f)
		}
		return err
	}
	at, err := c.reach(q)
	if err != nil {
		return err
	}
	v := view.MadeKey{PhonebookKey: k, Secret: secret}
	if b := c.hub.Books().Of(account, name); b != nil { // it may have been removed meanwhile
		made := api.ViewCreated(b, k, secret)
		if made.HTTP != "" {
			v.HTTP = &view.PhonebookHTTP{URL: at.String() + made.HTTP}
		}
		if made.LDAP != nil {
			if v.LDAP, err = ldapOf(at, b.LDAP, made.LDAP.BindDN); err != nil {
				return err
			}
		}
		if made.CardDAV != "" {
			if v.CardDAV, err = cardsOf(at, b, k.Name); err != nil {
				return err
			}
		}
	}
	q.page.Section = view.SectionPhonebooks
	return q.show(http.StatusOK, "Credential "+k.Name, view.KeyPage(q.page, v))
}

func (c *Console) confirmRevokeKey(q *request) error {
	v, err := c.hub.PhonebookOf(q.Context(), q.PathValue("account"), q.PathValue("phonebook"))
	if err != nil {
		return err
	}
	name := q.PathValue("credential")
	if !slices.ContainsFunc(v.Keys, func(k registry.PhonebookKey) bool { return k.Name == name }) {
		return &failure.Error{Code: failure.NotFound, Message: "credential not found", Hint: "Another user may have revoked it. Look at the phonebook."}
	}
	read := "No device has read the phonebook with it."
	if last := v.ReadBy(name); !last.IsZero() {
		read = "A device has read the phonebook with it " + q.page.Ago(last) + "."
	}
	q.page.Section = view.SectionPhonebooks
	return c.confirm(q, view.Confirmation{
		Title: "Revoke the credential " + name, Danger: true, Button: "Revoke it", Cancel: view.PhonebookPath(v.Account, v.Name),
		Says: []string{
			"Devices that use it are refused from now on, and what is being sent to them is broken off. " + read,
			"Other credentials are good as before. What a device has copied stays on it.",
		},
	})
}

func (c *Console) revokeKey(q *request) error {
	account, name := q.PathValue("account"), q.PathValue("phonebook")
	if err := c.hub.RevokeKey(q.Context(), account, name, q.PathValue("credential")); err != nil {
		return err
	}
	return q.redirect(view.PhonebookPath(account, name), "revoked")
}

func (c *Console) newPhonebook(q *request) error {
	return q.showPhonebookForm(http.StatusOK, view.PhonebookForm{New: true, Account: q.chosen(), HasHTTP: true, HasLDAP: c.hub.MayReadOverLDAP(), HasCardDAV: true})
}

func (c *Console) editPhonebook(q *request) error {
	v, err := c.hub.PhonebookOf(q.Context(), q.PathValue("account"), q.PathValue("phonebook"))
	if err != nil {
		return err
	}
	if v.Settings == nil {
		return declaredPhonebook(v.Name)
	}
	s := *v.Settings
	f := view.PhonebookForm{Account: v.Account, Name: v.Name, Settings: s, HasHTTP: s.HTTP != nil, HasLDAP: s.LDAP != nil, HasCardDAV: s.CardDAV != nil, Zero: s.LDAP != nil && s.LDAP.SizeLimitCode == 0}
	switch {
	case s.HTTP != nil:
		f.Title = s.HTTP.Title
	case s.CardDAV != nil:
		f.Title = s.CardDAV.Title
	}
	return q.showPhonebookForm(http.StatusOK, f)
}

func declaredPhonebook(name string) error {
	return &failure.Error{Code: failure.Managed, Message: "the phonebook " + name + " is declared by the configuration file", Hint: "Change it there and start the hub again."}
}

func (q *request) showPhonebookForm(status int, f view.PhonebookForm) error {
	h := q.console.hub
	if f.Account != "" {
		a, err := h.Account(q.Context(), f.Account)
		if err != nil {
			return err
		}
		f.Region = a.Region
		integrations, err := h.Integrations(q.Context(), f.Account, directory.Key{}, 0)
		if err != nil {
			return err
		}
		for _, i := range integrations {
			f.Integrations = append(f.Integrations, i.Key.Integration)
		}
	}
	f.MayLDAP = h.MayReadOverLDAP()
	title := "Add a phonebook"
	if !f.New {
		title = "Change " + f.Name
	}
	q.page.Section = view.SectionPhonebooks
	return q.show(status, title, view.PhonebookFormPage(q.page, f))
}

// typedPhonebook is a phonebook as it was typed.
func (q *request) typedPhonebook() (view.PhonebookForm, registry.Phonebook) {
	get := func(name string) string { return strings.TrimSpace(q.PostForm.Get(name)) }
	ways := q.PostForm["way"]
	f := view.PhonebookForm{
		Title: get("title"), Zero: get("zero") != "", HasHTTP: slices.Contains(ways, "http"), HasLDAP: slices.Contains(ways, "ldap"), HasCardDAV: slices.Contains(ways, "carddav"),
	}
	f.Settings = registry.PhonebookSettings{
		Integrations: q.PostForm["integration"], Where: get("where"),
		Numbers: registry.PhonebookNumbers{Format: get("numbers.format"), Region: get("numbers.region"), Area: get("numbers.area"), OutsidePrefix: get("numbers.outside_prefix")},
		HTTP:    &registry.PhonebookHTTP{Title: f.Title, First: get("http.first"), Prefer: get("http.prefer"), Allow: strings.Fields(get("http.allow"))},
	}
	p := registry.Phonebook{Settings: f.Settings}
	if !f.HasHTTP {
		p.Settings.HTTP = nil
	}
	if f.HasLDAP {
		p.Settings.LDAP = &registry.PhonebookLDAP{SizeLimitCode: 4}
		if f.Zero {
			p.Settings.LDAP.SizeLimitCode = 0
		}
	}
	if f.HasCardDAV {
		p.Settings.CardDAV = &registry.PhonebookDAV{Title: f.Title}
	}
	return f, p
}

func (c *Console) addPhonebook(q *request) error {
	f, p := q.typedPhonebook()
	f.New, f.Name, f.Account = true, strings.TrimSpace(q.PostForm.Get("name")), strings.TrimSpace(q.PostForm.Get("account"))
	p.Name, p.Account = f.Name, f.Account
	if b := c.hub.Books().Of(p.Account, p.Name); b != nil && q.actor.May(registry.ScopeAdmin, p.Account) {
		f.Problem = &view.Problem{Field: "name", Message: "there is a phonebook of this name", Hint: "Choose another name, or change that one."}
		return q.showPhonebookForm(http.StatusUnprocessableEntity, f)
	}
	return q.putPhonebook(f, p)
}

func (c *Console) changePhonebook(q *request) error {
	f, p := q.typedPhonebook()
	f.Account, f.Name = q.PathValue("account"), q.PathValue("phonebook")
	p.Account, p.Name = f.Account, f.Name
	v, err := c.hub.PhonebookOf(q.Context(), p.Account, p.Name) // a change makes no new one
	if err != nil {
		return err
	}
	if v.Settings == nil {
		return declaredPhonebook(v.Name)
	}
	was := v.Settings
	if was.HTTP != nil && was.CardDAV != nil && p.Settings.CardDAV != nil && f.Title == was.HTTP.Title {
		p.Settings.CardDAV.Title = was.CardDAV.Title // the form shows one title, which was not changed
	}
	return q.putPhonebook(f, p)
}

func (q *request) putPhonebook(f view.PhonebookForm, p registry.Phonebook) error {
	if _, err := q.console.hub.PutPhonebook(q.Context(), p); err != nil {
		if f.Problem = problemOf(err); f.Problem != nil {
			return q.showPhonebookForm(http.StatusUnprocessableEntity, f)
		}
		return err
	}
	return q.redirect(view.PhonebookPath(p.Account, p.Name), "changed")
}

func (c *Console) confirmRemovePhonebook(q *request) error {
	v, err := c.hub.PhonebookOf(q.Context(), q.PathValue("account"), q.PathValue("phonebook"))
	if err != nil {
		return err
	}
	q.page.Section = view.SectionPhonebooks
	return c.confirm(q, view.Confirmation{
		Title: "Remove the phonebook " + v.Name, Danger: true, Button: "Remove it", Cancel: view.PhonebookPath(v.Account, v.Name),
		Says: []string{
			"Its credentials are revoked (" + q.page.Number(int64(len(v.Keys))) + "), and its devices are refused from now on. What a device has copied stays on it.",
			"No contact is deleted.",
		},
	})
}

func (c *Console) removePhonebook(q *request) error {
	account := q.PathValue("account")
	if err := c.hub.RemovePhonebook(q.Context(), account, q.PathValue("phonebook")); err != nil {
		return err
	}
	return q.redirect(view.WithAccount("/phonebooks-of", account), "removed")
}
