package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/web/console/view"
)

const mostFound = 50

func (c *Console) contacts(q *request) error {
	s, err := c.search(q)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionContacts
	return q.show(http.StatusOK, "Contacts", view.ContactsPage(q.page, s))
}

// found answers while a user types.
func (c *Console) found(q *request) error {
	if !q.live() { // without JavaScript the form asks for the page
		return q.redirect("/contacts?"+q.URL.RawQuery, "")
	}
	s, err := c.search(q)
	if err != nil {
		return err
	}
	return q.part(http.StatusOK, view.Found(q.page, s))
}

func (c *Console) search(q *request) (view.Search, error) {
	s := view.Search{Account: q.chosen(), Text: strings.TrimSpace(q.URL.Query().Get("q"))}
	if s.Account == "" || s.Text == "" {
		return s, nil
	}
	if len(s.Text) > 200 {
		s.Text = s.Text[:200]
	}
	var err error
	if s.Unsearchable, err = c.hub.Unsearchable(q.Context(), s.Account); err != nil {
		return s, err
	}
	found, err := c.hub.Search(q.Context(), s.Account, directory.Query{Text: s.Text, Limit: mostFound + 1})
	s.More = len(found) > mostFound
	s.Found = found[:min(len(found), mostFound)]
	return s, err
}

// calling says who is calling: as a page, or below the box where htmx asks. Where no account is chosen, all are asked.
func (c *Console) calling(q *request) error {
	call := view.Call{Number: strings.TrimSpace(q.URL.Query().Get("number"))}
	if q.account != nil {
		call.Account = q.account.Name
	}
	if err := c.lookUp(q, &call); err != nil {
		return err
	}
	if q.live() {
		return q.part(http.StatusOK, view.CallerAnswer(q.page, call, true))
	}
	if err := c.lastCalls(q, &call); err != nil {
		return err
	}
	return q.show(http.StatusOK, "Who is calling?", view.CallingPage(q.page, call))
}

func (c *Console) lookUp(q *request, call *view.Call) (err error) {
	switch {
	case call.Number == "" || len(q.page.Accounts) == 0:
	case call.Account == "":
		call.Found, call.Asked, call.All, err = c.hub.LookupAll(q.Context(), call.Number, caller.LookupOptions{})
	default:
		var answer caller.Answer
		opts := caller.LookupOptions{Explain: true}
		if !q.live() { // while somebody types, no source is asked
			opts.Wait = hub.MostWait
		}
		answer, err = c.hub.Lookup(q.Context(), call.Account, call.Number, "", opts)
		call.Answer = &answer
		if err == nil && answer.Named == nil {
			call.Elsewhere, err = c.hub.KnownElsewhere(q.Context(), call.Account, call.Number)
		}
	}
	return err
}

const mostCalls = 50 // on a page

// lastCalls adds the look-ups that were kept of the account, or of the only one there is.
func (c *Console) lastCalls(q *request, call *view.Call) (err error) {
	account := call.Account
	if account == "" && q.page.One() {
		account = q.page.Accounts[0]
	}
	if account == "" {
		return nil
	}
	before, _ := strconv.ParseInt(q.URL.Query().Get("before"), 10, 64)
	list, err := c.hub.Calls(q.Context(), account, max(before, 0), mostCalls+1)
	if len(list) > mostCalls {
		list = list[:mostCalls]
		call.Next = "/calling?" + values("account", account, "before", strconv.FormatInt(list[mostCalls-1].ID, 10))
	}
	call.Calls, call.CallsOf = list, account
	return err
}

// who is the person that a query names.
func (q *request) who() (hub.Person, error) {
	v := q.URL.Query()
	key := directory.Key{Account: v.Get("account"), Integration: v.Get("integration")}
	return q.console.hub.Person(q.Context(), key, v.Get("id"))
}

func (c *Console) person(q *request) error {
	found, err := q.who()
	if err != nil {
		return err
	}
	p := view.Person{Person: found, Numbers: map[string]string{}}
	region := ""
	if q.account != nil {
		region = q.account.Region
	}
	note := func(phones []string) {
		for _, n := range caller.Numbers(phones, region) {
			if n.E164 != "" {
				p.Numbers[n.Raw] = n.E164
			}
		}
	}
	note(found.Entry.Contact.Phones)
	for _, kin := range found.Others {
		note(kin.Contact.Phones)
	}
	q.page.Section = view.SectionContacts
	return q.show(http.StatusOK, found.Entry.Contact.Name, view.PersonPage(q.page, p))
}

func (c *Console) confirmPurge(q *request) error {
	found, err := q.who()
	if err != nil {
		return err
	}
	q.page.Section = view.SectionContacts
	return q.show(http.StatusOK, "Purge", view.PurgePage(q.page, found))
}

func (c *Console) purge(q *request) error {
	var refs []directory.Ref
	for _, text := range q.PostForm["ref"] {
		integration, id, ok := strings.Cut(text, "/")
		if !ok || id == "" {
			return &failure.Error{Code: failure.Invalid, Message: "it is not clear which record is meant", Hint: "Open the person again."}
		}
		refs = append(refs, directory.Ref{Integration: integration, ID: id})
	}
	account := q.PostForm.Get("account")
	if _, err := c.hub.Purge(q.Context(), account, refs); err != nil {
		return err
	}
	return q.redirect(view.WithAccount("/contacts", account), "purged")
}
