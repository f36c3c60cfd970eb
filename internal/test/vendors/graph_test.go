package vendors

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGraphIsStrict(t *testing.T) {
	g := NewGraph(nil, "acme")
	header := map[string]string{"Authorization": "Bearer " + g.OAuth.Token()}
	get := func(path string) call { return call{url: "https://graph.microsoft.com/v1.0/" + path, header: header} }
	big := get("me/contactFolders/contacts/contacts/delta")
	big.header = map[string]string{"Authorization": header["Authorization"], "Prefer": "odata.maxpagesize=many"}
	refuses(t, g, http.StatusBadRequest, map[string]call{
		"a filter of delta":       get("me/contactFolders/contacts/contacts/delta?$filter=" + escape("displayName eq 'x'")),
		"an order of delta":       get("contacts/delta?$orderby=displayName"),
		"a page size of no kind":  big,
		"a foreign token":         get("me/contactFolders/contacts/contacts/delta?$deltatoken=x"),
		"an unknown property":     get("me/contactFolders/contacts/contacts/delta?$select=surName"),
		"too large a page":        get("me/contacts?$top=1000"),
		"a date in quotes":        get("me/contacts?$filter=" + escape("lastModifiedDateTime ge '2026-01-01T00:00:00Z'")),
		"another order":           get("me/contacts?$orderby=displayName&$filter=" + escape("lastModifiedDateTime ge 2026-01-01T00:00:00Z")),
		"an unknown parameter":    get("me/contacts?$since=1"),
		"an operator of no kind":  get("me/contacts?$filter=" + escape("displayName is 'x'")),
		"an unknown filter field": get("me/contacts?$filter=" + escape("name eq 'x'")),
	})
	refuses(t, g, http.StatusNotFound, map[string]call{"no such folder": get("me/contactFolders/x/contacts/delta")})
	refuses(t, g, http.StatusUnauthorized, map[string]call{"no token": {url: "https://graph.microsoft.com/v1.0/me/contacts"}})
}

// follow reads a round of changes to its end.
func follow(t *testing.T, s Simulator, link string, header map[string]string, each func()) (ids []string, empty int, next string) {
	t.Helper()
	for range 100 {
		body := ok(t, s, call{url: link, header: header})
		list := at(body, "value").([]any)
		if len(list) == 0 {
			empty++
		}
		for _, item := range list {
			id := textOf(at(item, "id")) + textOf(at(item, "contactid"))
			if at(item, "@removed") != nil || at(item, "reason") == "deleted" {
				id = "-" + id
			}
			ids = append(ids, id)
		}
		if next, isLast := at(body, "@odata.deltaLink").(string); isLast {
			return ids, empty, next
		}
		link = at(body, "@odata.nextLink").(string)
		if each != nil {
			each()
		}
	}
	t.Fatal("a round does not end")
	return nil, 0, ""
}

func TestGraphTellsChangesByToken(t *testing.T) {
	clock := new(Clock)
	g := NewGraph(clock.Now, "acme")
	for i := range 7 {
		g.Put(noon, fmt.Sprint("c", i), Fields{"displayName": "Doe"})
	}
	header := map[string]string{"Authorization": "Bearer " + g.OAuth.Token(), "Prefer": "odata.maxpagesize=2"}
	changed := 0
	ids, empty, link := follow(t, g, "https://graph.microsoft.com/v1.0/me/contactFolders/contacts/contacts/delta?$select=displayName", header, func() {
		changed++
		g.Put(noon, fmt.Sprint("c", changed), Fields{"displayName": "Changed"})
	})
	for i := range 7 {
		if !slices.Contains(ids, fmt.Sprint("c", i)) {
			t.Errorf("c%d is missing in %v", i, ids)
		}
	}
	if empty == 0 {
		t.Error("no page is empty")
	}
	g.Delete(clock.Now(), "c0")
	ids, _, link = follow(t, g, link, header, nil)
	if !slices.Contains(ids, "-c0") || !slices.Contains(ids, "c1") || slices.Contains(ids, "c6") {
		t.Errorf("the second round brings %v", ids)
	}
	if ids, _, _ = follow(t, g, link, header, nil); len(ids) > 0 {
		t.Errorf("nothing was changed, and %v comes", ids)
	}
	g.Forget()
	status, answer, body := do(t, g, call{url: link, header: header})
	want(t, status, http.StatusGone)
	want(t, at(body, "error", "code"), "syncStateNotFound")
	want(t, answer.Get("Location"), "https://graph.microsoft.com/v1.0/me/contactFolders/contacts/contacts/delta")
}

func TestGraphTokensOfTheOrganizationExpire(t *testing.T) {
	clock := new(Clock)
	g := NewGraph(clock.Now, "acme")
	g.Org.Create(Fields{"displayName": "Doe", "mail": "doe@example.com"})
	header := map[string]string{"Authorization": "Bearer " + g.OAuth.Token()}
	_, _, link := follow(t, g, "https://graph.microsoft.com/v1.0/contacts/delta", header, nil)
	clock.Advance(8 * 24 * time.Hour)
	refuses(t, g, http.StatusGone, map[string]call{"an old token": {url: link, header: map[string]string{"Authorization": "Bearer " + g.OAuth.Token()}}})
}

func TestGraphListsInOrder(t *testing.T) {
	g := NewGraph(nil, "acme")
	for i := range 5 {
		g.Put(noon.Add(time.Duration(i)*time.Second), fmt.Sprint("c", i), Fields{"displayName": "Doe"})
	}
	g.Folder("vip").Create(Fields{"displayName": "Other"})
	header := map[string]string{"Authorization": "Bearer " + g.OAuth.Token()}
	body := ok(t, g, call{header: header, url: "https://graph.microsoft.com/v1.0/me/contacts?$top=2&$orderby=lastModifiedDateTime&$filter=" +
		escape("lastModifiedDateTime ge 2026-03-01T12:00:01Z")})
	want(t, column(at(body, "value"), "id"), "c1 c2")
	want(t, column(at(ok(t, g, call{header: header, url: at(body, "@odata.nextLink").(string)}), "value"), "id"), "c3 c4")
	want(t, column(at(ok(t, g, call{header: header, url: "https://graph.microsoft.com/v1.0/me/contactFolders/vip/contacts"}), "value"), "displayName"), "Other")
}

// microsoftToken asks for a token.
func microsoftToken(t *testing.T, s Simulator, tenant string, form url.Values) (int, string) {
	t.Helper()
	status, _, body := do(t, s, call{
		method: http.MethodPost, url: "https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token", body: form.Encode(),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
	return status, strings.TrimSpace(textOf(at(body, "access_token")) + " " + textOf(at(body, "error")))
}

func TestMicrosoftGrantsTokensForAScope(t *testing.T) {
	g, d := NewGraph(nil, "acme"), NewDynamics(nil, "acme")
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {g.OAuth.ClientID}, "client_secret": {g.OAuth.ClientSecret}}
	_, text := microsoftToken(t, g, "acme", form)
	want(t, text, "invalid_scope")
	form.Set("scope", "https://graph.microsoft.com/.default")
	status, token := microsoftToken(t, g, "acme", form)
	want(t, status, http.StatusOK)
	ok(t, g, call{url: "https://graph.microsoft.com/v1.0/me/contacts", header: map[string]string{"Authorization": "Bearer " + token}})
	form = url.Values{"grant_type": {"client_credentials"}, "client_id": {d.OAuth.ClientID}, "client_secret": {"x"}, "scope": {"https://acme.crm4.dynamics.com/.default"}}
	status, text = microsoftToken(t, d, d.Tenant, form)
	want(t, status, http.StatusUnauthorized)
	want(t, text, "invalid_client")
}
