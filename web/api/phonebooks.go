package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
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

type phonebookView struct {
	Name    string       `json:"name" doc:"The phonebook."`
	Filled  bool         `json:"filled" doc:"Every contact was looked at. Before that, devices are told to come back."`
	Members int64        `json:"members" doc:"Contacts that are in it."`
	Erased  *time.Time   `json:"erased,omitempty" doc:"When somebody was purged last who was in it."`
	Readers []deviceView `json:"readers" doc:"The devices that read it, the last one first, at most 500. They are forgotten 400 days after they have read last."`
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
	register(a, operation{
		id: "listPhonebooks", method: http.MethodGet, path: "/api/v1/phonebooks", tag: "contacts", scopes: lookers,
		summary: "An account's phonebooks, and the devices that read them",
	}, func(ctx context.Context, _ *InAccount) (*answer[phonebooksView], error) {
		list, err := a.hub.PhonebooksOf(ctx, accountOf(ctx))
		return answered(phonebooksView{Phonebooks(list)}), err
	})
}

func viewPhonebook(p hub.PhonebookView) phonebookView {
	v := phonebookView{Name: p.Name, Filled: p.Filled, Members: p.Members, Readers: views(p.Readers, func(r registry.Reader) deviceView {
		return deviceView{readerView: viewReader(r), Behind: p.Behind(&r)}
	})}
	if !p.Erased.IsZero() {
		v.Erased = &p.Erased
	}
	return v
}

// Phonebooks are an account's phonebooks as the API shows them.
func Phonebooks(list []hub.PhonebookView) []phonebookView { return views(list, viewPhonebook) }
