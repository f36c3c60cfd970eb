package rest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// check returns everything that is wrong with what the language says, as [source.ConfigError]s.
func (l *Language) check() error {
	var errs source.ConfigErrors
	errs.If(l.Language == 0, "language", "language is missing", "Write  language: 1")
	errs.If(l.Language > Version, "language", fmt.Sprintf("language %d is newer than this program, which reads %d", l.Language, Version), "Update contactbridge.")
	errs.If(l.Language < 0, "language", "language is negative", "Write  language: 1")
	l.checkConnection(&errs)
	errs.If(l.ID == "", "id", "id is missing", "Write the path of the record's id.")
	errs.If(l.Fields.Empty(), "fields", "fields is missing", "Write what a contact's name, phones and emails are made of.")
	errs.If(l.Changes.IsZero(), "changes", "changes is missing", "Write the request for what was changed.")
	errs.If(l.Verify.IsZero(), "verify", "verify is missing", "Write a cheap request that succeeds with good credentials.")
	errs.If(len(l.Auth) == 0, "auth", "auth is missing", "Write how requests are authenticated, or  auth: [{by: none}]")
	for i, a := range l.Auth {
		errs.If(a.By == "", fmt.Sprintf("auth[%d].by", i), fmt.Sprintf("auth[%d].by is missing", i), "Write bearer, basic, header, query, none, or a grant of OAuth 2.0.")
	}
	readings := l.readings()
	for _, name := range []string{"changes", "by_id", "list", "deletions", "agents"} {
		if r := readings[name]; r != nil && !r.IsZero() {
			r.check(name, &errs)
		}
	}
	l.checkOrder(&errs)
	errs.If(!l.Whole.IsZero() && l.Changes.Token == "", "whole", "whole is of changes with a token", "Remove it.")
	errs.If(!l.Whole.IsZero() && !l.Whole.uses("id"), "whole", "whole does not say which record is asked for", "Let {{id}} stand in its path.")
	p := l.Throttle.Points
	errs.If(p != Points{} && (p.Cost == "" || p.Left == "" || p.Rate == ""), "throttle.points", "throttle.points is not complete", "Write cost, left and rate.")
	l.checkSignIn(&errs)
	l.checkSearch(&errs)
	l.checkNames(&errs)
	return errs.Err()
}

func (l *Language) checkConnection(errs *source.ConfigErrors) {
	seen := map[string]bool{}
	for i, f := range l.Connection {
		key := fmt.Sprintf("connection[%d]", i)
		errs.If(f.Name == "", key+".name", key+".name is missing", "Write the field's key.")
		errs.If(seen[f.Name], key+".name", "connection has two fields "+f.Name, "Remove one of them.")
		errs.If(f.Title == "", key+".title", key+".title is missing", "Write what people call it.")
		errs.If(f.Name != "url" && f.Name != "access_token" && slices.Contains(variables, f.Name), key+".name", f.Name+" has a meaning of its own in texts", "Give the field another name.")
		errs.If(slices.Contains(languageKeys(), f.Name) && f.Name != "url", key+".name", f.Name+" is a key of the language", "Give the field another name.")
		seen[f.Name] = true
		if f.Pattern == "" {
			continue
		}
		_, err := regexp.Compile(f.Pattern)
		errs.If(err != nil, key+".pattern", key+".pattern is not a regular expression", "Write one in the syntax of RE2.")
		errs.If(!strings.HasPrefix(f.Pattern, "^") || !strings.HasSuffix(f.Pattern, "$"), key+".pattern", key+".pattern does not fit the whole value",
			"Begin it with ^ and end it with $.")
	}
}

func (l *Language) checkSignIn(errs *source.ConfigErrors) {
	if reflect.ValueOf(l.SignIn).IsZero() {
		return
	}
	s := l.SignIn
	errs.If(s.Client == "", "sign_in.client", "sign_in.client is missing", "Write a word for the service, such as its name.")
	errs.If(s.AuthorizeURL.IsZero(), "sign_in.authorize_url", "sign_in.authorize_url is missing", "Write where people permit the access.")
	errs.If(s.TokenURL.IsZero(), "sign_in.token_url", "sign_in.token_url is missing", "Write where tokens are given.")
	known := slices.ContainsFunc(l.Connection, func(f Field) bool { return f.Name == signInField })
	errs.If(!known, "sign_in", "connection has no field "+signInField, "Add it: it holds the access token.")
}

// languageKeys lists the keys of the language.
func languageKeys() []string {
	var keys []string
	for field := range reflect.TypeFor[Language]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		keys = append(keys, key)
	}
	return keys
}

// readings returns the requests for records by their keys.
func (l *Language) readings() map[string]*Reading {
	return map[string]*Reading{"changes": &l.Changes, "by_id": &l.ByID, "list": &l.List, "deletions": &l.Deletions.Reading, "agents": &l.Agents.Reading}
}

func (r *Reading) check(key string, errs *source.ConfigErrors) {
	missing := func(name, hint string) { errs.If(true, key+"."+name, key+"."+name+" is missing", hint) }
	if r.Records == "" {
		missing("records", "Write the path of the records in an answer, or $ for the answer itself.")
	}
	switch r.Page.By {
	case "":
		missing("page", "Write how the answers go on:  page: {by: keyset, size: 100} ; or none, if one answer has everything.")
	case "cursor", "link":
		if r.Page.Next == "" {
			missing("page.next", "Write where an answer has the next cursor or address.")
		}
	}
	if name := r.Page.asksBy(); name != "" && !r.IsZero() {
		errs.If(!r.uses(name), key+".page.by", fmt.Sprintf("%s goes by %s, and {{%s}} stands nowhere in its request: every page would be the first one", key, r.Page.By, name),
			fmt.Sprintf("Let {{%s}} stand where the service takes it, such as  query: {%s: \"{{%s}}\"}", name, name, name))
	}
	sized := r.Page.By == "keyset" || r.Page.By == "number" || r.Page.By == "offset"
	errs.If(sized && r.Page.Size == 0, key+".page", key+".page.size is missing", "Write how many records are asked for.")
	errs.If(r.Page.ToEmpty && r.Page.By != "number" && r.Page.By != "offset", key+".page.to_empty", key+".page.to_empty is of pages by number or offset", "Remove it.")
	errs.If(r.Page.By == "keyset" && r.Order != orderUpdated && r.Order != orderID, key+".page.by", key+" cannot go by keyset: its order is neither updated nor id",
		"Set "+key+".order to the order in which the records come.")
	errs.If(len(r.Directions) != 0 && len(r.Directions) != 2, key+".directions", key+".directions must have two values", "Write what stands for ascending, then for descending.")
}

// asksBy returns the name that stands for the place of a page in its request; empty where no name has to.
func (p Paging) asksBy() string {
	switch p.By {
	case "number":
		return "page"
	case "offset", "cursor":
		return p.By
	}
	return ""
}

// The orders of records.
const (
	orderUpdated = "updated"
	orderID      = "id"
	orderCreated = "created"
	orderNewest  = "newest"
	orderNone    = "none"
)

func (l *Language) checkOrder(errs *source.ConfigErrors) {
	errs.If(l.Changes.Order == "", "changes.order", "changes.order is missing", "Write in which order the records come: updated, newest, or none.")
	errs.If(l.Changes.Order == orderUpdated && l.Updated.Path == "", "updated", "updated is missing", "Write where a record has the time of its last change.")
	errs.If(l.ByID.Page.By == "cursor" && l.ByID.IDs == "", "by_id.ids", "by_id.ids is missing: a cursor's page is read from its beginning again", "Write how ids are ordered:  ids: number  or  bytes")
	errs.If(!l.ByID.IsZero() && l.ByID.Order != orderID && l.ByID.Order != orderCreated, "by_id.order", "by_id.order must be id or created", "Write  order: id , or  order: created  of a service that cannot sort by id.")
	if a := l.Agents; !a.IsZero() {
		errs.If(a.Email == "", "agents.email", "agents.email is missing", "Write where a user has an e-mail address.")
		errs.If(a.Page.By == "keyset", "agents.page.by", "agents cannot go by keyset", "Write none, number, offset, cursor or link.")
	}
	byCreation := l.ByID.Order == orderCreated
	errs.If(byCreation != l.ByID.isPaged() && !l.ByID.IsZero(), "by_id.page", "by_id.order and by_id.page do not go together", "Write  order: created , and read in pages by number or offset; or  order: id  and a keyset or cursor.")
	errs.If(byCreation != (l.ByID.Created != ""), "by_id.created", "by_id.order and by_id.created do not go together", "Write  order: created , and in created where a record has that time.")
	for key, r := range l.readings() {
		errs.If(r.Order == orderCreated && key != "by_id", key+".order", key+".order cannot be created", "Write updated, newest or none.")
	}
	d := l.Deletions
	errs.If(d.By == "", "deletions", "deletions.by is missing", "Write inline, request, sweep, or none.")
	errs.If(d.By == "inline" && l.Deleted == "", "deleted", "deleted is missing", "Write an expression that finds deleted records.")
	errs.If(d.By == "request" && d.Path.IsZero(), "deletions.path", "deletions.path is missing", "Write the request that lists what was deleted.")
	errs.If(isUnknownZone(l.Updated.Zone), "updated.zone", "there is no time zone "+l.Updated.Zone.written, "Write a name such as Europe/Paris.")
	errs.If(isUnknownZone(l.Updated.ReadZone), "updated.read_zone", "there is no time zone "+l.Updated.ReadZone.written, "Write a name such as Europe/Paris.")
}

// isUnknownZone reports whether a text is the name of no zone. What depends on the connection is known later.
func isUnknownZone(zone Text) bool {
	if len(zone.names()) > 0 || zone.IsZero() {
		return false
	}
	_, err := time.LoadLocation(zone.written)
	return err != nil
}

// checkNames finds names in texts that nothing stands for.
func (l *Language) checkNames(errs *source.ConfigErrors) {
	known := slices.Clone(variables)
	for _, f := range l.Connection {
		known = append(known, f.Name)
	}
	l.texts(func(key string, t Text) {
		for _, name := range t.names() {
			if strings.HasPrefix(name, "auth.") || slices.Contains(known, name) || isOfSearch(key) && slices.Contains(searchNames, name) ||
				strings.HasPrefix(key, "whole.") && name == "id" || key == "link" && (name == "id" || name == linkAccount && l.Tenant != "" || strings.HasPrefix(name, recordPrefix)) {
				continue
			}
			hint := "Add it to connection, or use one of: " + strings.Join(known, ", ") + "."
			if near := strictyaml.Nearest(name, known); near != "" {
				hint = fmt.Sprintf("Did you mean {{%s}}?", near)
			}
			errs.If(true, key, fmt.Sprintf("nothing stands for {{%s}}", name), hint)
		}
	})
}

// texts yields every text with its key.
func (l *Language) texts(yield func(key string, t Text)) {
	all := func(key string, texts map[string]Text) {
		for name, t := range texts {
			yield(key+"."+name, t)
		}
	}
	yield("base", l.Base)
	yield("sign_in.authorize_url", l.SignIn.AuthorizeURL)
	yield("sign_in.token_url", l.SignIn.TokenURL)
	for i, t := range l.SignIn.Scopes {
		yield(fmt.Sprintf("sign_in.scopes[%d]", i), t)
	}
	yield("link", l.Link)
	all("headers", l.Headers)
	yield("updated.zone", l.Updated.Zone)
	yield("updated.read_zone", l.Updated.ReadZone)
	for i, a := range l.Auth {
		key := fmt.Sprintf("auth[%d]", i)
		a.texts(func(name string, t Text) { yield(key+"."+name, t) })
	}
	requests := map[string]*Request{"verify": &l.Verify, "search": &l.Search.Request, "whole": &l.Whole}
	for name, r := range l.readings() {
		requests[name] = &r.Request
	}
	for name, r := range requests {
		yield(name+".path", r.Path)
		all(name+".query", r.Query)
		all(name+".headers", r.Headers)
		r.Body.root.texts(func(t Text) { yield(name+".body", t) })
	}
}

// texts yields every text of a way to authenticate with its key.
func (a *Auth) texts(yield func(key string, t Text)) {
	for key, t := range map[string]Text{
		"token": a.Token, "token_file": a.TokenFile, "user": a.User, "password": a.Password, "value": a.Value, "token_url": a.TokenURL, "client_id": a.ClientID,
		"client_secret": a.ClientSecret, "refresh_token": a.RefreshToken, "scope": a.Scope, "key": a.Key,
	} {
		yield(key, t)
	}
	for name, t := range a.Claims {
		yield("claims."+name, t)
	}
	for name, t := range a.Form {
		yield("form."+name, t)
	}
	for name, t := range a.Headers {
		yield("headers."+name, t)
	}
}
