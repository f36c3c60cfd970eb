package hubserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/test/mailtest"
)

// toldTo is a configuration with one receiver by e-mail, and one in a chat.
func toldTo(bridge, mail, chat, more string) string {
	return everyday(bridge, fmt.Sprintf(`
public_url: https://contacts.example.com
alerts:
  after: 1s
  smtp: {server: "%s", tls: none, from: contactbridge@example.com}
  receivers:
    ops: {email: [ops@example.com]}
    room: {account: acme, chat: "%s"}
%s`, mail, chat, more))
}

// A hub tells by e-mail and in a chat that an integration is broken, and that it works again.
func TestPeopleAreToldWhatIsBroken(t *testing.T) {
	t.Parallel()
	office, good := mailtest.Start(t, mailtest.Plain), crm(t)
	said := make(chan string, 9)
	room := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		said <- r.URL.Path
	}))
	t.Cleanup(room.Close)
	dir := t.TempDir()
	cfg := parse(t, dir, strings.Replace(toldTo(good, office.Address, room.URL+"/services/x", ""), "password: \"${CRM_BRIDGE_PASSWORD}\"", "password: wrong", 1))
	_, _, stop := serve(t, cfg)
	await(t, "a mail", func() bool { return len(office.Got()) == 1 })
	first := office.Got()[0]
	if first.To != "ops@example.com" || !strings.Contains(first.Text, "Subject: contactbridge: crm of acme is broken") || !strings.Contains(unfolded(first.Text), "https://contacts.example.com/integrations/acme/crm") {
		t.Errorf("%+v", first)
	}
	if at := <-said; at != "/services/x" {
		t.Errorf("the chat was told at %s", at)
	}
	stop()
	cfg = parse(t, dir, toldTo(good, office.Address, room.URL+"/services/x", ""))
	_, _, stop = serve(t, cfg)
	defer stop()
	await(t, "another mail", func() bool { return len(office.Got()) == 2 })
	if second := office.Got()[1]; !strings.Contains(second.Text, "crm of acme works again") {
		t.Errorf("%+v", second)
	}
}

// unfolded is a text without the ends of lines of quoted-printable.
func unfolded(text string) string { return strings.ReplaceAll(text, "=\r\n", "") }

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Receivers can be tried before the hub has ever run.
func TestReceiversAreTriedWithoutAHub(t *testing.T) {
	t.Parallel()
	office := mailtest.Start(t, mailtest.Plain)
	cfg := parse(t, t.TempDir(), toldTo("https://bridge.example.com/", office.Address, "http://127.0.0.1:1/services/S3CRET", ""))
	ctx := hub.WithActor(t.Context(), hub.Actor{Name: "the command line", All: true})
	tried, err := hubserver.TryAlerts(ctx, cfg, "")
	if err != nil || len(tried) != 2 || tried[0].Err != nil || tried[0].Address != "ops@example.com" || tried[1].Err == nil || strings.Contains(tried[1].Err.Error(), "S3CRET") {
		t.Errorf("%+v, %v", tried, err)
	}
	if got := office.Got(); len(got) != 1 || !strings.Contains(unfolded(got[0].Text), "sent by the command line") {
		t.Errorf("%+v", got)
	}
	if one, err := hubserver.TryAlerts(ctx, cfg, "ops"); err != nil || len(one) != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := hubserver.TryAlerts(ctx, cfg, "nobody"); failure.Of(err).Code != failure.NotFound {
		t.Error(err)
	}
	if _, err := hubserver.TryAlerts(ctx, parse(t, t.TempDir(), everyday("https://bridge.example.com/", "")), ""); failure.Of(err).Code != failure.Invalid {
		t.Error(err)
	}
}
