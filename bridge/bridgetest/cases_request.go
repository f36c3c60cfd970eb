package bridgetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// cheap returns a question that was answered well with little: the incremental run's first page or the full run's last one; the first one
// where the bridge answers no page twice.
func (s *session) cheap(label string) question {
	last := len(s.full.pages) - 1
	q := s.full.again(label, last)
	if s.failed("page-twice") {
		q = question{label: label}
	}
	if s.next != nil && s.next.pages[0].bytes < s.full.pages[last].bytes {
		q = question{label: label, since: s.next.since}
	}
	return q
}

// withCredentials reports whether there are credentials to get wrong; if not, the case is skipped.
func (s *session) withCredentials(v *verdict) bool {
	if len(s.target.Auth) == 0 {
		v.skip("the check was given no credentials")
		return false
	}
	return s.usable(v)
}

// initialWith returns the first request of an initial run with another auth, given as JSON text; "" leaves auth out.
func initialWith(auth string) []byte {
	const meta = `"meta":{"synchronization_checkpoint":null,"offset":null,"context":null}}`
	if auth == "" {
		return []byte("{" + meta)
	}
	return []byte(`{"auth":` + auth + `,` + meta)
}

func wrong(key string) string { return marker + "-" + key }

// wrongCredentials are auth objects that must be refused: all values wrong, then each value that is a secret alone.
func (s *session) wrongCredentials() []map[string]string {
	all := map[string]string{}
	for key := range s.target.Auth {
		all[key] = wrong(key)
	}
	list := []map[string]string{all}
	for _, key := range slices.Sorted(maps.Keys(s.target.Auth)) {
		if len(s.target.Auth) == 1 || public.MatchString(key) || len(list) > 3 {
			continue
		}
		one := maps.Clone(s.target.Auth)
		one[key] = wrong(key)
		list = append(list, one)
	}
	return list
}

func authWrong(ctx context.Context, s *session, v *verdict) {
	if !s.withCredentials(v) {
		return
	}
	for _, auth := range s.wrongCredentials() {
		e := s.post(ctx, v.id, initialWith(string(quoted(auth))))
		s.expect(v, e, "wrong credentials", func(status int) bool { return status == http.StatusUnauthorized })
	}
}

// expect fails a case if the answer is not the expected one. Being told to slow down proves nothing.
func (s *session) expect(v *verdict, e *exchange, what string, good func(status int) bool) {
	switch {
	case e.status == http.StatusTooManyRequests:
		v.detail("the bridge asked to slow down")
	case e.status == 0:
		v.fail(e, "%s: no answer: %v", what, e.err)
	case !good(e.status):
		v.fail(e, "%s: answered with status %d", what, e.status)
	}
}

func clientError(status int) bool { return status >= 400 && status < 500 }

func notServerError(status int) bool { return status < 500 }

func authMissing(ctx context.Context, s *session, v *verdict) {
	if !s.withCredentials(v) {
		s.verdict("auth-missing-status").skip("the check was given no credentials, or the bridge did not answer")
		return
	}
	empty := map[string]string{}
	for key := range s.target.Auth {
		empty[key] = ""
	}
	for what, auth := range sorted(map[string]string{
		"no auth": "", "auth null": "null", "an empty auth object": "{}", "empty values in auth": string(quoted(empty)),
	}) {
		e := s.post(ctx, v.id, initialWith(auth))
		s.expect(v, e, what, func(status int) bool { return status >= 300 })
		if e.status >= 300 {
			s.expect(s.verdict("auth-missing-status"), e, what, func(status int) bool { return status == http.StatusUnauthorized })
		}
	}
}

// sorted yields a map in the order of its keys, so that a recording can be replayed.
func sorted[V any](m map[string]V) func(yield func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

func authUnicode(ctx context.Context, s *session, v *verdict) {
	if !s.withCredentials(v) {
		return
	}
	auth := maps.Clone(s.target.Auth)
	for key := range auth {
		if len(auth) == 1 || !public.MatchString(key) {
			auth[key] = wrong(key) + "-пароль-パス-🔑"
		}
	}
	e := s.post(ctx, v.id, initialWith(string(quoted(auth))))
	s.expect(v, e, "wrong credentials that are not ASCII", func(status int) bool { return status == http.StatusUnauthorized })
}

func authValidation(ctx context.Context, s *session, v *verdict) {
	switch {
	case s.target.AuthValidationURL == "":
		v.skip("the URL does not end in /contact_sync, and no other one was given")
		return
	case !s.withCredentials(v):
		return
	}
	ask := func(auth []byte) *exchange {
		return s.send(ctx, &exchange{
			label: v.id, method: http.MethodPost, url: s.target.AuthValidationURL, body: slices.Concat([]byte(`{"auth":`), auth, []byte("}")),
		})
	}
	good := ask(s.auth())
	if good.status == http.StatusNotFound || good.status == http.StatusMethodNotAllowed {
		v.skip("the bridge has no endpoint that checks credentials")
		return
	}
	s.expect(v, good, "good credentials", func(status int) bool {
		return status == http.StatusOK || status == http.StatusNoContent
	})
	for _, auth := range s.wrongCredentials() {
		s.expect(v, ask(quoted(auth)), "wrong credentials", func(status int) bool { return status == http.StatusUnauthorized })
	}
}

func badJSON(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	good := initialWith(string(s.auth()))
	for what, body := range sorted(map[string][]byte{
		"an empty body":            {},
		"no JSON":                  []byte("synchronize, please"),
		"JSON that breaks off":     good[:len(good)-2],
		"JSON with a loose comma":  bytes.Replace(good, []byte("}}"), []byte(",}}"), 1),
		"an array":                 []byte("[]"),
		"null":                     []byte("null"),
		"bytes that are not UTF-8": []byte("{\"auth\":\"\xff\xfe\"}"),
	}) {
		s.expect(v, s.post(ctx, v.id, body), what, clientError)
	}
}

func badTypes(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	auth := string(s.auth())
	bodies := map[string]string{
		"meta as an array":         `{"auth":` + auth + `,"meta":["x"]}`,
		"meta as a string":         `{"auth":` + auth + `,"meta":"x"}`,
		"an offset as an array":    `{"auth":` + auth + `,"meta":{"offset":["x"]}}`,
		"an offset as an object":   `{"auth":` + auth + `,"meta":{"offset":{"x":1}}}`,
		"a checkpoint as an array": `{"auth":` + auth + `,"meta":{"synchronization_checkpoint":["x"]}}`,
	}
	if len(s.target.Auth) > 0 {
		bodies["auth as a string"] = `{"auth":"x","meta":{}}`
		bodies["auth as an array"] = `{"auth":["x"],"meta":{}}`
	}
	for what, body := range sorted(bodies) {
		s.expect(v, s.post(ctx, v.id, []byte(body)), what, clientError)
	}
}

const hugeSize = 4 << 20

func hugeBody(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	q := s.cheap(v.id)
	q.extra = `,"padding":"` + strings.Repeat("x", hugeSize) + `"`
	e := s.post(ctx, v.id, s.body(q))
	switch {
	case e.status == 0:
		v.detail("the bridge closed the connection")
	case e.status >= 500:
		v.fail(e, "a body of %s: answered with status %d", size(hugeSize), e.status)
	case e.status < 300:
		s.found("huge-body-accepted", e, "a body of %s was accepted", size(hugeSize))
	}
}

func method(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	for _, m := range []string{http.MethodGet, http.MethodPut} {
		e := &exchange{label: v.id, method: m, url: s.target.URL}
		if m == http.MethodPut {
			e.body = s.body(s.cheap(v.id))
		}
		s.expect(v, s.send(ctx, e), "a "+m, clientError)
	}
}

func mediaType(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	xml := &exchange{
		label: v.id, method: http.MethodPost, url: s.target.URL,
		header: http.Header{"Content-Type": {"application/xml"}}, body: []byte("<auth><username>x</username></auth>"),
	}
	s.expect(v, s.send(ctx, xml), "XML", clientError)
	text := &exchange{
		label: v.id, method: http.MethodPost, url: s.target.URL,
		header: http.Header{"Content-Type": {"text/plain"}}, body: s.body(s.cheap(v.id)),
	}
	s.expect(v, s.send(ctx, text), "good JSON as text/plain", notServerError)
	v.detail("good JSON as text/plain is answered with %d", text.status)
}

func unknownFields(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	q := s.cheap(v.id)
	q.extra = `,"supports_emoji_👋":true,"limit":{"contacts":[1,2,3]},"page_size":null`
	s.expectPage(ctx, v, q, "unknown fields in meta")
	body := s.body(s.cheap(v.id))
	body = append([]byte(`{"account":{"id":"1"},"integration":"größe",`), body[1:]...)
	e := s.post(ctx, v.id, body)
	s.expect(v, e, "unknown fields beside auth and meta", func(status int) bool { return status == http.StatusOK })
}

// expectPage asks for a page that must come.
func (s *session) expectPage(ctx context.Context, v *verdict, q question, what string) *visited {
	page, e := s.page(ctx, q, nil)
	if page == nil {
		v.fail(e, "%s: %s", what, unusable(e))
	}
	return page
}

func deletions(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	q := s.cheap(v.id)
	q.extended = true
	s.expectPage(ctx, v, q, "meta.supports_deletions")
}

// altered are marks that a bridge never issued, made from one that it did.
func altered(issued string) map[string]string {
	m := map[string]string{
		"a word":            "cbcheck-never-issued",
		"one letter longer": issued + "x",
		"a quote":           issued + `' OR '1'='1`,
		"a NUL":             "\x00",
		"a negative number": "-1",
		"a huge number":     "99999999999999999999999",
		"10,000 letters":    strings.Repeat("z", 10_000),
	}
	if half := issued[:len(issued)/2]; half != "" {
		m["its first half"] = strings.ToValidUTF8(half, "")
	}
	return m
}

// tryAltered sends marks that were never issued. A refusal is right, a page is worth a note, an error is not.
func (s *session) tryAltered(ctx context.Context, v *verdict, issued string, ask func(mark string) question) (accepted *exchange, what string) {
	for name, mark := range sorted(altered(issued)) {
		biggest := s.full.pages[0]
		if mark == "" || !s.affordable(biggest.bytes, biggest.took) {
			continue
		}
		e := s.post(ctx, v.id, s.body(ask(mark)))
		s.expect(v, e, name, notServerError)
		if e.status == http.StatusOK && accepted == nil {
			accepted, what = e, name
		}
	}
	return accepted, what
}

func offsetAltered(ctx context.Context, s *session, v *verdict) {
	if !s.usable(v) {
		return
	}
	issued := s.full.pages[0].next
	if issued == "" {
		v.skip("the full run has one page only, so there is no offset")
		return
	}
	e, what := s.tryAltered(ctx, v, issued, func(mark string) question {
		return question{label: v.id, offset: mark, context: s.full.pages[0].nextContext}
	})
	if e != nil {
		s.found("offset-altered-accepted", e, "an offset that was never issued (%s) was answered with a page", what)
	}
}

func checkpointAltered(ctx context.Context, s *session, v *verdict) {
	if !s.hasCheckpoint(v) {
		return
	}
	if e, what := s.tryAltered(ctx, v, s.full.checkpoint, func(mark string) question {
		return question{label: v.id, since: mark}
	}); e != nil {
		v.detail("%s as checkpoint is answered with a page", fmt.Sprintf("%q", what))
	}
}
