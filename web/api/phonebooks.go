package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/carddav"
	"github.com/contactbridge/contactbridge/web/phonebooks"
)

type readerView struct {
	Way     string    `json:"way" enum:"http,ldap,carddav" doc:"How it reads."`
	Name    string    `json:"name,omitempty" doc:"The name that it signs in with; absent where it uses a secret path, or reads anonymously."`
	Address string    `json:"address" doc:"The address that it reads from; its network (/64) for IPv6 over LDAP."`
	Device  string    `json:"device,omitempty" doc:"What it says it is (User-Agent)."`
	Copies  bool      `json:"copies" doc:"It keeps a copy of the phonebook."`
	Since   time.Time `json:"since" doc:"When it read first."`
	Last    time.Time `json:"last" doc:"When it read last."`
	Times   int64     `json:"times" doc:"How often it has read."`
}

func viewReader(r registry.Reader) readerView {
	return readerView{Way: r.Way, Name: r.Name, Address: r.Address, Device: r.Device, Copies: r.Copies, Since: r.Since, Last: r.Last, Times: r.Times}
}

type deviceView struct {
	readerView
	Behind bool `json:"behind" doc:"It keeps a copy, and has not read since somebody was purged who was in the phonebook."`
}

// PhonebookSettings say what is in a phonebook, and how it is read. The words are those of the configuration file.
type PhonebookSettings struct {
	Integrations []string         `json:"integrations,omitempty" maxItems:"100" doc:"Only the contacts of these integrations. Default: all."`
	Where        string           `json:"where,omitempty" maxLength:"4096" doc:"Only the contacts of which this expression is true, such as  company != '' ."`
	Numbers      phonebookNumbers `json:"numbers,omitzero" doc:"How numbers are written, and how those are read that telephones ask for."`
	HTTP         *phonebookHTTP   `json:"http,omitempty" doc:"It is read over HTTP; absent: it is not."`
	LDAP         *phonebookLDAP   `json:"ldap,omitempty" doc:"It is read over LDAP, where the hub has an address for that; absent: it is not."`
	CardDAV      *phonebookDAV    `json:"carddav,omitempty" doc:"It is read over CardDAV; absent: it is not."`
}

type phonebookNumbers struct {
	Format        string `json:"format,omitempty" enum:"e164,idd,digits,national,local,raw" doc:"How numbers are written. Default: e164."`
	Region        string `json:"region,omitempty" maxLength:"2" doc:"The country where the telephones are: its two letters. Default: the account's region."`
	Area          string `json:"area,omitempty" maxLength:"6" doc:"Their own area code with its trunk prefix, such as 020."`
	OutsidePrefix string `json:"outside_prefix,omitempty" maxLength:"6" doc:"What is dialled for an outside line, such as 9. Not with e164 and raw."`
}

type phonebookHTTP struct {
	Title  string   `json:"title,omitempty" maxLength:"100" doc:"What telephones show. Default: the phonebook's name."`
	First  string   `json:"first,omitempty" enum:"name,changed,called" doc:"Which entries go in where a format does not take all. Default: name."`
	Prefer string   `json:"prefer,omitempty" maxLength:"4096" doc:"An expression: contacts of which it is true go in before all others."`
	Allow  []string `json:"allow,omitempty" maxItems:"100" doc:"Only these networks, such as 10.1.0.0/16. Default: every address."`
}

type phonebookLDAP struct {
	SizeLimitCode *int `json:"size_limit_code,omitempty" default:"4" enum:"0,4" doc:"What an answer says that has not all entries: 4, or 0 for telephones that show that as an error."`
}

type phonebookDAV struct {
	Title string `json:"title,omitempty" maxLength:"100" doc:"What address books show. Default: the phonebook's name."`
}

func (s PhonebookSettings) registry() registry.PhonebookSettings {
	return registry.PhonebookSettings{
		Integrations: s.Integrations, Where: s.Where, Numbers: registry.PhonebookNumbers(s.Numbers),
		HTTP: (*registry.PhonebookHTTP)(s.HTTP), LDAP: s.LDAP.registry(), CardDAV: (*registry.PhonebookDAV)(s.CardDAV),
	}
}

func viewPhonebookSettings(s *registry.PhonebookSettings) *PhonebookSettings {
	if s == nil {
		return nil
	}
	return &PhonebookSettings{
		Integrations: s.Integrations, Where: s.Where, Numbers: phonebookNumbers(s.Numbers),
		HTTP: (*phonebookHTTP)(s.HTTP), LDAP: viewPhonebookLDAP(s.LDAP), CardDAV: (*phonebookDAV)(s.CardDAV),
	}
}

func (l *phonebookLDAP) registry() *registry.PhonebookLDAP {
	if l == nil {
		return nil
	}
	code := 4
	if l.SizeLimitCode != nil {
		code = *l.SizeLimitCode
	}
	return &registry.PhonebookLDAP{SizeLimitCode: code}
}

func viewPhonebookLDAP(l *registry.PhonebookLDAP) *phonebookLDAP {
	if l == nil {
		return nil
	}
	return &phonebookLDAP{SizeLimitCode: &l.SizeLimitCode}
}

// A CredentialView is a credential of a phonebook without its secret.
type CredentialView struct {
	Name    string           `json:"name" doc:"Of the device or the site, with which it signs in. Unique in its phonebook."`
	Kind    registry.KeyKind `json:"kind" enum:"password,digest,path" doc:"password: it signs in with its name and a password. digest: also by HTTP Digest; the password is kept sealed, not hashed. path: its secret stands in the address."`
	Created time.Time        `json:"created" doc:"When it was made."`
	MadeBy  string           `json:"made_by" doc:"Who made it."`
	Last    *time.Time       `json:"last,omitempty" doc:"When a device read last with it, as far as that is kept. Absent: none has."`
}

// A CreatedCredential is a credential with its secret, and how devices use it.
type CreatedCredential struct {
	CredentialView
	Secret  string    `json:"secret" doc:"The password; of the kind path, what stands in the address. It is shown this once."`
	HTTP    string    `json:"http,omitempty" doc:"Where the phonebook's files are over HTTP, below the hub's address; with the secret of the kind path in it."`
	CardDAV string    `json:"carddav,omitempty" doc:"Where it is over CardDAV, below the hub's address."`
	LDAP    *ldapUser `json:"ldap,omitempty" doc:"Where it is over LDAP."`
}

type ldapUser struct {
	Listen string `json:"listen" doc:"Where the hub listens."`
	Base   string `json:"base" doc:"The DN that entries are below."`
	BindDN string `json:"bind_dn" doc:"What the device signs in as."`
}

type newCredential struct {
	Name string           `json:"name" minLength:"1" maxLength:"64" doc:"Of the device or the site: letters, digits, hyphen and underscore."`
	Kind registry.KeyKind `json:"kind,omitempty" default:"password" enum:"password,digest,path" doc:"password is good for every way in which the phonebook is read. digest is for devices that sign in over HTTP by Digest only. path is for those that cannot sign in: the secret stands in the address."`
}

type newCredentialInput struct {
	PhonebookPath
	Body newCredential
}

// PhonebookPath names a phonebook.
type PhonebookPath struct {
	Phonebook string `path:"phonebook" maxLength:"64" doc:"The phonebook."`
	InAccount
}

type credentialPath struct {
	Credential string `path:"credential" maxLength:"64" doc:"The credential's name."`
	PhonebookPath
}

type putPhonebookInput struct {
	PhonebookPath
	Body PhonebookSettings
}

type phonebookView struct {
	Name        string             `json:"name" doc:"The phonebook."`
	Managed     bool               `json:"managed,omitempty" doc:"Declared by the configuration file, and changed there only. Its credentials can be made here all the same."`
	Filled      bool               `json:"filled" doc:"Every contact was looked at. Before that, devices are told to come back."`
	Members     int64              `json:"members" doc:"Contacts that are in it."`
	Settings    *PhonebookSettings `json:"settings,omitempty" doc:"What is in it, and how it is read. Absent where the configuration file says that."`
	Credentials []CredentialView   `json:"credentials" doc:"What devices sign in with, besides what the configuration file says; by name."`
	Erased      *time.Time         `json:"erased,omitempty" doc:"When somebody was purged last who was in it."`
	Readers     []deviceView       `json:"readers" doc:"The devices that read it, the last one first, at most 500. They are forgotten 400 days after they have read last."`
}

type phonebooksView struct {
	Phonebooks []phonebookView `json:"phonebooks" doc:"By name."`
}

type erasedFromView struct {
	Name   string       `json:"name" doc:"The phonebook."`
	Behind []readerView `json:"behind" doc:"The devices that keep a copy, and have not read it since."`
}

func viewErasedFrom(e hub.ErasedFrom) erasedFromView {
	return erasedFromView{Name: e.Name, Behind: views(e.Behind, viewReader)}
}

func (a *API) routePhonebooks() {
	const tag, path = "contacts", "/api/v1/phonebooks/{phonebook}"
	register(a, operation{
		id: "listPhonebooks", method: http.MethodGet, path: "/api/v1/phonebooks", tag: tag, scopes: lookers,
		summary: "An account's phonebooks, and the devices that read them",
	}, func(ctx context.Context, _ *InAccount) (*answer[phonebooksView], error) {
		list, err := a.hub.PhonebooksOf(ctx, accountOf(ctx))
		return answered(phonebooksView{Phonebooks(list)}), err
	})
	register(a, operation{
		id: "readPhonebook", method: http.MethodGet, path: path, tag: tag, scopes: lookers, summary: "A phonebook, and the devices that read it",
	}, func(ctx context.Context, in *PhonebookPath) (*answer[phonebookView], error) {
		return a.phonebook(ctx, in.Phonebook)
	})
	register(a, operation{
		id: "putPhonebook", method: http.MethodPut, path: path, tag: tag, scopes: only(registry.ScopeAdmin), summary: "Make a phonebook, or change its settings",
		details: "All settings: what is absent has its default. A new phonebook is read by nobody until it has a credential. One that the configuration file declares is changed there only.",
	}, func(ctx context.Context, in *putPhonebookInput) (*answer[phonebookView], error) {
		if _, err := a.hub.PutPhonebook(ctx, registry.Phonebook{Account: accountOf(ctx), Name: in.Phonebook, Settings: in.Body.registry()}); err != nil {
			return nil, err
		}
		return a.phonebook(ctx, in.Phonebook)
	})
	register(a, operation{
		id: "removePhonebook", method: http.MethodDelete, path: path, tag: tag, scopes: only(registry.ScopeAdmin), summary: "Remove a phonebook with its credentials",
		details: "Its devices are shut out as by a revocation.",
	}, func(ctx context.Context, in *PhonebookPath) (*nothing, error) {
		return nil, a.hub.RemovePhonebook(ctx, accountOf(ctx), in.Phonebook)
	})
	register(a, operation{
		id: "addPhonebookCredential", method: http.MethodPost, path: path + "/credentials", tag: tag, scopes: only(registry.ScopeAdmin), status: http.StatusCreated,
		summary: "Make a credential for a device or a site",
		details: "Its secret is shown this once. It is kept as a hash; that of the kind digest is kept sealed, since Digest needs the password itself.",
	}, func(ctx context.Context, in *newCredentialInput) (*answer[CreatedCredential], error) {
		k, secret, err := a.hub.AddKey(ctx, accountOf(ctx), in.Phonebook, in.Body.Name, in.Body.Kind)
		if err != nil {
			return nil, err
		}
		b := a.hub.Books().Of(k.Account, k.Book)
		if b == nil { // it was removed meanwhile
			return nil, &failure.Error{Code: failure.NotFound, Message: "the phonebook was removed", Hint: "Make it again."}
		}
		return answered(ViewCreated(b, k, secret)), nil
	})
	register(a, operation{
		id: "revokePhonebookCredential", method: http.MethodDelete, path: path + "/credentials/{credential}", tag: tag, scopes: only(registry.ScopeAdmin),
		summary: "Revoke a credential",
		details: "What is being sent to its devices is broken off, connections over LDAP are closed, and they are refused from then on: at once in the process that answers, within a second in others. Other credentials are good as before.",
	}, func(ctx context.Context, in *credentialPath) (*nothing, error) {
		return nil, a.hub.RevokeKey(ctx, accountOf(ctx), in.Phonebook, in.Credential)
	})
}

// phonebook answers with one as it stands now.
func (a *API) phonebook(ctx context.Context, name string) (*answer[phonebookView], error) {
	v, err := a.hub.PhonebookOf(ctx, accountOf(ctx), name)
	return answered(viewPhonebook(v)), err
}

func viewPhonebook(p hub.PhonebookView) phonebookView {
	v := phonebookView{
		Name: p.Name, Managed: p.Settings == nil, Filled: p.Filled, Members: p.Members, Settings: viewPhonebookSettings(p.Settings),
		Credentials: views(p.Keys, func(k registry.PhonebookKey) CredentialView { return viewCredential(k, p.ReadBy(k.Name)) }),
		Readers: views(p.Readers, func(r registry.Reader) deviceView {
			return deviceView{readerView: viewReader(r), Behind: p.Behind(&r)}
		}),
	}
	if !p.Erased.IsZero() {
		v.Erased = &p.Erased
	}
	return v
}

func viewCredential(k registry.PhonebookKey, last time.Time) CredentialView {
	v := CredentialView{Name: k.Name, Kind: k.Kind, Created: k.Created, MadeBy: k.MadeBy}
	if !last.IsZero() {
		v.Last = &last
	}
	return v
}

// ViewCreated is a credential that was made, with its secret.
func ViewCreated(b *phonebook.Book, k registry.PhonebookKey, secret string) CreatedCredential {
	v := CreatedCredential{CredentialView: viewCredential(k, time.Time{}), Secret: secret}
	if b.HTTP != nil {
		v.HTTP = phonebooks.Prefix + b.Slug() + "/"
		if k.Kind == registry.KeyPath {
			v.HTTP += secret + "/"
		}
	}
	if k.Kind == registry.KeyPath {
		return v
	}
	if b.CardDAV != nil {
		v.CardDAV = carddav.Prefix + b.Slug() + "/"
	}
	if b.LDAP != nil {
		v.LDAP = &ldapUser{Listen: b.LDAP.Listen, Base: b.LDAP.Base, BindDN: b.LDAP.KeyDN(k.Name)}
	}
	return v
}

// Phonebooks are an account's phonebooks as the API shows them.
func Phonebooks(list []hub.PhonebookView) []phonebookView { return views(list, viewPhonebook) }
