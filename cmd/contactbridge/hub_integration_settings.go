package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// settings are the flags that say how an integration is set up.
type settings struct {
	authFlags
	source sourceFlags

	validation string
	agents     string
	every      time.Duration
	cron       string
	off        bool
	full       time.Duration
	guard      string
	guardMin   int64
	limits     registry.Limits
	fields     string
	priority   int
	role       string
	ask        bool
	oauth      registry.OAuth
	params     map[string]string
}

func (s *settings) add(cmd *cobra.Command) {
	s.authFlags.add(cmd)
	s.source.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&s.validation, "validation", "", "`URL` of the bridge's auth_validation endpoint")
	flags.StringVar(&s.agents, "agents", "", "`URL` of the bridge's agent_sync endpoint")
	flags.DurationVar(&s.every, "every", registry.DefaultEvery, "how often it runs")
	flags.StringVar(&s.cron, "cron", "", "when it runs, instead of --every: five `fields`, in the account's time zone")
	flags.BoolVar(&s.off, "off", false, "run only when asked to")
	flags.DurationVar(&s.full, "full", registry.DefaultFull, "age of the last complete run at which the next one reads everything; 0s: never")
	flags.StringVar(&s.guard, "guard", "20%", "`share` of the contacts that a run may delete without asking; 0% asks before any deletion")
	flags.Int64Var(&s.guardMin, "guard-min", 10, "and `contacts`: so many may be deleted whatever their share")
	flags.IntVar(&s.priority, "priority", 0, "of its contacts where several have the number of a call: 1 goes before 2; 0: after all that have one")
	flags.StringVar(&s.role, "role", "contacts", "what its contacts are: contacts, block (numbers to block) or allow (numbers that are never blocked)")
	flags.BoolVar(&s.ask, "ask", false, "ask its source where no contact has the number of a call; it must be a source inside the hub that can be asked")
	s.addLimits(flags)
	s.addOAuth(flags)
	flags.StringVar(&s.fields, "fields", "", "`file` that describes the auth fields, a JSON array as in the API; - is standard input")
	_ = cmd.MarkFlagFilename("fields", "json") // the flag is there
}

func (s *settings) addLimits(flags *pflag.FlagSet) {
	defaults := hub.DefaultLimits()
	flags.Int64Var(&s.limits.Pages, "max-pages", 0, fmt.Sprintf("`pages` of a run; a longer one counts as endless (default %d)", defaults.Pages))
	flags.Int64Var(&s.limits.PageBytes, "max-page-bytes", 0, fmt.Sprintf("`bytes` of one answer (default %d)", defaults.PageBytes))
	flags.DurationVar(&s.limits.Timeout, "timeout", 0, fmt.Sprintf("how long one answer may take (default %s)", defaults.Timeout))
	flags.DurationVar(&s.limits.Run, "max-run", 0, "how long a run may take; 0s: as long as it does")
}

func (s *settings) addOAuth(flags *pflag.FlagSet) {
	flags.StringVar(&s.oauth.Grant, "oauth", "", "`grant` by which it gets access tokens: client_credentials, authorization_code, or password with the auth values username and password; give the secret as the auth value client_secret; none: no OAuth any more")
	flags.StringVar(&s.oauth.TokenURL, "oauth-token-url", "", "`URL` of the provider's token endpoint")
	flags.StringVar(&s.oauth.AuthorizeURL, "oauth-authorize-url", "", "`URL` that a browser opens, for authorization_code")
	flags.StringVar(&s.oauth.ClientID, "oauth-client-id", "", "`id` that the provider gave the hub")
	flags.StringSliceVar(&s.oauth.Scopes, "oauth-scope", nil, "`scope` to ask for; may be repeated")
	flags.StringToStringVar(&s.params, "oauth-param", nil, "one more parameter, `name=value`; may be repeated")
	flags.StringVar(&s.oauth.Field, "oauth-field", "", "auth `field` that carries the access token (default access_token)")
}

// apply changes what was said on the command line, all of it where everything says so.
func (s *settings) apply(cmd *cobra.Command, i *registry.Integration, everything bool) error {
	said := func(flag string) bool { return everything || cmd.Flags().Changed(flag) }
	if cmd.Flags().Changed("validation") {
		i.Validation = s.validation
	}
	if cmd.Flags().Changed("agents") {
		i.Agents = s.agents
	}
	if err := s.applySchedule(cmd, &i.Schedule, said); err != nil {
		return err
	}
	s.applyLimits(&i.Limits, said)
	s.applyOAuth(cmd, i, said)
	if said("priority") {
		i.Priority = s.priority
	}
	if said("role") {
		i.Role = strings.TrimPrefix(s.role, "contacts")
	}
	if said("ask") {
		i.Ask = s.ask
	}
	if cmd.Flags().Changed("fields") {
		fields, err := readFields(s.fields, cmd.InOrStdin())
		if err != nil {
			return err
		}
		i.Fields = fields
	}
	return s.applyGuard(&i.Guard, said)
}

func (s *settings) applySchedule(cmd *cobra.Command, schedule *registry.Schedule, said func(string) bool) error {
	switch {
	case cmd.Flags().Changed("cron") && cmd.Flags().Changed("every"), s.off && cmd.Flags().Changed("every"), s.off && s.cron != "":
		return misuse("there is more than one schedule", "Choose one of --every, --cron and --off.")
	case cmd.Flags().Changed("cron"):
		*schedule = registry.Schedule{Cron: s.cron, Full: schedule.Full}
	case cmd.Flags().Changed("off"):
		*schedule = registry.Schedule{Off: s.off, Every: schedule.Every, Full: schedule.Full}
	case said("every"):
		*schedule = registry.Schedule{Every: s.every, Full: schedule.Full}
	}
	if said("full") {
		schedule.Full = s.full
		if s.full == 0 {
			schedule.Full = -1
		}
	}
	return nil
}

func (s *settings) applyGuard(guard *directory.Guard, said func(string) bool) error {
	if !said("guard") && !said("guard-min") {
		return nil
	}
	*guard = guard.OrDefault()
	if said("guard") {
		share, err := parseShare(s.guard)
		if err != nil {
			return err
		}
		guard.Share = share
	}
	if said("guard-min") {
		if s.guardMin < 0 {
			return misuse("--guard-min must not be below 0", "")
		}
		guard.Min = s.guardMin
	}
	*guard = directory.NewGuard(guard.Share, guard.Min)
	return nil
}

func (s *settings) applyLimits(limits *registry.Limits, said func(string) bool) {
	if said("max-pages") {
		limits.Pages = s.limits.Pages
	}
	if said("max-page-bytes") {
		limits.PageBytes = s.limits.PageBytes
	}
	if said("timeout") {
		limits.Timeout = s.limits.Timeout
	}
	if said("max-run") {
		limits.Run = s.limits.Run
	}
}

// applyOAuth sets what was said of OAuth; the hub judges whether that is enough.
func (s *settings) applyOAuth(cmd *cobra.Command, i *registry.Integration, said func(string) bool) {
	if s.oauth.Grant == "none" {
		i.OAuth = nil
		return
	}
	any := false
	cmd.Flags().Visit(func(f *pflag.Flag) { any = any || strings.HasPrefix(f.Name, "oauth") })
	if !any {
		return
	}
	var o registry.OAuth
	if i.OAuth != nil {
		o = *i.OAuth
	}
	for flag, text := range map[string]struct{ to, from *string }{
		"oauth": {&o.Grant, &s.oauth.Grant}, "oauth-token-url": {&o.TokenURL, &s.oauth.TokenURL}, "oauth-authorize-url": {&o.AuthorizeURL, &s.oauth.AuthorizeURL},
		"oauth-client-id": {&o.ClientID, &s.oauth.ClientID}, "oauth-field": {&o.Field, &s.oauth.Field},
	} {
		if cmd.Flags().Changed(flag) {
			*text.to = *text.from
		}
	}
	if said("oauth-scope") {
		o.Scopes = s.oauth.Scopes
	}
	if said("oauth-param") {
		o.Params = s.params
	}
	i.OAuth = &o
}

// readFields reads the description of auth fields.
func readFields(path string, stdin io.Reader) ([]registry.Field, error) {
	const most = 1 << 20
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, misuse("--fields: "+err.Error(), "Check the path and its permissions.")
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, most))
	if err != nil {
		return nil, misuse("--fields: "+err.Error(), "")
	}
	var fields []registry.Field
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&fields); err != nil {
		return nil, misuse("--fields: "+err.Error(), `For example [{"name": "account", "mandatory": true, "format": "https://{{account}}.example.com"}, {"name": "key", "type": "password"}].`)
	}
	return fields, nil
}
