package hubserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/mailer"
)

// mailBy sends e-mails by the server of a configuration; nil without one.
func mailBy(cfg *hubconfig.Config) func(context.Context, hub.Mail) (registry.Sending, error) {
	server, ok := cfg.MailServer()
	if !ok {
		return nil
	}
	return func(ctx context.Context, m hub.Mail) (registry.Sending, error) {
		code, err := server.Send(ctx, mailer.Message(m))
		return registry.Sending{Status: code}, err
	}
}

// A Tried receiver was sent a test.
type Tried struct {
	Address string // where to: of a chat only the host
	How     registry.Sending
	Err     error // nil: it was taken
}

// TryAlerts sends a test to the receivers of a configuration, or to the one that is named. It opens no database: they need not be
// declared yet.
func TryAlerts(ctx context.Context, cfg *hubconfig.Config, name string) ([]Tried, error) {
	all := slices.DeleteFunc(cfg.DeclaredWebhooks(), func(w hubconfig.DeclaredWebhook) bool { return w.Way == registry.WayEvents })
	if len(all) == 0 {
		return nil, &failure.Error{Code: failure.Invalid, Message: "the configuration names no receiver of alerts", Hint: "Add one below alerts.receivers, and name the file with -c."}
	}
	if _, ok := cfg.Alerts.Receivers[name]; name != "" && !ok {
		return nil, &failure.Error{Code: failure.NotFound, Message: fmt.Sprintf("the configuration has no receiver %q", name), Hint: "Choose one that stands below alerts.receivers."}
	}
	h := hub.New(nil, nil)
	h.Outbound, h.Mail, h.Options.PublicURL = transport(cfg.Network), mailBy(cfg), cfg.PublicURL
	var tried []Tried
	for _, w := range all {
		if begins := hubconfig.AlertReceiver(name) + "-"; name != "" && w.ID != begins+"chat" && !strings.HasPrefix(w.ID, begins+"email-") {
			continue
		}
		how, err := h.TryReceiver(ctx, w.Webhook, w.Secret)
		tried = append(tried, Tried{Address: strings.TrimPrefix(w.URL, "mailto:"), How: how, Err: err})
	}
	return tried, nil
}
