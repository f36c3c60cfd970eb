package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/web/api"
)

// integrationFlags are the flags that the commands about integrations share.
type integrationFlags struct {
	*hubFlags

	account string
	json    bool
}

func newHubIntegrationCommand(f *hubFlags) *cobra.Command {
	i := &integrationFlags{hubFlags: f}
	cmd := &cobra.Command{
		Use:   "integration",
		Short: "List, add, test, sync, pause and remove integrations: the bridges that contacts come from",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&i.account, "account", "", "account `name`; may be left out where there is one only")
	cmd.PersistentFlags().BoolVar(&i.json, "json", false, "print JSON")
	cmd.AddCommand(i.list(), i.show(), i.addCommand(), i.change(), i.connect(), i.test(), i.sync(), i.pause(), i.resume(), i.cancel(), i.hook(), i.runs(), i.run(), i.rejected(), i.agents(), i.held(), i.accept(), i.keep(), i.remove())
	return cmd
}

// on is a command on one integration that says in a line what it did.
func (f *integrationFlags) on(use, short, done string, do func(context.Context, *hub.Hub, directory.Key) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " NAME", Short: short, Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				if err := do(ctx, h, key); err != nil {
					return err
				}
				if done != "" {
					fmt.Fprintf(cmd.OutOrStdout(), done+"\n", key.Integration)
				}
				return nil
			})
		},
	}
}

// key opens the hub and does something with one integration.
func (f *integrationFlags) key(cmd *cobra.Command, name string, do func(context.Context, *hub.Hub, directory.Key) error) error {
	return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
		account, err := accountOf(ctx, h, f.account, false)
		if err != nil {
			return err
		}
		return do(ctx, h, directory.Key{Account: account, Integration: name})
	})
}

func (f *integrationFlags) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the integrations, and how each one fares", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				views, err := h.Integrations(ctx, f.account, directory.Key{}, 0)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.Integrations(views))
				}
				t := newTable("ACCOUNT", "INTEGRATION", "HEALTH", "FRESH", "CONTACTS", "SCHEDULE", "NEXT")
				for _, v := range views {
					t.row(v.Account, v.Key.Integration, health(v), ago(v.Status.Fresh), progress.Count(v.State.Contacts), schedule(v.Schedule), next(v))
				}
				if err := t.print(cmd.OutOrStdout(), "No integrations yet. Add one: contactbridge hub integration add NAME URL --auth key=value"); err != nil {
					return err
				}
				printProblemsOf(cmd.OutOrStdout(), views)
				return nil
			})
		},
	}
}

// printProblemsOf says what keeps integrations from working, and what to do.
func printProblemsOf(out io.Writer, views []hub.IntegrationView) {
	for _, v := range views {
		if p := v.Status.Problem; p != nil {
			fmt.Fprintf(out, "\n%s of %s: %s\n  hint: %s\n", v.Key.Integration, v.Account, oneLine(p.Message), oneLine(p.Hint))
		}
	}
}

func health(v hub.IntegrationView) string {
	if v.Paused {
		return string(v.Status.Health) + ", paused"
	}
	return string(v.Status.Health)
}

// ago is how long ago something was, roughly; "never" for the zero time.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return roughly(time.Since(t)) + " ago"
}

// roughly writes a duration in its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func schedule(s registry.Schedule) string {
	switch {
	case s.Off:
		return "when asked"
	case s.Cron != "":
		return "cron " + s.Cron
	}
	return "every " + roughly(cmp.Or(s.Every, registry.DefaultEvery))
}

func next(v hub.IntegrationView) string {
	switch due := v.Status.Due; {
	case v.Status.Worker != "":
		return "running"
	case (v.Status.Asked.Run || v.Status.Asked.Full) && v.Status.AskedFor.IsZero():
		return "when corrected"
	case v.Status.Asked.Run || v.Status.Asked.Full:
		if wait := time.Until(v.Status.AskedFor); wait > 0 {
			return "in " + roughly(wait)
		}
		return "asked for"
	case due.IsZero() || v.Paused:
		return "-"
	case time.Until(due) <= 0:
		return "due"
	default:
		return "in " + roughly(time.Until(due))
	}
}

// oauth says how an integration gets access tokens; empty where it needs none.
func oauth(o *registry.OAuth) string {
	if o == nil {
		return ""
	}
	if o.Client != "" {
		return "a person signs in, by the hub's client " + o.Client
	}
	return o.Grant + ", client " + o.ClientID + ", token " + o.TokenURL
}

func full(s registry.Schedule) string {
	if s.Full < 0 {
		return "never by itself"
	}
	return "when the last one is older than " + roughly(cmp.Or(s.Full, registry.DefaultFull))
}

func guard(g directory.Guard) string {
	if g = g.OrDefault(); g.Always {
		return "asks before any deletion"
	}
	return fmt.Sprintf("%g %% and more than %s", 100*g.Share, count(int(g.Min), "contact"))
}

// limits are those that are set.
func limits(l registry.Limits) string {
	var set []string
	defaults := hub.DefaultLimits()
	if l.Pages != 0 && l.Pages != defaults.Pages {
		set = append(set, progress.Count(l.Pages)+" pages")
	}
	if l.PageBytes != 0 && l.PageBytes != defaults.PageBytes {
		set = append(set, progress.Count(l.PageBytes)+" bytes a page")
	}
	if l.Timeout != 0 && l.Timeout != defaults.Timeout {
		set = append(set, l.Timeout.String()+" an answer")
	}
	if l.Run != 0 {
		set = append(set, l.Run.String()+" a run")
	}
	return strings.Join(set, ", ")
}

func (f *integrationFlags) show() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show how one integration is set up, and how it fares", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				v, err := h.Integration(ctx, key)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.Integration(v))
				}
				out := cmd.OutOrStdout()
				line := func(name, value string) {
					if value != "" {
						fmt.Fprintf(out, "  %-12s %s\n", name, oneLine(value))
					}
				}
				fmt.Fprintf(out, "%s of %s\n", v.Key.Integration, v.Account)
				line("bridge", v.Bridge)
				line("source", v.Source)
				line("validation", v.Validation)
				line("agents", agentsLine(v))
				line("auth", strings.Join(v.AuthSet, ", "))
				line("oauth", oauth(v.OAuth))
				line("schedule", schedule(v.Schedule))
				line("full", full(v.Schedule))
				line("role", v.Role)
				if v.Priority > 0 {
					line("priority", strconv.Itoa(v.Priority))
				}
				if v.Ask {
					line("ask", "where no contact has a caller's number")
				}
				line("guard", guard(v.Guard))
				line("limits", limits(v.Limits))
				line("health", health(v))
				line("fresh", ago(v.Status.Fresh))
				line("contacts", progress.Count(v.State.Contacts))
				line("next", next(v))
				if held := v.State.Held; held.Count > 0 {
					line("held back", fmt.Sprintf("%s, set %s: contactbridge hub integration held %s", count(int(held.Count), "deletion"), held.Set, v.Key.Integration))
				}
				line("checkpoint", v.State.Checkpoint)
				line("", managed(v.Managed))
				if p := v.Status.Problem; p != nil {
					fmt.Fprintf(out, "\n  %s\n  hint: %s\n", oneLine(p.Message), oneLine(p.Hint))
				}
				return nil
			})
		},
	}
}

func (f *integrationFlags) addCommand() *cobra.Command {
	var s settings
	var paused bool
	var from string
	cmd := &cobra.Command{
		Use: "add NAME URL | add NAME --kind KIND --set KEY=VALUE … | add [NAME] --from FILE", Short: "Add an integration; it runs at once, then by its schedule",
		Long: `Add an integration: a bridge, or a source that the hub reads itself; what it is sent as auth, and when it runs. It runs at once, then by
its schedule.

With --kind there is no bridge: the hub reads the source, as a bridge with the same configuration would.

With --from everything that a registration says comes from its JSON, as contactbridge describe writes it: the addresses, the fields of
auth, how an access token is got. Flags go before it. Values of auth are given as without it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case from != "":
				return atMostOne("NAME")(cmd, args)
			case s.source.given():
				if len(args) == 2 {
					return misuse("it has both a bridge and a source", "Leave out the URL, or --kind.")
				}
				return takes("NAME")(cmd, args)
			case len(args) == 1:
				return misuse("it has neither a bridge nor a source", "Add the URL of the bridge's contact_sync endpoint, or --kind for a source that the hub reads itself.")
			}
			return takes("NAME", "URL")(cmd, args)
		},
		Example: `  contactbridge hub integration add crm https://bridge.example.com/crm/contact_sync --auth username=agent --auth-env password=CRM_PASSWORD
  contactbridge hub integration add shop --kind mysql --set dsn=@dsn.txt --set table=customers --set id=id --set updated=updated_at --set fields.phones=[phone]
  contactbridge hub integration add desk https://bridge.example.com/desk/contact_sync --oauth client_credentials \
    --oauth-token-url https://login.example.com/token --oauth-client-id hub --auth-env client_secret=DESK_SECRET
  contactbridge hub integration add --from integration.json --auth username=agent --auth-env password=CRM_PASSWORD`,
		RunE: func(cmd *cobra.Command, args []string) error {
			registered, err := s.registered(cmd, from, args)
			if err != nil {
				return err
			}
			auth, err := s.auth(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := accountOf(ctx, h, f.account, true)
				if err != nil {
					return err
				}
				i := registered
				i.Key.Account, i.Paused = account, paused
				name := i.Key.Integration
				if err := s.source.apply(&i, auth); err != nil {
					return err
				}
				if err := s.apply(cmd, &i, true); err != nil {
					return err
				}
				if err := s.source.signsIn(ctx, h, &i, auth); err != nil {
					return err
				}
				if err := h.AddIntegration(ctx, i, auth); err != nil {
					return err
				}
				if s.source.signIn {
					fmt.Fprintf(cmd.OutOrStdout(), "%s is added to %s. Now sign in: contactbridge hub integration connect %s\n", name, account, name)
					return nil
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is added to %s. To try its credentials: contactbridge hub integration test %s\n", name, account, name)
				return nil
			})
		},
	}
	s.add(cmd)
	cmd.Flags().BoolVar(&paused, "paused", false, "do not run it by its schedule yet")
	cmd.Flags().StringVar(&from, "from", "", "`file` with the JSON of a registration; - is standard input")
	_ = cmd.MarkFlagFilename("from", "json") // the flag is there
	return cmd
}

func (f *integrationFlags) change() *cobra.Command {
	var s settings
	var address string
	cmd := &cobra.Command{
		Use: "change NAME", Short: "Change how an integration is set up; what is not named stays", Args: takes("NAME"),
		Example: "  contactbridge hub integration change crm --every 10m --auth-env password=NEW_PASSWORD",
		RunE: func(cmd *cobra.Command, args []string) error {
			auth, err := s.auth(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				v, err := h.Integration(ctx, key)
				if err != nil {
					return err
				}
				i := v.Integration
				if address != "" {
					i.Bridge, i.Source = address, ""
				}
				if err := s.apply(cmd, &i, false); err != nil {
					return err
				}
				if err := s.source.apply(&i, auth); err != nil {
					return err
				}
				if err := s.source.signsIn(ctx, h, &i, auth); err != nil {
					return err
				}
				if err := h.ChangeIntegration(ctx, i, auth); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is changed\n", args[0])
				return nil
			})
		},
	}
	s.add(cmd)
	cmd.Flags().StringVar(&address, "url", "", "`URL` of the bridge's contact_sync endpoint")
	return cmd
}

func (f *integrationFlags) connect() *cobra.Command {
	var redirect string
	cmd := &cobra.Command{
		Use: "connect NAME", Short: "Begin to connect by OAuth: print the page that a browser has to open", Args: takes("NAME"),
		Example: "  contactbridge hub integration connect crm --redirect https://contacts.example.com/oauth/callback",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) (err error) {
				if redirect == "" {
					if h.Options.PublicURL == "" {
						return misuse("it is not known where browsers reach the hub", "Set public_url in the configuration, or --redirect http://127.0.0.1:8090/oauth/callback.")
					}
					if redirect, err = url.JoinPath(h.Options.PublicURL, "oauth", "callback"); err != nil {
						return misuse("public_url is not a URL", "Correct it in the configuration.")
					}
				}
				to, err := h.BeginOAuth(ctx, key, redirect)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), to)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&redirect, "redirect", "", "`URL` of the running hub's /oauth/callback, as browsers reach it and the provider knows it (default: below public_url)")
	return cmd
}

func (f *integrationFlags) test() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Try an integration's credentials: exit status 0 if they are good, 1 if not", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				result, err := h.Test(ctx, key)
				if err != nil {
					return err
				}
				if f.json {
					err = printJSON(cmd.OutOrStdout(), result)
				} else {
					printTest(cmd, args[0], result)
				}
				if err == nil && !result.OK {
					return errSaid
				}
				return err
			})
		},
	}
}

func printTest(cmd *cobra.Command, name string, r hub.TestResult) {
	out := cmd.OutOrStdout()
	style := progress.NewStyle(out)
	if p := r.Problem; p != nil {
		fmt.Fprintf(out, "%s %s: %s\n  hint: %s\n", style.Bad("✗"), name, oneLine(p.Message), oneLine(p.Hint))
		return
	}
	said := "the bridge takes the credentials"
	if r.Inside {
		said = "the source can be read"
	}
	fmt.Fprintf(out, "%s %s: %s (%s, %.1f s)\n", style.Good("✓"), name, said, r.Checked, r.Seconds)
	for _, c := range r.Sample {
		fmt.Fprintf(out, "  %s  %s\n", oneLine(c.Name), style.Dim(oneLine(strings.Join(c.Phones, ", "))))
	}
	if len(r.Stored) > 0 {
		fmt.Fprintf(out, "  the bridge gave more values, which are sent from now on: %s\n", oneLine(strings.Join(r.Stored, ", ")))
	}
}

func (f *integrationFlags) sync() *cobra.Command {
	var ask registry.Ask
	cmd := f.on("sync", "Ask for a run now; the running hub does it", "a run of %s is asked for; to follow it: contactbridge hub integration runs %[1]s",
		func(ctx context.Context, h *hub.Hub, key directory.Key) error {
			ask.Run = true
			return h.Ask(ctx, key, ask)
		})
	cmd.Flags().BoolVar(&ask.Full, "full", false, "fetch every contact, whatever was fetched before")
	return cmd
}

func (f *integrationFlags) pause() *cobra.Command {
	return f.on("pause", "Stop running an integration by its schedule", "%s is paused", func(ctx context.Context, h *hub.Hub, key directory.Key) error {
		return h.Pause(ctx, key, true)
	})
}

func (f *integrationFlags) resume() *cobra.Command {
	return f.on("resume", "Run a paused integration by its schedule again", "%s runs by its schedule again", func(ctx context.Context, h *hub.Hub, key directory.Key) error {
		return h.Pause(ctx, key, false)
	})
}

func (f *integrationFlags) cancel() *cobra.Command {
	return f.on("cancel", "Stop the run under way; what it stored stays, and the next run goes on", "the run of %s is asked to stop",
		func(ctx context.Context, h *hub.Hub, key directory.Key) error {
			return h.Ask(ctx, key, registry.Ask{Cancel: true})
		})
}

func (f *integrationFlags) runs() *cobra.Command {
	var (
		limit  int
		before int64
	)
	cmd := &cobra.Command{
		Use: "runs NAME", Short: "List an integration's runs, newest first", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				runs, err := h.Runs(ctx, key, before, limit)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.Runs(runs))
				}
				t := newTable("ID", "STARTED", "KIND", "STATE", "TOOK", "PAGES", "CONTACTS", "CREATED", "UPDATED", "DELETED", "REJECTED", "ERROR OR NOTE")
				for _, r := range runs {
					t.row(strconv.FormatInt(r.ID, 10), r.Started.Local().Format("2006-01-02 15:04:05"), string(r.Kind), string(r.State), took(r), progress.Count(r.Pages), progress.Count(r.Contacts),
						progress.Count(r.Created), progress.Count(r.Counts.Updated), progress.Count(r.Deleted), progress.Count(r.Rejected), cmp.Or(r.Error, r.JudgedNobody()))
				}
				if err := t.print(cmd.OutOrStdout(), "It has not run yet."); err != nil || len(runs) == 0 || runs[0].Hint == "" {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nhint, for run %d: %s\n", runs[0].ID, runs[0].Hint)
				return err
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "runs to list")
	cmd.Flags().Int64Var(&before, "before", 0, "only runs before this `ID`: where a list goes on")
	return cmd
}

func took(r directory.Run) string {
	if r.Finished.IsZero() {
		return "-"
	}
	return progress.Took(r.Finished.Sub(r.Started))
}

func (f *integrationFlags) rejected() *cobra.Command {
	var (
		limit  int
		before int64
	)
	cmd := &cobra.Command{
		Use: "rejected NAME", Short: "List contacts that could not be taken, and why, newest first", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit <= 0 {
				return misuse("--limit must be more than 0", "")
			}
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				rejected, err := h.Rejected(ctx, key, before, limit+1)
				if err != nil {
					return err
				}
				if len(rejected) > limit {
					rejected = rejected[:limit]
					fmt.Fprintf(cmd.ErrOrStderr(), "there are older ones: --before %d\n", rejected[limit-1].Seq)
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.RejectedContacts(rejected))
				}
				t := newTable("ID", "WHY")
				for _, r := range rejected {
					t.row(cmp.Or(r.ID, "-"), r.Reason)
				}
				empty := "Every contact was taken."
				if before > 0 {
					empty = "There are no older ones."
				}
				return t.print(cmd.OutOrStdout(), empty)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "contacts to list")
	cmd.Flags().Int64Var(&before, "before", 0, "only contacts before this `NUMBER`: where a list goes on")
	return cmd
}

func (f *integrationFlags) remove() *cobra.Command {
	var yes bool
	cmd := f.on("remove", "Remove an integration and its contacts", "%s is removed", func(ctx context.Context, h *hub.Hub, key directory.Key) error {
		v, err := h.Integration(ctx, key)
		if err != nil {
			return err
		}
		if !yes {
			return misuse(fmt.Sprintf("this would remove %s and its %s %s", key.Integration, progress.Count(v.State.Contacts), english.PluralWord(int(v.State.Contacts), "contact", "")), "Say --yes if that is what you want.")
		}
		return h.RemoveIntegration(ctx, key)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}
