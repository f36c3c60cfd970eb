package bridgetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func agentCases() []testCase {
	return []testCase{
		{Case{
			"agents-answer", "A2", Must, "a request for agents is answered with status 200 and an array of agents",
			"POST {\"auth\": …, \"meta\": {\"offset\": null}} to agent_sync asks for the first page of all agents.",
			`Answer 200 with {"agents": […]}, an empty array if there are none; 404 where the bridge has no agents.`,
		}, agentsAnswer},
		{Case{
			"agents-end", "A2", Must, "the pages of agents come to an end",
			"A page with next_offset is followed by a request with that offset, until a page has none.",
			"Let the offset count the agents that were sent, and leave next_offset out of the last page.",
		}, nil},
		{Case{
			"agents-fields", "A1", Must, "every agent has an id, a name and an e-mail address",
			"All three are mandatory: the contact centre knows its own agents by the e-mail address.",
			"Leave out users without an e-mail address, and send the address where the name is missing.",
		}, nil},
		{Case{
			"agents-id-type", "A1", Should, "an agent's id, name and e-mail address are strings",
			"The fields are strings; a number as id is read by some systems only.",
			"Convert ids to strings.",
		}, nil},
		{Case{
			"agents-unique", "A1", Must, "an agent comes once in a run",
			"An id belongs to one agent: a second one with the same id replaces the first.",
			"Use the external service's primary key, sort the agents by it, and look for a join that multiplies rows.",
		}, nil},
		{Case{
			"agents-emails", "A1", Should, "every agent has an e-mail address of their own",
			"Agents are linked by their address: a shared one leads to nobody, and so does what is no address.",
			"Send the personal address of each user, and leave out those of teams and machines.",
		}, nil},
		{Case{
			"agents-next-offset", "A2", Must, "next_offset of agents is an integer, and absent at the end",
			"Unlike that of contacts, the offset of agents is an integer, or null on the first request.",
			"Write next_offset as a number without quotes, and leave it out of the last page.",
		}, nil},
		{Case{
			"agents-offset-absent", "A2", Must, "an absent offset of agents means the same as null",
			"The first request has no offset; some systems write null, others leave it out.",
			"Treat a missing meta, and a missing or null offset, as the beginning.",
		}, agentsOffsetAbsent},
		{Case{
			"agents-again", "A2", Must, "the same page of agents can be asked for twice",
			"After a 401 or a broken connection the request is repeated.",
			"Keep no cursor: let the offset say from which agent on the page is.",
		}, agentsAgain},
		{Case{
			"agents-auth", "A3, P13", Must, "agents are sent for good credentials only",
			"The request carries the same credentials as one for contacts: 401 if they are wrong or missing.",
			"Check auth on every endpoint, in one place.",
		}, agentsAuth},
		{Case{
			"agents-offset-altered", "A2, D5", Should, "an offset of agents that was never issued breaks nothing",
			"Offsets come from outside; 400, or no agents, is an answer, 5xx is not.",
			"Check that the offset is a whole number from 0 on, and answer 400 if not.",
		}, agentsOffsetAltered},
	}
}

func validationCases() []testCase {
	return []testCase{
		{Case{
			"validation-answer", "P13", Must, "the credential check answers nothing, or one flat object",
			"204 has no body. A 200 may hold an object of more auth fields, each a string, a number or a boolean.",
			`Answer 204 without a body, or 200 with {} or such as {"token": "…"}.`,
		}, validationAnswer},
		{Case{
			"validation-values", "P13", Must, "contacts are sent for the credentials with what the credential check added",
			"What a 200 holds is stored, and sent in auth from then on.",
			"Accept on contact_sync what auth_validation answered, and ignore fields of auth that are not known.",
		}, validationValues},
		{Case{
			"validation-again", "P13", Should, "the credential check accepts what it added",
			"Credentials are tried again later, and then hold what the first check added.",
			"Ignore these fields on auth_validation, or check them.",
		}, validationAgain},
		{Case{
			"validation-missing", "P13", Must, "missing credentials are not good",
			"A check that takes an empty auth says that an integration works which does not.",
			"Treat a missing, null or empty auth as wrong credentials: 401.",
		}, validationMissing},
	}
}

// An agentPage is one page of the run over the agents.
type agentPage struct {
	offset json.RawMessage // as it was asked with
	ids    []string
}

const mostAgentPages = 10_000

// agentBody is a request for agents with an offset, given as JSON text.
func (s *session) agentBody(auth []byte, offset string) []byte {
	return []byte(`{"auth":` + string(auth) + `,"meta":{"offset":` + offset + `}}`)
}

func (s *session) askAgents(ctx context.Context, label string, body []byte) *exchange {
	e := &exchange{label: label, method: http.MethodPost, url: s.target.AgentsURL, body: body, header: http.Header{}}
	if !s.hasAgents() {
		// A bridge that has no agents may answer 404 without having read the body, which must not disturb the next request.
		e.header.Set("Connection", "close")
	}
	return s.send(ctx, e)
}

// agentsAnswer reads all agents; the other cases judge what it read.
func agentsAnswer(ctx context.Context, s *session, v *verdict) {
	if s.target.AgentsURL == "" {
		s.skipAgents("the URL does not end in /contact_sync, and no other one was given")
		return
	}
	if !s.usable(v) {
		s.skipAgents("the bridge did not answer a good request with a page")
		return
	}
	seen := map[string]int{}
	offset, emails := json.RawMessage("null"), map[string]string{}
	for {
		e := s.askAgents(ctx, v.id, s.agentBody(s.auth(), string(offset)))
		if len(s.agents) == 0 && (e.status == http.StatusNotFound || e.status == http.StatusMethodNotAllowed) {
			s.skipAgents("the bridge has no agents")
			return
		}
		page, next := s.readAgents(v, e, seen, emails)
		if page == nil {
			if len(s.agents) == 0 {
				s.skipAgentsAfter("the bridge did not answer with agents")
			}
			return
		}
		page.offset = offset
		s.agents = append(s.agents, *page)
		if next == nil {
			break
		}
		again := slices.ContainsFunc(s.agents, func(p agentPage) bool { return string(p.offset) == string(next) })
		if again || len(s.agents) >= mostAgentPages {
			s.found("agents-end", e, "page %d gives an offset that the run has had before, or the run has not ended", len(s.agents))
			break
		}
		offset = next
	}
	v.detail("%s, %s", plural(len(seen), "agent"), plural(len(s.agents), "page"))
}

// skipAgents skips every case about agents.
func (s *session) skipAgents(why string) {
	for _, c := range agentCases() {
		s.verdict(c.ID).skip("%s", why)
	}
}

// skipAgentsAfter skips every case about agents but the first.
func (s *session) skipAgentsAfter(why string) {
	for _, c := range agentCases()[1:] {
		s.verdict(c.ID).skip("%s", why)
	}
}

// readAgents reads and judges a page of agents; nil if it is none. next is where the next one starts; nil at the end.
func (s *session) readAgents(v *verdict, e *exchange, seen map[string]int, emails map[string]string) (page *agentPage, next json.RawMessage) {
	if e.status != http.StatusOK || e.err != nil {
		v.fail(e, "a request for agents: %s", unusable(e))
		return nil, nil
	}
	var object map[string]json.RawMessage
	var list []json.RawMessage
	body, ok := s.plain(e, false)
	if err := json.Unmarshal(body, &object); !ok || err != nil {
		v.fail(e, "the answer is not a JSON object")
		return nil, nil
	}
	if text := bytes.TrimSpace(object["agents"]); len(text) == 0 || text[0] != '[' || json.Unmarshal(text, &list) != nil {
		v.fail(e, "the answer has no array agents")
		return nil, nil
	}
	page = &agentPage{}
	for n, text := range list {
		s.judgeAgent(e, n, text, page, seen, emails)
	}
	return page, s.judgeAgentOffset(e, object["next_offset"])
}

// judgeAgentOffset judges next_offset, and returns it where there is one.
func (s *session) judgeAgentOffset(e *exchange, next json.RawMessage) json.RawMessage {
	switch text := string(next); text {
	case "", "null":
		return nil
	case `""`:
		s.found("agents-next-offset", e, "next_offset is empty on the last page, not absent")
		return nil
	default:
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			s.found("agents-next-offset", e, "next_offset is %s, not an integer", text)
		}
		return next
	}
}

// judgeAgent judges one agent.
func (s *session) judgeAgent(e *exchange, n int, text json.RawMessage, page *agentPage, seen map[string]int, emails map[string]string) {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		s.found("agents-fields", e, "agent %d is not an object", n+1)
		return
	}
	values := map[string]string{}
	for _, key := range []string{"id", "name", "email"} {
		switch value := fields[key].(type) {
		case string:
			values[key] = strings.TrimSpace(value)
		case json.Number:
			values[key] = value.String()
			s.found("agents-id-type", e, "the %s of agent %d is a number", key, n+1)
		}
		if values[key] == "" {
			s.found("agents-fields", e, "agent %d (id %q) has no %s", n+1, values["id"], key)
		}
	}
	id, email := values["id"], strings.ToLower(values["email"])
	if id == "" {
		return
	}
	if seen[id]++; seen[id] > 1 {
		s.found("agents-unique", e, "the id %q comes twice", id)
	}
	page.ids = append(page.ids, id)
	if local, domain, _ := strings.Cut(email, "@"); email != "" && (local == "" || domain == "") {
		s.found("agents-emails", e, "%q of agent %q is not an e-mail address", email, id)
	}
	if other, there := emails[email]; there && other != id && email != "" {
		s.found("agents-emails", e, "the agents %q and %q share the address %q", other, id, email)
	}
	emails[email] = id
}

// hasAgents reports whether agents were read; if not, the case is skipped already.
func (s *session) hasAgents() bool { return len(s.agents) > 0 }

// expectAgents asks for a page that was read before, in whatever form, and compares it.
func (s *session) expectAgents(ctx context.Context, v *verdict, what string, question []byte, want agentPage) {
	e := s.askAgents(ctx, v.id, question)
	if e.status != http.StatusOK || e.err != nil {
		v.fail(e, "%s: %s", what, unusable(e))
		return
	}
	var answer struct {
		Agents []struct {
			ID any `json:"id"`
		} `json:"agents"`
	}
	body, ok := s.plain(e, false)
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); !ok || err != nil {
		v.fail(e, "%s: the answer is not a page of agents", what)
		return
	}
	var ids []string
	for _, a := range answer.Agents {
		if id := strings.TrimSpace(fmt.Sprint(a.ID)); a.ID != nil && id != "" {
			ids = append(ids, id)
		}
	}
	if !slices.Equal(ids, want.ids) {
		v.fail(e, "%s: the page holds other agents than before: %s instead of %s", what, plural(len(ids), "agent"), plural(len(want.ids), "agent"))
	}
}

func agentsOffsetAbsent(ctx context.Context, s *session, v *verdict) {
	if !s.hasAgents() {
		return
	}
	auth := string(s.auth())
	for what, body := range sorted(map[string]string{
		"no offset in meta": `{"auth":` + auth + `,"meta":{}}`, "no meta": `{"auth":` + auth + `}`,
	}) {
		s.expectAgents(ctx, v, what, []byte(body), s.agents[0])
	}
}

func agentsAgain(ctx context.Context, s *session, v *verdict) {
	if !s.hasAgents() {
		return
	}
	middle := s.agents[len(s.agents)/2]
	for range 2 {
		s.expectAgents(ctx, v, "the offset "+string(middle.offset)+" again", s.agentBody(s.auth(), string(middle.offset)), middle)
	}
}

func agentsAuth(ctx context.Context, s *session, v *verdict) {
	if !s.hasAgents() || !s.withCredentials(v) {
		return
	}
	for _, auth := range s.wrongCredentials() {
		e := s.askAgents(ctx, v.id, s.agentBody(quoted(auth), "null"))
		s.expect(v, e, "wrong credentials", func(status int) bool { return status == http.StatusUnauthorized })
	}
	e := s.askAgents(ctx, v.id, s.agentBody([]byte("{}"), "null"))
	s.expect(v, e, "an empty auth object", func(status int) bool { return status >= 300 })
}

func agentsOffsetAltered(ctx context.Context, s *session, v *verdict) {
	if !s.hasAgents() {
		return
	}
	for what, offset := range sorted(map[string]string{
		"a negative number": "-1", "a huge number": "999999999999999999999999", "a number beyond the end": "1000000000", "a word": `"cbcheck-never-issued"`,
		"a fraction": "1.5", "an array": "[1]",
	}) {
		s.expect(v, s.askAgents(ctx, v.id, s.agentBody(s.auth(), offset)), what, notServerError)
	}
}

// validated asks the credential check, and reports whether there is one; if not, the case is skipped.
func (s *session) validated(ctx context.Context, v *verdict, auth []byte) (*exchange, bool) {
	switch {
	case s.target.AuthValidationURL == "":
		v.skip("the URL does not end in /contact_sync, and no other one was given")
		return nil, false
	case !s.withCredentials(v):
		return nil, false
	}
	e := s.validate(ctx, v.id, auth)
	if e.status == http.StatusNotFound || e.status == http.StatusMethodNotAllowed {
		v.skip("the bridge has no endpoint that checks credentials")
		return nil, false
	}
	return e, true
}

func (s *session) validate(ctx context.Context, label string, auth []byte) *exchange {
	return s.send(ctx, &exchange{
		label: label, method: http.MethodPost, url: s.target.AuthValidationURL, body: slices.Concat([]byte(`{"auth":`), auth, []byte("}")),
	})
}

// validationAnswer keeps what the check adds for the cases after it.
func validationAnswer(ctx context.Context, s *session, v *verdict) {
	e, ok := s.validated(ctx, v, s.auth())
	if !ok {
		return
	}
	text := bytes.TrimSpace(e.answer)
	switch {
	case e.status == http.StatusNoContent || e.status == http.StatusOK && len(text) == 0:
		return
	case e.status != http.StatusOK:
		v.skip("the credential check does not take good credentials")
		return
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || object == nil {
		v.fail(e, "the body of the 200 is not a JSON object")
		return
	}
	added := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		value := bytes.TrimSpace(object[key])
		switch value[0] {
		case '{', '[':
			v.fail(e, "the value of %s is not a string, a number or a boolean", key)
		case '"':
			var text string
			_ = json.Unmarshal(value, &text) // it is a string
			added[key] = text
		case 'n':
		default:
			added[key] = string(value)
		}
	}
	s.added = added
	s.mask.hide(text)
	if len(added) > 0 {
		v.detail("the check adds %s", strings.Join(slices.Sorted(maps.Keys(added)), ", "))
	}
}

// withAdded returns good credentials with what the credential check added; if it added nothing, the case passes by itself.
func (s *session) withAdded(v *verdict) ([]byte, bool) {
	if len(s.added) == 0 {
		v.detail("the credential check adds nothing")
		return nil, false
	}
	auth := maps.Clone(s.target.Auth)
	maps.Copy(auth, s.added)
	return quoted(auth), true
}

func validationValues(ctx context.Context, s *session, v *verdict) {
	if auth, ok := s.withAdded(v); ok {
		e := s.post(ctx, v.id, initialWith(string(auth)))
		s.expect(v, e, "good credentials with what the credential check added", func(status int) bool { return status == http.StatusOK })
	}
}

func validationAgain(ctx context.Context, s *session, v *verdict) {
	if auth, ok := s.withAdded(v); ok {
		e := s.validate(ctx, v.id, auth)
		s.expect(v, e, "the credential check with what it added", func(status int) bool {
			return status == http.StatusOK || status == http.StatusNoContent
		})
	}
}

func validationMissing(ctx context.Context, s *session, v *verdict) {
	empty := map[string]string{}
	for key := range s.target.Auth {
		empty[key] = ""
	}
	for what, auth := range sorted(map[string]string{"auth null": "null", "an empty auth object": "{}", "empty values in auth": string(quoted(empty))}) {
		e, ok := s.validated(ctx, v, []byte(auth))
		if !ok {
			return
		}
		s.expect(v, e, what, func(status int) bool { return status >= 300 })
	}
}
