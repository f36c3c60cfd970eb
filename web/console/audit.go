package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

const mostEntries = 100

// auditFilter reads the filter of a query, as it is typed and as the hub takes it.
func (q *request) auditFilter() (view.AuditFilter, registry.Filter, *view.Problem) {
	get := func(name string) string { return strings.TrimSpace(q.URL.Query().Get(name)) }
	typed := view.AuditFilter{Actor: get("actor"), Action: get("action"), Subject: get("subject"), Since: get("since"), Until: get("until")}
	f := registry.Filter{Account: q.scopedAccount(), Actor: typed.Actor, Action: typed.Action, Subject: typed.Subject}
	var problem *view.Problem
	day := func(field, text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			problem = problem.With(&view.Problem{Field: field, Message: "this is not a day", Hint: "Write it as 2026-11-30."})
		}
		return at
	}
	f.Since = day("since", typed.Since)
	if until := day("until", typed.Until); !until.IsZero() {
		f.Until = until.AddDate(0, 0, 1)
	}
	return typed, f, problem
}

// query is a path with the filter.
func (q *request) query(path string, f view.AuditFilter, more ...string) string {
	v := url.Values{}
	for name, value := range map[string]string{"actor": f.Actor, "action": f.Action, "subject": f.Subject, "since": f.Since, "until": f.Until, "account": q.page.Account} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func (c *Console) audit(q *request) error {
	typed, f, problem := q.auditFilter()
	page, status := view.Audit{Filter: typed, Export: q.query("/audit.csv", typed), Problem: problem}, http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
	} else {
		f.Before, _ = strconv.ParseInt(q.URL.Query().Get("before"), 10, 64) // anything else is the newest
		f.Before, f.Limit = max(f.Before, 0), mostEntries+1
		var err error
		if page.Entries, err = c.hub.Audit(q.Context(), f); err != nil {
			return err
		}
	}
	if len(page.Entries) > mostEntries {
		page.Entries = page.Entries[:mostEntries]
		page.Older = q.query("/audit", typed, "before", strconv.FormatInt(page.Entries[mostEntries-1].ID, 10))
	}
	q.page.Section = view.SectionAudit
	q.page.Zone = time.UTC // whichever account is chosen: entries of several stand in one list
	return q.show(status, "Audit log", view.AuditPage(q.page, page))
}

// downloadAudit sends all entries of the filter, as CSV. It is a POST: that they were taken along is written down.
func (c *Console) downloadAudit(q *request) error {
	_, f, problem := q.auditFilter()
	if problem != nil {
		return &failure.Error{Code: failure.Invalid, Message: problem.Message, Hint: problem.Hint}
	}
	if _, err := c.hub.Audit(q.Context(), registry.Filter{Account: f.Account, Limit: 1}); err != nil {
		return err
	}
	header := q.w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8")
	header.Set("Content-Disposition", `attachment; filename="`+hub.AuditFile+`"`)
	if err := c.hub.WriteAudit(q.Context(), q.w, f); err != nil {
		panic(http.ErrAbortHandler) // the answer is under way: a list that ends early must not look whole
	}
	return nil
}
