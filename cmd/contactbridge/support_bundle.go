package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/internal/support"
)

// supportFlags are the flags of contactbridge support-bundle.
type supportFlags struct {
	hubFlags

	bridge string
	urls   []string
	output string
}

func newSupportBundleCommand() *cobra.Command {
	var f supportFlags
	cmd := &cobra.Command{
		Use:     "support-bundle",
		GroupID: groupStart,
		Short:   "Collect what a report of a fault needs: versions, configuration without secrets, recent runs and errors, metrics",
		Long: `Write a ZIP file with versions, configurations without their secrets, integrations with their recent runs and errors, events, and metrics of
running servers. There are no credentials and no contacts in it; but an error may name a contact or its number, so read the file before you
pass it on. What cannot be collected is said in it, and the rest is collected.`,
		Example: `  contactbridge support-bundle -c hub.yaml
  contactbridge support-bundle --bridge bridge.yaml --url http://127.0.0.1:8080`,
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.bridge, "bridge", "", "configuration `file` of a bridge")
	flags.StringArrayVar(&f.urls, "url", nil, "`address` of a running server on this machine, for its metrics; may be repeated (default: hub and bridge at their usual addresses)")
	flags.StringVarP(&f.output, "output", "o", "contactbridge-support.zip", "`file` to write")
	return cmd
}

// A bundle is the file under construction. What fails becomes a text in it.
type bundle struct{ archive *zip.Writer }

// add writes one part.
func (b *bundle) add(name string, text []byte, failed error) error {
	if failed != nil {
		name, text = name+".missing.txt", []byte(oneLine(failed.Error())+"\n")
	}
	w, err := b.archive.Create(name)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// json writes one part as JSON.
func (b *bundle) json(name string, value any, failed error) error {
	text, err := json.MarshalIndent(value, "", "  ")
	return b.add(name, append(text, '\n'), errors.Join(failed, err))
}

func (f *supportFlags) run(cmd *cobra.Command) error {
	for _, path := range []string{f.config, f.bridge} {
		if _, err := os.Stat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
			return misuse(path+" does not exist", "Check the name of the configuration file.")
		}
	}
	var out bytes.Buffer
	b := &bundle{archive: zip.NewWriter(&out)}
	err := errors.Join(b.json("versions.json", versions(), nil), f.configurations(b), f.hub(cmd, b), f.metrics(cmd.Context(), b), b.archive.Close())
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return misuse(f.output+" exists already", "Name another file with -o, or remove it.")
	}
	if err == nil {
		_, err = file.Write(out.Bytes())
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return &failure.Error{Message: "the bundle cannot be written", Hint: "Name a file with -o in a folder that may be written.", Err: err}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is written. It holds no credentials; errors in it may name contacts, so read it before you pass it on.\n", f.output)
	return nil
}

// versions are of the program and what it was built of, and of the machine.
func versions() map[string]any {
	v := map[string]any{
		"version": versionText(), "go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH, "processors": runtime.NumCPU(), "time": time.Now().UTC(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		modules := map[string]string{}
		for _, m := range info.Deps {
			modules[m.Path] = m.Version
		}
		v["modules"], v["build"] = modules, info.Settings
	}
	return v
}

// configurations adds the files that were named.
func (f *supportFlags) configurations(b *bundle) error {
	var errs []error
	for name, path := range map[string]string{"hub.yaml": f.config, "bridge.yaml": f.bridge} {
		if path == "" {
			continue
		}
		text, err := strictyaml.ReadFile(path)
		if err == nil {
			text, err = support.Redact(text)
		}
		errs = append(errs, b.add(name, text, err))
	}
	return errors.Join(errs...)
}

// A reportedIntegration is an integration in a bundle.
type reportedIntegration struct {
	Account, Integration string
	Schedule             registry.Schedule
	Limits               registry.Limits
	Paused               bool
	Status               registry.Status
	Contacts             int64
	Runs                 []reportedRun
}

// A reportedRun is a run without what only the bridge can read.
type reportedRun struct {
	ID                         int64
	Kind, State                string
	Started, Updated, Finished time.Time
	Error, Hint                string
	Resumed, Full              bool
	directory.Counts
}

const (
	supportRuns   = 20  // of each integration
	supportEvents = 500 // the newest
)

// hub adds what the hub's databases tell, if there are any.
func (f *supportFlags) hub(cmd *cobra.Command, b *bundle) error {
	if f.config == "" && f.data == "" && f.database == "" {
		return nil
	}
	var integrations []reportedIntegration
	var events []registry.Event
	err := f.work(cmd, func(ctx context.Context, h *hub.Hub) (err error) {
		if integrations, err = reported(ctx, h); err != nil {
			return err
		}
		events, err = h.Events(ctx, registry.Filter{Limit: supportEvents})
		return err
	})
	return errors.Join(b.json("integrations.json", integrations, err), b.json("events.json", events, err))
}

// reported are all integrations with their newest runs.
func reported(ctx context.Context, h *hub.Hub) ([]reportedIntegration, error) {
	views, err := h.Integrations(ctx, "", directory.Key{}, 0)
	if err != nil {
		return nil, err
	}
	var all []reportedIntegration
	for _, v := range views {
		one := reportedIntegration{
			Account: v.Account, Integration: v.Key.Integration, Schedule: v.Schedule, Limits: v.Limits, Paused: v.Paused, Status: v.Status, Contacts: v.State.Contacts,
		}
		runs, err := h.Runs(ctx, v.Key, 0, supportRuns)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			one.Runs = append(one.Runs, reportedRun{
				ID: r.ID, Kind: string(r.Kind), State: string(r.State), Started: r.Started, Updated: r.Updated, Finished: r.Finished,
				Error: r.Error, Hint: r.Hint, Resumed: r.Resumed, Full: r.Full, Counts: r.Counts,
			})
		}
		all = append(all, one)
	}
	return all, nil
}

// metrics adds those of servers that run.
func (f *supportFlags) metrics(ctx context.Context, b *bundle) error {
	urls := f.urls
	if len(urls) == 0 {
		urls = []string{"http://127.0.0.1:8090", "http://127.0.0.1:8080"}
	}
	var errs []error
	for i, url := range urls {
		for _, path := range []string{"readyz", "metrics"} {
			text, err := fetch(ctx, url+"/"+path)
			errs = append(errs, b.add(fmt.Sprintf("%s-%d.txt", path, i+1), text, err))
		}
	}
	return errors.Join(errs...)
}

const maxMetrics = 16 << 20

// fetch gets a text from this machine.
func fetch(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(io.LimitReader(response.Body, maxMetrics))
}
