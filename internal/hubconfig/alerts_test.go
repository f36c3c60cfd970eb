package hubconfig_test

import (
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
)

func alerts(text string) string { return "accounts: {acme: {region: GB}}\nalerts:\n" + text }

const goodAlerts = `
  stale: 2h
  repeat: 0s
  smtp: {server: "smtp.example.com:465", tls: implicit, username: hub, password: "${CRM_BRIDGE_PASSWORD}", from: hub@example.com, roots: ca.pem}
  receivers:
    ops: {email: [ops@example.com, night@example.com], chat: "https://hooks.example.com/services/${PBX_TOKEN}"}
    acme: {account: acme, email: [it@acme.example]}
`

func TestReceiversOfAlertsAreDeclared(t *testing.T) {
	t.Parallel()
	cfg, err := hubconfig.Parse("hub.yaml", []byte(alerts(goodAlerts)), environment())
	if err != nil {
		t.Fatal(err)
	}
	if o := cfg.AlertOptions(); o.Stale != 2*time.Hour || o.After != 5*time.Minute || o.Repeat >= 0 {
		t.Errorf("%+v", o)
	}
	server, ok := cfg.MailServer()
	if !ok || server.Password != "s3cret" || server.TLS != "implicit" || server.Roots != "/etc/contactbridge/ca.pem" {
		t.Errorf("%+v", server)
	}
	var got []string
	for _, w := range cfg.DeclaredWebhooks() {
		if !w.Managed || len(w.Kinds) != 1 || w.Kinds[0] != registry.AlertEvent || strings.Contains(w.URL, "0123456789abcdef") {
			t.Errorf("%+v", w.Webhook)
		}
		got = append(got, strings.Join([]string{w.ID, w.Account, w.Way, w.URL, w.Secret}, " "))
	}
	want := []string{
		"alert-acme-email-1 acme email mailto:it@acme.example none",
		"alert-ops-email-1  email mailto:ops@example.com none",
		"alert-ops-email-2  email mailto:night@example.com none",
		"alert-ops-chat  chat https://hooks.example.com/… https://hooks.example.com/services/0123456789abcdef0123",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("declared:\n%s", strings.Join(got, "\n"))
	}
	if none, err := hubconfig.Parse("hub.yaml", []byte("alerts: {stale: 1h}"), environment()); err != nil || none.AlertOptions() != nil {
		t.Errorf("without receivers: %+v, %v", none, err)
	}
}

func TestWhatIsWrongWithAlertsIsTold(t *testing.T) {
	t.Parallel()
	const smtp = "  smtp: {server: smtp.example.com:587, from: a@example.com}\n"
	for name, c := range map[string]struct{ text, says string }{
		"no port":           {"  smtp: {server: smtp.example.com, from: a@example.com}", "is not host:port"},
		"no sender":         {"  smtp: {server: smtp.example.com:25}", "Write  from: contactbridge@example.com"},
		"a wrong sender":    {"  smtp: {server: smtp.example.com:25, from: Jane <a@example.com>}", "is not an e-mail address"},
		"a wrong TLS":       {"  smtp: {server: smtp.example.com:25, from: a@example.com, tls: ssl}", "starttls"},
		"half of a sign-in": {"  smtp: {server: smtp.example.com:25, from: a@example.com, username: hub}", "without a password"},
		"the other half":    {"  smtp: {server: smtp.example.com:25, from: a@example.com, password: x}", "without a username"},
		"in the clear":      {"  smtp: {server: smtp.example.com:25, from: a@example.com, tls: none, username: hub, password: x}", "anyone in between could read the password"},
		"no server":         {"  receivers: {ops: {email: [a@example.com]}}", "no mail server is set"},
		"nothing to tell":   {smtp + "  receivers: {ops: {}}", "neither email nor chat"},
		"a wrong address":   {smtp + "  receivers: {ops: {email: [ops]}}", "is not an e-mail address"},
		"a wrong chat":      {"  receivers: {ops: {chat: \"slack:T0/B0/secret-of-the-chat\"}}", "not an http or https URL"},
		"a wrong account":   {"  receivers: {ops: {account: other, chat: \"https://example.com/x\"}}", `account \"other\" is not in this file`},
		"too often":         {"  repeat: 1m", "cannot be repeated every 1m0s"},
		"at once":           {"  after: 0s", "must be more than 0"},
		"an unknown key":    {"  receivers: {ops: {sms: [1]}}", "sms"},
		"a wrong name":      {"  receivers: {\"a b\": {chat: \"https://example.com/x\"}}", "cannot be a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := hubconfig.Parse("hub.yaml", []byte(alerts(c.text+"\n")), environment())
			if err == nil {
				t.Fatal("it is taken")
			}
			said := err.Error()
			if !strings.Contains(said, strings.ReplaceAll(c.says, `\"`, `"`)) {
				t.Errorf("it says: %s", said)
			}
			if strings.Contains(said, "secret-of-the-chat") {
				t.Errorf("it shows the chat's address: %s", said)
			}
		})
	}
}
