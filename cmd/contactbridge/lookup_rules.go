package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
)

// rulesFlags say by which rules callers are named: those of a hub's configuration, and what stands on the command line.
type rulesFlags struct {
	config   string
	policy   []string
	priority []string
	ranges   []string
	noDerive bool
}

func (f *rulesFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "a hub's configuration `file`: the region and rules of its account")
	flags.StringSliceVar(&f.policy, "policy", nil, "what decides between several contacts: `criteria` such as priority,company,newest")
	flags.StringSliceVar(&f.priority, "priority", nil, "priorities of integrations: `crm=1`,helpdesk=2")
	flags.StringArrayVar(&f.ranges, "range", nil, "numbers of a company: `\"+4420794600xx: Example Ltd\"`; may be repeated")
	flags.BoolVar(&f.noDerive, "no-derive", false, "derive no ranges of numbers from contacts")
}

// rules returns the rules, and sets the region where the configuration has one and no other was asked for.
func (f *rulesFlags) rules(ctx context.Context, store directory.Store, d *directoryFlags) (caller.Rules, error) {
	rules := caller.Rules{Integrations: map[string]caller.Integration{}}
	if f.config != "" {
		if err := f.configured(&rules, d); err != nil {
			return rules, err
		}
	}
	if len(f.policy) > 0 {
		policy, err := caller.ParsePolicy(f.policy)
		if err != nil {
			return rules, misuseOf("--policy", err)
		}
		rules.Policy = policy
	}
	for _, text := range f.ranges {
		r, err := caller.ParseRange(text)
		if err != nil {
			return rules, misuseOf("--range", err)
		}
		rules.Ranges = append(rules.Ranges, r)
	}
	for _, text := range f.priority {
		name, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || name == "" {
			return rules, misuse("--priority "+strconv.Quote(text)+" is not a priority", "Write --priority crm=1,helpdesk=2.")
		}
		i := rules.Integrations[name]
		i.Priority = n
		rules.Integrations[name] = i
	}
	rules.NoDerive, rules.Region = rules.NoDerive || f.noDerive, d.region
	return rules, ages(ctx, store, d.account, &rules)
}

// configured takes the rules of the account out of a hub's configuration.
func (f *rulesFlags) configured(rules *caller.Rules, d *directoryFlags) error {
	cfg, err := hubconfig.Load(f.config)
	if err != nil {
		return err
	}
	a, ok := cfg.Accounts[d.account]
	if !ok {
		return misuse("the account "+strconv.Quote(d.account)+" is not in "+f.config, "Name one of the file with --account.")
	}
	if d.region == "" {
		d.region = strings.ToUpper(a.Region)
	}
	// The file was checked: these can be read.
	if len(a.Callers.Policy) > 0 {
		rules.Policy, _ = caller.ParsePolicy(a.Callers.Policy)
	}
	for _, text := range a.Callers.Ranges {
		r, _ := caller.ParseRange(text)
		rules.Ranges = append(rules.Ranges, r)
	}
	rules.NoDerive = !a.Callers.Derive
	for name, i := range a.Integrations {
		role, _ := caller.ParseRole(i.Role)
		rules.Integrations[name] = caller.Integration{Priority: i.Priority, Role: role}
	}
	return nil
}

// ages notes how old what integrations say may be: the start of their last run, where that was complete.
func ages(ctx context.Context, store directory.Store, account string, rules *caller.Rules) error {
	states, err := store.States(ctx, account)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.LastRun == nil || s.LastRun.State != directory.Done {
			continue
		}
		i := rules.Integrations[s.Integration]
		i.Fresh = s.LastRun.Started
		rules.Integrations[s.Integration] = i
	}
	return nil
}

func misuseOf(flag string, err error) error {
	f := failure.Of(err)
	return misuse(flag+": "+f.Message, f.Hint)
}
