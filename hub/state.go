package hub

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// hubState is the part of a hub that is kept in memory.
type hubState struct {
	tokens    tokenCache
	accounts  cache[string, known]
	calls     calls
	asks      asks
	readers   readers
	books     books
	hooks     hookTimes
	several   cache[struct{}, bool] // whether there is more than one account
	slots     slots
	working   working
	storage   storage
	tracker   tracker
	listeners listeners
	refreshes singleflight.Group
	unsaved   sync.Map // OAuth tokens that could not be saved, by their owners

	seldomOnce sync.Once
	seldomLog  *slog.Logger

	wakeOnce sync.Once
	wakeUp   chan struct{}
}

// A known account holds what a look-up needs of it.
type known struct {
	registry.Account
	hidden []string // integrations with contacts that are not shown any more
	rules  caller.Rules
	asks   []asking // integrations whose sources are asked where no contact is known
}

func (h *Hub) now() time.Time {
	if h.Options.Clock != nil {
		return h.Options.Clock()
	}
	return time.Now() //nolint:forbidigo // no clock was passed in
}

func (h *Hub) log() *slog.Logger {
	if h.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Logger
}

// seldom is the log for what is tried every second, for as long as a database is away.
func (h *Hub) seldom() *slog.Logger {
	h.seldomOnce.Do(func() { h.seldomLog = slog.New(Seldom(h.log().Handler())) })
	return h.seldomLog
}

// waking gets a value when there may be something to do at once.
func (h *Hub) waking() <-chan struct{} {
	h.wakeOnce.Do(func() { h.wakeUp = make(chan struct{}, 1) })
	return h.wakeUp
}

// wake makes this process look for what is due. Others look within a second.
func (h *Hub) wake() {
	h.waking()
	select {
	case h.wakeUp <- struct{}{}:
	default:
	}
}
