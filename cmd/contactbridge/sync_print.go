package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// print prints the report: as JSON, as a summary for people, or not at all.
func (f *syncFlags) print(cmd *cobra.Command, report synchronizer.Report) error {
	out := cmd.OutOrStdout()
	switch {
	case f.json:
		return printJSON(out, report)
	case f.quiet, report.Error != nil && report.Pages == 0: // nothing to sum up: the error says all
		return nil
	}
	return printSummary(out, report)
}

// printJSON prints a value as one line of JSON.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// printSummary says in a few aligned lines what a run did.
func printSummary(w io.Writer, r synchronizer.Report) error {
	var out strings.Builder
	style := progress.NewStyle(w)
	took := time.Duration(r.Seconds * float64(time.Second))
	fmt.Fprintf(&out, "%s %s of %s, %s %s", mark(style, r), headline(r), style.Bold(oneLine(r.Integration)), outcome(r), progress.Took(took))
	if then := time.Duration(r.SearchSeconds * float64(time.Second)); then >= time.Second/10 {
		fmt.Fprintf(&out, ", searchable after %s", progress.Took(took+then))
	}
	out.WriteString("\n\n")
	writeCounts(&out, style, r)
	if then := r.CatchUp; then != nil && then.Contacts+then.Deleted > 0 {
		fmt.Fprintf(&out, "\n  then, what changed since that run began:\n\n")
		writeCounts(&out, style, *then)
	}
	if len(r.Rejections) > 0 {
		fmt.Fprintf(&out, "\n  %s\n", style.Warn("rejected, for example:"))
		for _, rejected := range r.Rejections {
			fmt.Fprintf(&out, "    %s\n", oneLine(strings.TrimSpace(rejected.ID+"  "+rejected.Reason)))
		}
	}
	if held := r.Held; held != nil {
		fmt.Fprintf(&out, "\n  %s\n", style.Warn(fmt.Sprintf("would be deleted, %s of %s:", progress.Count(int64(len(held.Contacts))), progress.Count(held.Count))))
		for _, h := range held.Contacts {
			fmt.Fprintf(&out, "    %s\n", oneLine(h.ID+"  "+h.Name+"  ("+directory.WhyHeld(h.Named)+")"))
		}
	}
	if r.NotJudged != "" {
		fmt.Fprintf(&out, "\n  No contact was judged to be gone: %s.\n", r.NotJudged)
	}
	if r.Error == nil && r.Checkpoint == "" {
		fmt.Fprintf(&out, "\n  The bridge sets no checkpoint, so every sync of it fetches all contacts.\n")
	}
	out.WriteString("\n")
	_, err := io.WriteString(w, out.String())
	return err
}

func outcome(r synchronizer.Report) string {
	if r.Error == nil || r.State == directory.Guarded {
		return "complete in"
	}
	return "stopped after"
}

func mark(style progress.Style, r synchronizer.Report) string {
	switch {
	case r.Error == nil:
		return style.Good("✓")
	case r.State == directory.Guarded:
		return style.Warn("!")
	}
	return style.Bad("✗")
}

func headline(r synchronizer.Report) string {
	name := strings.ToUpper(string(r.Kind[:1])) + string(r.Kind[1:]) + " sync"
	if r.Resumed {
		return "Resumed " + strings.ToLower(name)
	}
	return name
}

// writeCounts writes the numbers of a run, one below the other.
func writeCounts(out *strings.Builder, style progress.Style, r synchronizer.Report) {
	line := func(n int64, noun, more string) {
		if n != 1 && strings.HasSuffix(noun, "*") {
			noun = strings.TrimSuffix(noun, "*") + "s"
		}
		noun = strings.TrimSuffix(noun, "*")
		fmt.Fprintf(out, "%s\n", strings.TrimRight(fmt.Sprintf("  %12s  %-10s %s", progress.Count(n), noun, style.Dim(more)), " "))
	}
	line(r.Contacts, "contact*", fmt.Sprintf("%s created, %s updated, %s unchanged",
		progress.Count(r.Created), progress.Count(r.Updated), progress.Count(r.Unchanged)))
	line(r.Deleted, "deleted", "")
	if r.Rejected > 0 {
		line(r.Rejected, "rejected", "")
	}
	pages := humanize.IBytes(uint64(max(r.Bytes, 0)))
	if r.Seconds > 0.2 && r.Contacts > 0 && !r.Resumed {
		pages += fmt.Sprintf(", %s contacts/s", progress.Count(int64(float64(r.Contacts)/r.Seconds)))
	}
	line(r.Pages, "page*", pages)
	if r.Retries > 0 {
		line(int64(r.Retries), "repeated", "requests that failed and were sent again")
	}
	if r.Restarts > 0 {
		line(int64(r.Restarts), "restart*", "the bridge did not know an offset any more")
	}
}
