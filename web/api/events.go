package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

type eventView struct {
	ID      int64          `json:"id" doc:"Ascending: a reader continues after the last one that it saw."`
	Time    time.Time      `json:"time" doc:"When it happened."`
	Kind    string         `json:"kind" doc:"run.finished, run.failed, integration.broken, integration.mended, integration.guarded, contact.purged, …"`
	Account string         `json:"account,omitempty" doc:"Where."`
	Subject string         `json:"subject,omitempty" doc:"The integration, or what else it is about."`
	Data    map[string]any `json:"data" doc:"More, by kind."`
}

type eventsView struct {
	Events []eventView `json:"events" doc:"Ascending."`
}

type eventsQuestion struct {
	After   int64  `query:"after" minimum:"0" doc:"Only events after this id."`
	Subject string `query:"subject" maxLength:"200" doc:"Only what is about this integration."`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Events in the answer."`
	InAccount
}

type streamQuestion struct {
	After     int64 `query:"after" minimum:"0" doc:"Begin after this event. Default: with what happens from now on."`
	LastEvent int64 `header:"Last-Event-ID" doc:"The same, as browsers send it when they connect again."`
	InAccount
}

func viewEvent(e registry.Event) eventView {
	v := eventView{ID: e.ID, Time: e.Time, Kind: e.Kind, Account: e.Account, Subject: e.Subject}
	if json.Unmarshal(e.Data, &v.Data) != nil || v.Data == nil {
		v.Data = map[string]any{}
	}
	return v
}

func (a *API) routeEvents() {
	register(a, operation{
		id: "listEvents", method: http.MethodGet, path: "/api/v1/events", tag: "events", scopes: lookers, account: anyAccount,
		summary: "List events",
	}, func(ctx context.Context, in *eventsQuestion) (*answer[eventsView], error) {
		list, err := a.hub.Events(ctx, registry.Filter{Account: accountOf(ctx), Subject: in.Subject, After: in.After, Limit: in.Limit})
		return answered(eventsView{views(list, viewEvent)}), err
	})
	o := operation{
		id: "streamEvents", method: http.MethodGet, path: "/api/v1/events/stream", tag: "events", scopes: lookers, account: anyAccount,
		summary: "Events as they happen",
		details: "Server-sent events: id is the event's, event its kind, data the event as in the list. A comment every few seconds shows that the stream lives. It ends when the token does, at once in the process that ends it and within a second in others, and no event is sent after that; and when the hub stops: connect again with Last-Event-ID.",
	}
	described := o.describe()
	described.Responses["200"] = &huma.Response{
		Description: "Events, until the reader ends the stream.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	huma.Register[streamQuestion, nothing](undocumentedRoutes{a.huma}, described, nil)
	delete(described.Responses, "204") // the framework's thought
	a.mux.HandleFunc("GET "+o.path, a.streamEvents)
}

// streamEvents tells of events until the caller goes, the token ends or the hub stops.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request) {
	token := bearer(r)
	actor, account, p := a.enter(r, token, lookers, anyAccount)
	if p != nil {
		p.Write(w, r)
		return
	}
	after, p := a.streamStart(r)
	if p != nil {
		p.Write(w, r)
		return
	}
	s := &stream{
		api: a, w: w, control: http.NewResponseController(w), token: token, actor: actor,
		filter: registry.Filter{Account: account, After: after, Limit: 100},
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // proxies must pass it on at once
	_ = s.control.SetWriteDeadline(time.Time{})
	if err := s.run(hub.WithActor(r.Context(), actor)); err != nil {
		exchange.Of(r.Context()).Err = err
	}
}

// streamStart returns the event that a stream begins after.
func (a *API) streamStart(r *http.Request) (int64, *problem) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, newProblem("bad_request", "The query is malformed.", "Percent-encode the values.")
	}
	given, field := r.Header.Get("Last-Event-ID"), "Last-Event-ID"
	for name := range query {
		switch name {
		case "account":
		case "after":
			if given == "" {
				given, field = query.Get(name), name
			}
		default:
			return 0, invalid(name, "Unknown query parameter "+strconv.Quote(name)+".", seeDocument)
		}
	}
	if given == "" {
		last, err := a.hub.Registry.LastEvent(r.Context())
		if err != nil {
			return 0, problemOf(r.Context(), err)
		}
		return last, nil
	}
	after, err := strconv.ParseInt(given, 10, 64)
	if err != nil || after < 0 {
		return 0, invalid(field, field+": this is not the id of an event.", "Send the id of the last event that was seen, or leave it out.")
	}
	return after, nil
}

// A stream is one reader of events.
type stream struct {
	api     *API
	w       http.ResponseWriter
	control *http.ResponseController
	token   string
	actor   hub.Actor // whom the token stood for when the stream began
	filter  registry.Filter
}

const streamWrite = 10 * time.Second // longer than this a reader is not waited for

// run writes events. An error is ours; a reader that has gone is not an error.
func (s *stream) run(ctx context.Context) error {
	news := s.api.hub.Subscribe(ctx)
	beat := time.NewTicker(s.api.heartbeat)
	defer beat.Stop()
	if !s.write(": hello\n\n") {
		return nil
	}
	for {
		_, revoked := s.api.hub.Registry.Revoked()
		if ok, err := s.tell(ctx); !ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.api.stopping:
			return nil
		case _, ok := <-news:
			if !ok {
				return nil
			}
		case <-revoked:
			if s.api.hub.Still(ctx, s.token, s.actor) != nil {
				return nil
			}
		case <-beat.C:
			if s.api.hub.Still(ctx, s.token, s.actor) != nil || !s.write(":\n\n") {
				return nil
			}
		}
	}
}

// tell writes all events that there are; ok is false where the reader has gone, or may read no more.
func (s *stream) tell(ctx context.Context) (ok bool, err error) {
	for {
		list, err := s.api.hub.Events(ctx, s.filter)
		if err != nil {
			return false, ignoreEnd(ctx, err)
		}
		if len(list) > 0 && s.api.hub.Still(ctx, s.token, s.actor) != nil {
			return false, nil // what happened is for others by now
		}
		for _, e := range list {
			data, err := json.Marshal(viewEvent(e))
			if err != nil {
				return false, err
			}
			if !s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.ID, clean(e.Kind), data)) {
				return false, nil
			}
			s.filter.After = e.ID
		}
		if len(list) < s.filter.Limit {
			return true, nil
		}
	}
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("read events: %w", err)
}

// write reports whether the reader took it.
func (s *stream) write(text string) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
