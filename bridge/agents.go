package bridge

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/contact"
)

// An Agent is a user of the external service who may be an agent of the contact centre as well (A1). All three fields are filled.
type Agent struct {
	ID    string // in the external service
	Name  string
	Email string
}

// The bounds of agents (A5).
const (
	MaxAgents     = 100_000 // of one endpoint
	maxAgentText  = 1024    // bytes of a name, and of an e-mail address
	maxAgentsBody = 8 << 20 // bytes of an answer, for the client
)

// serveAgents answers one page of agents: those after the first ones in the order of their ids, as many as the offset says (A2).
func (h *Handler) serveAgents(x *exchange, q request) error {
	skip, err := agentOffset(q.offset)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(x.r.Context(), x.arrived.Add(h.Limits.hard()))
	defer cancel()
	done := make(chan gathered, 1)
	go func() {
		var g gathered
		g.err = guarded(func() (err error) {
			g.agents, g.leftOut, err = h.readAgents(ctx, q.auth)
			return err
		})
		done <- g
	}()
	select {
	case g := <-done:
		if g.err != nil {
			return g.err
		}
		h.answerAgents(x, g, skip)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// agentOffset reads how many agents a request has had already.
func agentOffset(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > MaxAgents {
		return 0, &Error{
			Code: CodeInvalidOffset, Message: "meta.offset is not a number that this endpoint issued",
			Hint: "Send meta.offset exactly as next_offset gave it, or leave it out to start again.",
		}
	}
	return n, nil
}

// gathered is what reading the agents gave.
type gathered struct {
	agents  []Agent
	leftOut []string // ids of users who cannot be sent
	err     error
}

func (h *Handler) answerAgents(x *exchange, g gathered, skip int) {
	limits := h.Limits.withDefaults()
	rest := g.agents[min(skip, len(g.agents)):]
	body := []byte(`{"agents":[`)
	sent := 0
	for i := range rest {
		before := len(body)
		if i > 0 {
			body = append(body, ',')
		}
		body = rest[i].appendJSON(body)
		if len(body) > limits.Bytes && i > 0 {
			body = body[:before]
			break
		}
		sent++
	}
	body = append(body, ']')
	if sent < len(rest) {
		body = strconv.AppendInt(append(body, `,"next_offset":`...), int64(skip+sent), 10)
	}
	body = append(body, "}\n"...)
	x.seen.Agents, x.seen.LeftOut, x.seen.Bytes = sent, len(g.leftOut), len(body)
	x.notes = append(x.notes, slog.Int("agents", sent))
	if len(g.leftOut) > 0 {
		shown := g.leftOut[:min(len(g.leftOut), maxLoggedIDs)]
		x.notes = append(x.notes, slog.Int("left_out", len(g.leftOut)), slog.String("no_email", strings.Join(shown, ", ")))
	}
	x.writeJSON(http.StatusOK, body)
}

func (a *Agent) appendJSON(b []byte) []byte {
	b = contact.AppendString(append(b, `{"id":`...), a.ID)
	b = contact.AppendString(append(b, `,"name":`...), a.Name)
	b = contact.AppendString(append(b, `,"email":`...), a.Email)
	return append(b, '}')
}

// readAgents opens what the agents are read from, and reads all of them.
func (h *Handler) readAgents(ctx context.Context, auth Auth) ([]Agent, []string, error) {
	src, err := h.Agents(ctx, auth)
	if err != nil {
		return nil, nil, err
	}
	defer h.close(src)
	return ReadAgents(ctx, src)
}

// ReadAgents reads every user of a source: id, name and first e-mail address of its contacts, in the order of their ids (byte by
// byte). A user without an e-mail address cannot be told apart from others in the contact centre and is left out; leftOut holds the
// ids of such users, empty for one without an id. The address stands in for a missing name.
func ReadAgents(ctx context.Context, src Source) (agents []Agent, leftOut []string, err error) {
	run, err := src.Begin(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	byID := map[string]*Agent{} // nil: left out
	for change, err := range src.Read(ctx, run, nil, 0) {
		if err != nil {
			return nil, nil, err
		}
		id := strings.Clone(change.Contact.ID)
		switch {
		case change.Deleted:
			delete(byID, id)
		case change.Rejected != "" || strings.TrimSpace(id) == "" || len(id) > contact.MaxID:
			leftOut = append(leftOut, cut(id, contact.MaxID))
		default:
			byID[id] = agentOf(&change.Contact)
		}
		if len(byID)+len(leftOut) > MaxAgents {
			return nil, nil, &Error{
				Code: CodeSourceBroken, Message: fmt.Sprintf("there are more than %d agents", MaxAgents),
				Hint: "Let the endpoint's agents read users only, not customers: name another table, or write a query that chooses them.",
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err // an iteration that was stopped may look like one that is at its end (T11)
	}
	for id, a := range byID {
		if a == nil {
			leftOut = append(leftOut, id)
			continue
		}
		agents = append(agents, *a)
	}
	slices.SortFunc(agents, func(a, b Agent) int { return cmp.Compare(a.ID, b.ID) })
	slices.Sort(leftOut)
	return agents, leftOut, nil
}

// agentOf returns the agent that a contact describes; nil where it has no e-mail address.
func agentOf(c *contact.Contact) *Agent {
	at := slices.IndexFunc(c.Emails, func(address string) bool { return strings.TrimSpace(address) != "" })
	if at < 0 || len(c.Emails[at]) > maxAgentText {
		return nil
	}
	address := strings.Clone(strings.TrimSpace(c.Emails[at]))
	name := cmp.Or(strings.Clone(strings.TrimSpace(c.Name)), address)
	return &Agent{ID: strings.Clone(c.ID), Name: cut(name, maxAgentText), Email: address}
}

// An AgentPage is one answer with agents (A2).
type AgentPage struct {
	Agents     []Agent // each with id, name and e-mail address
	Rejected   int     // those that lack one of them (A1)
	NextOffset string  // empty: these were the last ones; otherwise to be sent as it is
	Bytes      int64   // of the answer's body, decompressed
}

// AgentPage asks the agent_sync endpoint at an address for one page of agents: the first one where offset is empty, otherwise the one
// that a page's NextOffset leads to.
func (c *Client) AgentPage(ctx context.Context, url, offset string) (*AgentPage, error) {
	type meta struct {
		Offset any `json:"offset"`
	}
	body := struct {
		Auth Auth `json:"auth"`
		Meta meta `json:"meta"`
	}{Auth: c.auth()}
	if n, err := strconv.ParseInt(offset, 10, 64); err == nil {
		body.Meta.Offset = n // an integer, as documented; what is none goes back as the text that it was
	} else if offset != "" {
		body.Meta.Offset = offset
	}
	text, err := encodeJSON(body)
	if err != nil {
		return nil, err
	}
	var page *AgentPage
	err = c.post(ctx, url, text, func(a *answer) (err error) {
		page, err = a.agents()
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// agents reads a page of agents. Whatever is not one is an error, never an empty page (T11).
func (a *answer) agents() (*AgentPage, error) {
	a.most = min(a.most, maxAgentsBody)
	a.meter.left = min(a.meter.left, a.most)
	if err := a.startJSON(); err != nil {
		return nil, err
	}
	r := pageReader{json: a.json}
	page := &AgentPage{}
	there := false
	err := readObject(a.json, func(name string) (err error) {
		switch name {
		case "agents":
			there, err = r.array(name, "objects", func() error { return r.agent(page) })
		case "next_offset":
			page.NextOffset, _, err = readText(r.json, name, false)
			if err == nil && len(page.NextOffset) > maxTokenLen {
				err = &fieldError{"next_offset is larger than " + size(maxTokenLen)}
			}
		case "error":
			err = r.readError()
		default:
			err = r.json.SkipValue()
		}
		return err
	})
	if err == nil {
		err = a.atEnd()
	}
	switch {
	case err != nil:
		return nil, a.badBody(err)
	case r.failed != nil:
		return nil, a.errorWith200(r.failed)
	case !there:
		return nil, a.badAnswer("the answer has no agents", "A page of agents is an object with agents, an array. Check that the URL is that of agent_sync.")
	}
	page.Bytes = a.meter.read
	return page, nil
}

// agent reads one agent; one that lacks a field, or has one beyond its bounds, is counted.
func (r *pageReader) agent(page *AgentPage) error {
	if len(page.Agents)+page.Rejected == MaxAgents {
		return &pageTooBig{fmt.Sprintf("it holds more than %d agents", MaxAgents)}
	}
	var one Agent
	if r.json.PeekKind() != '{' {
		page.Rejected++
		return r.json.SkipValue()
	}
	err := readObject(r.json, func(name string) (err error) {
		switch name {
		case "id":
			one.ID, err = r.plainText()
		case "name":
			one.Name, err = r.plainText()
		case "email":
			one.Email, err = r.plainText()
		default:
			err = r.json.SkipValue()
		}
		return err
	})
	one.Name, one.Email = strings.TrimSpace(one.Name), strings.TrimSpace(one.Email)
	one.Name = cmp.Or(one.Name, one.Email)
	if one.ID == "" || len(one.ID) > contact.MaxID || one.Email == "" || len(one.Email) > maxAgentText {
		page.Rejected++
		return err
	}
	one.Name = cut(one.Name, maxAgentText)
	page.Agents = append(page.Agents, one)
	return err
}

// FollowAgents follows pages of agents to the end, and returns all of them, each once, in the order of their ids. page asks for the page
// at an offset. A loop, or more than [MaxAgents], is [CodeLoop].
func FollowAgents(ctx context.Context, page func(ctx context.Context, offset string) (*AgentPage, error)) (agents []Agent, rejected int, err error) {
	byID, seen, offset := map[string]Agent{}, map[string]bool{}, ""
	for {
		p, err := page(ctx, offset)
		if err != nil {
			return nil, 0, err
		}
		for _, a := range p.Agents {
			byID[a.ID] = a
		}
		rejected += p.Rejected
		if p.NextOffset == "" {
			break
		}
		if seen[p.NextOffset] || len(byID)+rejected > MaxAgents {
			return nil, 0, &Error{
				Code: CodeLoop, Message: "the pages of agents do not end",
				Hint: "Mend the bridge: next_offset must grow with every page of agents, and the last page must not have it.",
			}
		}
		seen[p.NextOffset], offset = true, p.NextOffset
	}
	for _, a := range byID {
		agents = append(agents, a)
	}
	slices.SortFunc(agents, func(a, b Agent) int { return cmp.Compare(a.ID, b.ID) })
	return agents, rejected, nil
}
