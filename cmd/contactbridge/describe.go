package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/registration"
)

// describeFlags are the flags of describe.
type describeFlags struct {
	configFlag

	url    string
	format string
}

func newDescribeCommand() *cobra.Command {
	var f describeFlags
	cmd := &cobra.Command{
		Use:     "describe [ENDPOINT]",
		GroupID: groupBridge,
		Short:   "Write what a contact centre asks for to register the bridge as an integration",
		Long: `Write what the contact centre's platform asks for when an endpoint of the bridge is registered there as an integration: names,
how users are authenticated and by which fields, and the endpoints. As JSON in the form of the platform's documents, or as Markdown tables
for a request. The hub takes the JSON as well: contactbridge hub integration add --from FILE.

Names and the description of the fields stand in the configuration, below registration. What the platform asks for and the configuration
does not have is listed on standard error. No value of auth is written.`,
		Example: `  contactbridge describe -c bridge.yaml crm --url https://bridge.example.com > integration.json
  contactbridge describe -c bridge.yaml crm --url https://bridge.example.com --format markdown`,
		Args:              atMostOne("ENDPOINT"),
		ValidArgsFunction: f.complete,
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.configFlag.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "", "`URL` under which the platform reaches the bridge, such as https://bridge.example.com (default: the first of tls.acme.domains)")
	flags.StringVar(&f.format, "format", "json", "`form` of what is written: json or markdown")
	return cmd
}

// complete offers the configuration's endpoints to the shell.
func (f *describeFlags) complete(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	p := previewFlags{configFlag: f.configFlag}
	return p.complete(cmd, args, text)
}

func (f *describeFlags) run(cmd *cobra.Command, args []string) error {
	if f.format != "json" && f.format != "markdown" {
		return misuse(fmt.Sprintf("unknown format %q", f.format), "Choose json or markdown.")
	}
	cfg, err := f.configFlag.load(cmd)
	if err != nil {
		return err
	}
	endpoint, err := chooseEndpoint(cfg, args)
	if err != nil {
		return err
	}
	base, err := f.base(cfg)
	if err != nil {
		return err
	}
	described := endpoint.Registered(base.String())
	for _, note := range notes(endpoint, base, described) {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
	}
	text := described.JSON()
	if f.format == "markdown" {
		text = described.Markdown()
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

// base returns the address under which the platform reaches the bridge.
func (f *describeFlags) base(cfg *config.Config) (*url.URL, error) {
	given := f.url
	if given == "" && cfg.TLS.ACME != nil && len(cfg.TLS.ACME.Domains) > 0 {
		given = "https://" + cfg.TLS.ACME.Domains[0]
	}
	if given == "" {
		return nil, misuse("--url is missing: it is not known where the platform reaches the bridge", "Give its address: --url https://bridge.example.com")
	}
	base, err := url.Parse(given)
	switch {
	case err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.RawQuery != "" || base.Fragment != "":
		return nil, misuse("--url is not the address of a bridge", "Write it without the endpoint's name, as https://bridge.example.com")
	case base.User != nil:
		return nil, misuse("--url holds credentials, which would be written", "Leave them out; credentials are sent in auth.")
	}
	for _, path := range []string{"/contact_sync", "/auth_validation", "/agent_sync"} {
		if strings.HasSuffix(base.Path, path) {
			return nil, misuse("--url is the address of one endpoint's "+path, "Leave out the endpoint's name and what follows it: --url https://bridge.example.com")
		}
	}
	return base, nil
}

// notes say what the platform would miss or refuse.
func notes(e config.Endpoint, base *url.URL, described registration.Integration) (notes []string) {
	if base.Scheme == "http" {
		notes = append(notes, "the platform asks for HTTPS, and --url begins with http://")
	}
	if host := base.Hostname(); host == "localhost" || unroutable(host) {
		notes = append(notes, host+" cannot be reached from outside: the platform needs a public address")
	}
	if missing := described.Missing(); len(missing) > 0 {
		notes = append(notes, fmt.Sprintf("the platform asks for %s too: write it below endpoints.%s.registration", strings.Join(missing, ", "), e.Name))
	}
	if e.Registration.Name == "" {
		notes = append(notes, fmt.Sprintf("name is that of the endpoint, %q: it must be unique among all integrations on the platform; registration.name gives another one", e.Name))
	}
	switch described.AuthenticationType {
	case registration.None:
		notes = append(notes, "anyone who knows the address can read the contacts: auth is none")
	case registration.Custom:
	default:
		if !slices.Contains(e.AuthNames(), "access_token") {
			notes = append(notes, "with "+described.AuthenticationType+" the platform sends an access token, and the endpoint does not use {{auth.access_token}}")
		}
	}
	return notes
}

// unroutable reports whether a host is an address that leads nowhere from outside.
func unroutable(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && (address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || address.IsUnspecified())
}
