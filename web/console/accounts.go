package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

const mostAccountRows = 200

func (c *Console) accounts(q *request) error {
	list, err := c.hub.Accounts(q.Context())
	if err != nil {
		return err
	}
	after := q.URL.Query().Get("after")
	first, _ := slices.BinarySearchFunc(list, after, func(a registry.Account, name string) int {
		if a.Name <= name && name != "" {
			return -1
		}
		return 1
	})
	list = list[first:]
	next := ""
	if len(list) > mostAccountRows {
		list = list[:mostAccountRows]
		next = "/accounts?" + values("after", list[mostAccountRows-1].Name)
	}
	rows, err := c.countRows(q, list)
	if err != nil {
		return err
	}
	q.page.Section = view.SectionAccounts
	return q.show(http.StatusOK, "Accounts", view.AccountsPage(q.page, rows, next))
}

// countRows says what is in each account.
func (c *Console) countRows(q *request, list []registry.Account) ([]view.AccountRow, error) {
	integrations, err := c.hub.Integrations(q.Context(), "", directory.Key{}, 0)
	if err != nil {
		return nil, err
	}
	rows, at := make([]view.AccountRow, len(list)), make(map[string]int, len(list))
	for n, a := range list {
		rows[n].Account, at[a.Name] = a, n
	}
	for _, i := range integrations {
		if n, shown := at[i.Account]; shown {
			rows[n].Integrations++
			rows[n].Contacts += i.State.Contacts
		}
	}
	return rows, nil
}

func (q *request) showAccount(status int, a registry.Account, isNew bool, problem *view.Problem) error {
	q.page.Section = view.SectionAccounts
	title := "Add an account"
	if !isNew {
		title = "Change " + a.Name
	}
	return q.show(status, title, view.AccountPage(q.page, a, keptDays(a.Callers.Keep), isNew, problem))
}

// keptDays is how long look-ups are kept, in days.
func keptDays(keep time.Duration) string {
	switch {
	case keep < 0:
		return "0"
	case keep == 0:
		keep = registry.DefaultKeepCalls
	}
	return strconv.FormatFloat(keep.Hours()/24, 'f', -1, 64)
}

func (c *Console) newAccount(q *request) error {
	if err := c.hub.MayAddAccounts(q.Context()); err != nil {
		return err
	}
	return q.showAccount(http.StatusOK, registry.Account{}, true, nil)
}

// typedAccount returns an account as it was typed, and what cannot be read of it.
func (q *request) typedAccount(a registry.Account) (registry.Account, *view.Problem) {
	get := func(name string) string { return strings.TrimSpace(q.PostForm.Get(name)) }
	a.Region, a.TimeZone = get("region"), get("time_zone")
	if !q.PostForm.Has("policy") { // a form without what is said of callers leaves it as it is
		return a, nil
	}
	c := registry.Callers{NoDerive: get("derive") == "", Unmasked: get("mask") == "", Keep: a.Callers.Keep}
	c.Policy = strings.FieldsFunc(get("policy"), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	for line := range strings.Lines(get("ranges")) {
		if line = strings.TrimSpace(line); line != "" {
			c.Ranges = append(c.Ranges, line)
		}
	}
	var problem *view.Problem
	switch days, err := strconv.ParseFloat(get("keep"), 64); {
	case get("keep") == keptDays(a.Callers.Keep): // as it was shown, which may be rounded
	case get("keep") == "":
		c.Keep = 0
	case err != nil || days < 0 || days > mostKeptDays:
		problem = &view.Problem{Field: "keep", Message: fmt.Sprintf("%q is not a number of days", get("keep")), Hint: "Write a number such as 30, or 0 to keep none."}
	case days == 0:
		c.Keep = -1
	default:
		c.Keep = time.Duration(days * 24 * float64(time.Hour))
	}
	a.Callers = c
	return a, problem
}

// mostKeptDays is what fits a duration.
const mostKeptDays = 36_500

func (c *Console) addAccount(q *request) error {
	if err := c.hub.MayAddAccounts(q.Context()); err != nil {
		return err
	}
	a, problem := q.typedAccount(registry.Account{Name: strings.TrimSpace(q.PostForm.Get("name")), Created: c.clock()})
	accounts, err := c.hub.Accounts(q.Context())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(accounts, func(other registry.Account) bool { return other.Name == a.Name }) {
		return q.showAccount(http.StatusUnprocessableEntity, a, true, &view.Problem{Field: "name", Message: "there is an account of this name", Hint: "Choose another name, or change that one."})
	}
	return q.putAccount(a, true, problem)
}

func (q *request) putAccount(a registry.Account, isNew bool, problem *view.Problem) error {
	if problem != nil {
		return q.showAccount(http.StatusUnprocessableEntity, a, isNew, problem)
	}
	if err := q.console.hub.PutAccount(q.Context(), a); err != nil {
		if problem := problemOf(err); problem != nil {
			return q.showAccount(http.StatusUnprocessableEntity, a, isNew, problem)
		}
		return err
	}
	return q.redirect("/accounts", "changed")
}

func (c *Console) account(q *request) error {
	a, err := c.hub.Account(q.Context(), q.PathValue("account"))
	if err != nil {
		return err
	}
	return q.showAccount(http.StatusOK, a, false, nil)
}

func (c *Console) changeAccount(q *request) error {
	a, err := c.hub.Account(q.Context(), q.PathValue("account"))
	if err != nil {
		return err
	}
	a, problem := q.typedAccount(a)
	return q.putAccount(a, false, problem)
}

func (c *Console) confirmRemoveAccount(q *request) error {
	a, err := c.hub.Account(q.Context(), q.PathValue("account"))
	if err != nil {
		return err
	}
	rows, err := c.countRows(q, []registry.Account{a})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s and %s", q.page.Count(int64(rows[0].Integrations), "integration", "integrations"), q.page.Count(rows[0].Contacts, "contact", "contacts"))
	q.page.Section = view.SectionAccounts
	return c.confirm(q, view.Confirmation{
		Title: "Remove " + a.Name, Danger: true, Button: "Remove it with everything in it", Cancel: "/accounts",
		Says: []string{
			fmt.Sprintf("This deletes the account %s with %s, its tokens and its webhooks from the hub.", a.Name, what),
			"Nobody who calls this contact centre has a name any more. The external services are not touched.",
		},
	})
}

func (c *Console) removeAccount(q *request) error {
	if err := c.hub.RemoveAccount(q.Context(), q.PathValue("account")); err != nil {
		return err
	}
	return q.redirect("/accounts", "removed")
}
