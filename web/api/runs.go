package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

type runPath struct {
	IntegrationPath
	ID int64 `path:"id" minimum:"1" doc:"The run's id."`
}

type logLineView struct {
	Time  time.Time `json:"time" doc:"When."`
	Level string    `json:"level" enum:"info,warning,error" doc:"How bad it is."`
	Text  string    `json:"text" doc:"What happened, in sentences."`
}

type runPointView struct {
	Time     time.Time `json:"time" doc:"When."`
	Pages    int64     `json:"pages" doc:"Pages by then."`
	Contacts int64     `json:"contacts" doc:"Contacts by then."`
}

// A wholeRunView is a run with all that is kept of it.
type wholeRunView struct {
	Run          runView        `json:"run" doc:"The run, as far as it has come."`
	Log          []logLineView  `json:"log" doc:"What happened, the oldest first: at most 200 lines. Of a run without incident: its beginning and its end."`
	LeftOut      int            `json:"left_out,omitempty" doc:"Lines that are not kept, between the first hundred and the others."`
	Points       []runPointView `json:"points" doc:"How far it had come, every two seconds at first, more seldom in long runs. None of runs that took less."`
	Rate         float64        `json:"rate,omitempty" doc:"Contacts a second, lately, of a run under way in the process that answers."`
	Note         string         `json:"note,omitempty" doc:"What it waits for."`
	RejectedHere []rejectedView `json:"rejected_contacts" doc:"Contacts that it could not take, the newest first: those of the integration's newest 1000."`
}

func viewWholeRun(r hub.RunView) wholeRunView {
	v := wholeRunView{
		Run: viewRun(r.Run), LeftOut: r.Log.Left,
		Log:          views(r.Log.Lines, func(l registry.LogLine) logLineView { return logLineView(l) }),
		Points:       views(r.Log.Points, func(p registry.RunPoint) runPointView { return runPointView(p) }),
		RejectedHere: views(r.Rejected, func(r directory.Rejected) rejectedView { return rejectedView(r) }),
	}
	if r.Progress != nil {
		v.Rate, v.Note = r.Progress.Rate, r.Progress.Note
	}
	return v
}

// Run is one run as the API writes it.
func Run(r hub.RunView) any { return viewWholeRun(r) }

func (a *API) routeRun() {
	register(a, operation{
		id: "readRun", method: http.MethodGet, path: "/api/v1/integrations/{integration}/runs/{id}", tag: "integrations", scopes: lookers,
		summary: "One run: its log, how fast it was, and what it could not take",
	}, func(ctx context.Context, in *runPath) (*answer[wholeRunView], error) {
		r, err := a.hub.RunOf(ctx, in.key(ctx), in.ID)
		return answered(viewWholeRun(r)), err
	})
}
