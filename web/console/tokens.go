package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// scopedAccount is the account to list tokens, webhooks or changes of: the chosen one; all where the user sees all.
func (q *request) scopedAccount() string {
	if q.page.Account == "" && !q.actor.All {
		return q.chosen()
	}
	return q.page.Account
}

func (c *Console) tokens(q *request) error {
	return q.showTokens(http.StatusOK, view.TokenForm{Account: q.scopedAccount()})
}

func (q *request) showTokens(status int, f view.TokenForm) error {
	list, err := q.console.hub.Tokens(q.Context(), q.scopedAccount())
	if err != nil {
		return err
	}
	q.page.Section = view.SectionTokens
	return q.show(status, "API tokens", view.TokensPage(q.page, list, f))
}

func (c *Console) addToken(q *request) error {
	f := view.TokenForm{Name: strings.TrimSpace(q.PostForm.Get("name")), Account: strings.TrimSpace(q.PostForm.Get("account")), Days: q.PostForm.Get("days")}
	for _, s := range q.PostForm["scope"] {
		f.Scopes = append(f.Scopes, registry.Scope(s))
	}
	t := registry.Token{Name: f.Name, Account: f.Account, Scopes: f.Scopes, Created: c.clock()}
	if n, err := strconv.Atoi(f.Days); err == nil && n > 0 {
		t.Expires = c.clock().AddDate(0, 0, n)
	}
	made, value, err := c.hub.CreateToken(q.Context(), t, "")
	if err != nil {
		if f.Problem = problemOf(err); f.Problem != nil {
			return q.showTokens(http.StatusUnprocessableEntity, f)
		}
		return err
	}
	q.page.Section = view.SectionTokens
	return q.show(http.StatusOK, "Token "+made.Name, view.Shown(q.page, view.Secret{
		Title: "Token " + made.Name, Label: "Token", Value: value, Next: q.page.In("/tokens"), NextLabel: "Done",
		Says: []string{"Programs send it as the header  Authorization: Bearer …"},
	}))
}

// findToken returns the token that the path names, with the names of those that were made by it and end with it.
func (q *request) findToken() (registry.Token, []string, error) {
	list, err := q.console.hub.Tokens(q.Context(), q.scopedAccount())
	if err != nil {
		return registry.Token{}, nil, err
	}
	i := slices.IndexFunc(list, func(t registry.Token) bool { return t.ID == q.PathValue("id") })
	if i < 0 {
		return registry.Token{}, nil, &failure.Error{Code: failure.NotFound, Message: "token not found", Hint: "Another user may have ended it. Look at the list."}
	}
	return list[i], madeBy(list, list[i].ID), nil
}

// madeBy returns the names of the tokens that were made by one, or by one that it made.
func madeBy(list []registry.Token, id string) (names []string) {
	for _, t := range list {
		if t.Parent == id {
			names = append(append(names, t.Name), madeBy(list, t.ID)...)
		}
	}
	return names
}

func (c *Console) confirmRemoveToken(q *request) error {
	t, made, err := q.findToken()
	if err != nil {
		return err
	}
	used := "It was never used."
	if !t.Used.IsZero() {
		used = "It was used " + q.page.Ago(t.Used) + "."
	}
	says := []string{"Programs that use it are refused from now on. " + used}
	if len(made) > 0 {
		says = append(says, "Tokens that were made by it end as well: "+strings.Join(made, ", ")+".")
	}
	q.page.Section = view.SectionTokens
	return c.confirm(q, view.Confirmation{
		Title: "End the token " + t.Name, Danger: true, Button: "End it", Cancel: q.page.In("/tokens"), Says: says,
	})
}

func (c *Console) removeToken(q *request) error {
	if err := c.hub.RemoveToken(q.Context(), q.PathValue("id")); err != nil {
		return err
	}
	return q.redirect("/tokens", "token")
}

func (c *Console) webhooks(q *request) error {
	return q.showWebhooks(http.StatusOK, view.WebhookForm{Account: q.scopedAccount()})
}

func (q *request) showWebhooks(status int, f view.WebhookForm) error {
	list, err := q.console.hub.Webhooks(q.Context(), q.scopedAccount())
	if err != nil {
		return err
	}
	q.page.Section = view.SectionWebhooks
	return q.show(status, "Webhooks", view.WebhooksPage(q.page, list, f))
}

func (c *Console) addWebhook(q *request) error {
	f := view.WebhookForm{URL: strings.TrimSpace(q.PostForm.Get("url")), Account: strings.TrimSpace(q.PostForm.Get("account")), Kinds: q.PostForm["kind"]}
	made, secret, err := c.hub.AddWebhook(q.Context(), registry.Webhook{URL: f.URL, Account: f.Account, Kinds: f.Kinds, Created: c.clock()})
	if err != nil {
		if f.Problem = problemOf(err); f.Problem != nil {
			return q.showWebhooks(http.StatusUnprocessableEntity, f)
		}
		return err
	}
	q.page.Section = view.SectionWebhooks
	return q.show(http.StatusOK, "Webhook", view.Shown(q.page, view.Secret{
		Title: "The webhook's secret", Label: "Secret", Value: secret, Next: q.page.In("/webhooks"), NextLabel: "Done",
		Says: []string{"What is sent to " + made.URL + " is signed with it, so that the receiver knows that it comes from here."},
	}))
}

func (c *Console) confirmRemoveWebhook(q *request) error {
	list, err := c.hub.Webhooks(q.Context(), q.scopedAccount())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(w registry.Webhook) bool { return w.ID == q.PathValue("id") })
	if i < 0 {
		return &failure.Error{Code: failure.NotFound, Message: "webhook not found", Hint: "Another user may have removed it. Look at the list."}
	}
	q.page.Section = view.SectionWebhooks
	return c.confirm(q, view.Confirmation{
		Title: "Remove the webhook", Danger: true, Button: "Remove it", Cancel: q.page.In("/webhooks"),
		Says: []string{list[i].URL + " is told of nothing any more, of what waits to be sent included."},
	})
}

func (c *Console) removeWebhook(q *request) error {
	if err := c.hub.RemoveWebhook(q.Context(), q.PathValue("id")); err != nil {
		return err
	}
	return q.redirect("/webhooks", "removed")
}
