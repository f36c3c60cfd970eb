package hubconfig

import (
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/mailer"
)

// Alerts say who is told what is wrong with integrations.
type Alerts struct {
	Stale     time.Duration       `yaml:"stale" jsonschema:"default=4h" jsonschema_description:"An integration is stale when a run that its schedule wanted is not complete for so long."`
	After     time.Duration       `yaml:"after" jsonschema:"default=5m" jsonschema_description:"How long something must be wrong before it is told, and must be well again before that is."`
	Repeat    time.Duration       `yaml:"repeat" jsonschema:"default=24h" jsonschema_description:"How often it is told again while it lasts. 0s: never."`
	SMTP      *SMTP               `yaml:"smtp" jsonschema_description:"The server that e-mails are sent by."`
	Receivers map[string]Receiver `yaml:"receivers" jsonschema_description:"Who is told, by name. Without any, nobody is."`
}

// SMTP is a mail server.
type SMTP struct {
	Server   string `yaml:"server" jsonschema:"required" jsonschema_description:"host:port, such as smtp.example.com:587." hint:"Write  server: smtp.example.com:587"`
	TLS      string `yaml:"tls" jsonschema:"default=starttls,enum=starttls,enum=implicit,enum=none" jsonschema_description:"starttls: encrypted after the greeting, usually port 587; a server that does not offer it is sent nothing. implicit: encrypted from the start, usually port 465. none: not encrypted."`
	Username string `yaml:"username" jsonschema_description:"Of the hub at the mail server. Without it the hub does not sign in."`
	Password string `yaml:"password" jsonschema_description:"As ${NAME} or ${file:PATH}."`
	From     string `yaml:"from" jsonschema:"required" jsonschema_description:"Address of the sender." hint:"Write  from: contactbridge@example.com"`
	Roots    string `yaml:"roots" jsonschema_description:"A PEM file with the authority of the server's certificate, where the machine does not know it. A relative name starts from the configuration file's folder."`
}

// Receiver is told of alerts.
type Receiver struct {
	Account string   `yaml:"account" jsonschema_description:"The account with the integrations that it is told of. Without it: all."`
	Email   []string `yaml:"email" jsonschema_description:"Addresses of e-mail."`
	Chat    string   `yaml:"chat" jsonschema_description:"URL of an incoming webhook of Slack, Mattermost, Microsoft Teams, Google Chat or another chat that takes {\"text\": …}; as ${NAME} or ${file:PATH}: anyone who has it can write there."`
}

func (c *checker) alerts(cfg *Config) {
	a := cfg.Alerts
	for path, value := range map[string]time.Duration{"alerts.stale": a.Stale, "alerts.after": a.After} {
		if value <= 0 {
			c.problem(path, "this must be more than 0", "Leave it out for its default.")
		}
	}
	if a.Repeat < 0 || a.Repeat > 0 && a.Repeat < time.Hour {
		c.problem("alerts.repeat", fmt.Sprintf("alerts cannot be repeated every %s", a.Repeat), "Write 1h or more; 0s: never.")
	}
	c.smtp(cfg)
	for _, name := range slices.Sorted(maps.Keys(a.Receivers)) {
		c.receiver("alerts.receivers."+name, name, a.Receivers[name], cfg)
	}
}

func (c *checker) smtp(cfg *Config) {
	s := cfg.Alerts.SMTP
	if s == nil {
		return
	}
	const path = "alerts.smtp"
	if _, port, err := net.SplitHostPort(s.Server); s.Server != "" && (err != nil || !isPort(port)) {
		c.problem(path+".server", fmt.Sprintf("%q is not host:port", s.Server), "Write  server: smtp.example.com:587")
	}
	if s.From != "" {
		c.mailAddress(path+".from", s.From)
	}
	switch {
	case s.Username == "" && s.Password != "":
		c.problem(path+".password", "there is a password without a username", "Set alerts.smtp.username, or remove the password.")
	case s.Username != "" && s.Password == "":
		c.problem(path+".username", "there is a username without a password", "Set alerts.smtp.password, as ${SMTP_PASSWORD}.")
	case s.Username != "" && s.TLS == mailer.Plain:
		c.problem(path+".tls", "anyone in between could read the password", "Set tls to starttls or implicit, or remove username and password.")
	}
	if s.Roots != "" && !filepath.IsAbs(s.Roots) {
		s.Roots = filepath.Join(c.folder, s.Roots)
	}
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n > 0 && n < 1<<16
}

func (c *checker) mailAddress(path, text string) {
	if a, err := mail.ParseAddress(text); err != nil || a.Name != "" {
		c.problem(path, fmt.Sprintf("%q is not an e-mail address", text), "Write it as ops@example.com.")
	}
}

func (c *checker) receiver(path, name string, r Receiver, cfg *Config) {
	c.name(path, name)
	if len(r.Email) == 0 && r.Chat == "" {
		c.problem(path, path+" has neither email nor chat", "Write  email: [ops@example.com]  or  chat: ${CHAT_URL}")
	}
	if len(r.Email) > 0 && cfg.Alerts.SMTP == nil {
		c.problem(path+".email", "no mail server is set", "Set alerts.smtp: server, from, and usually username and password.")
	}
	for i, address := range r.Email {
		c.mailAddress(fmt.Sprintf("%s.email.%d", path, i), address)
	}
	if r.Chat != "" {
		if u, err := url.Parse(r.Chat); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			c.problem(path+".chat", "this is not an http or https URL", "Write the URL that the chat gave for an incoming webhook.") // which is a secret
		}
	}
	if _, ok := cfg.Accounts[r.Account]; r.Account != "" && !ok {
		c.problem(path+".account", fmt.Sprintf("account %q is not in this file", r.Account), "Add it below accounts.")
	}
}

// AlertOptions say what receivers are told of; nil: there are none.
func (cfg *Config) AlertOptions() *hub.Alerts {
	if len(cfg.Alerts.Receivers) == 0 {
		return nil
	}
	repeat := cfg.Alerts.Repeat
	if repeat == 0 {
		repeat = -1 // hub.Alerts: never
	}
	return &hub.Alerts{Stale: cfg.Alerts.Stale, After: cfg.Alerts.After, Repeat: repeat}
}

// MailServer is the server that e-mails are sent by; ok is false without one.
func (cfg *Config) MailServer() (server mailer.Server, ok bool) {
	s := cfg.Alerts.SMTP
	if s == nil {
		return server, false
	}
	return mailer.Server{Address: s.Server, TLS: s.TLS, Username: s.Username, Password: s.Password, From: s.From, Roots: s.Roots}, true
}

// declaredReceivers are the receivers of alerts, as webhooks. Each address has deliveries of its own: one that is refused does not keep
// the others waiting.
func (cfg *Config) declaredReceivers() []DeclaredWebhook {
	var all []DeclaredWebhook
	for _, name := range slices.Sorted(maps.Keys(cfg.Alerts.Receivers)) {
		r := cfg.Alerts.Receivers[name]
		add := func(id, way, address, secret string) {
			all = append(all, DeclaredWebhook{registry.Webhook{
				ID: AlertReceiver(name) + id, Account: r.Account, URL: address, Kinds: []string{registry.AlertEvent}, Managed: true, Way: way,
			}, secret})
		}
		for i, address := range r.Email {
			add(fmt.Sprintf("-email-%d", i+1), registry.WayEmail, "mailto:"+address, "none") // SMTP has its own
		}
		if u, err := url.Parse(r.Chat); err == nil && r.Chat != "" {
			add("-chat", registry.WayChat, u.Scheme+"://"+u.Host+"/…", r.Chat)
		}
	}
	return all
}

// AlertReceiver is how the ids of a receiver's webhooks begin.
func AlertReceiver(name string) string { return "alert-" + name }
