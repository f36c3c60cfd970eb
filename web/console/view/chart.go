package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Charts are drawn in a box of this size, which is then stretched; words stand beside it, so that they stay readable.
const (
	chartWidth  = 720
	chartHeight = 160
)

// A Line is a chart of a value over days.
type Line struct {
	Samples []registry.Sample // ascending by day
	percent bool              // the values are per cent of calls
	area    string            // SVG path
	line    string
	top     int64 // value at the upper edge
}

// NewLine draws samples; days without one keep the value before.
func NewLine(samples []registry.Sample) Line {
	c := Line{Samples: samples}
	for _, s := range samples {
		c.top = max(c.top, s.Contacts)
	}
	c.top = roundUp(c.top)
	c.draw()
	return c
}

func (c *Line) draw() {
	samples := c.Samples
	if len(samples) < 2 {
		return
	}
	first, last := samples[0].Day, samples[len(samples)-1].Day
	var path strings.Builder
	y := 0.0
	for i, s := range samples {
		x := chartWidth * float64(s.Day.Sub(first)) / float64(last.Sub(first))
		if i > 0 && s.Day.Sub(samples[i-1].Day) > 36*time.Hour {
			fmt.Fprintf(&path, "L%.1f %.1f", x-chartWidth*24/last.Sub(first).Hours(), y)
		}
		y = chartHeight * (1 - float64(s.Contacts)/float64(max(c.top, 1)))
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", command, x, y)
	}
	c.line = path.String()
	c.area = fmt.Sprintf("%sL%d %dL0 %dZ", c.line, chartWidth, chartHeight, chartHeight)
}

// NewRate draws the share of calls that were named. Days without calls keep the value before; withheld numbers do not count.
func NewRate(days []registry.Recognition) Line {
	var samples []registry.Sample
	for _, d := range days {
		if n := d.Named + d.Ambiguous + d.Unknown; n > 0 {
			samples = append(samples, registry.Sample{Day: d.Day, Contacts: (100*d.Named + n/2) / n})
		}
	}
	c := Line{Samples: samples, percent: true, top: 100}
	c.draw()
	return c
}

// value writes one value.
func (c Line) value(l *Locale, n int64) string {
	if c.percent {
		return l.Number(n) + " %"
	}
	return l.Number(n)
}

// what is the head of the values' column.
func (c Line) what() string {
	if c.percent {
		return "Named"
	}
	return "Contacts"
}

// summary is the chart in a sentence.
func (c Line) summary(l *Locale) string {
	first, last := c.Samples[0], c.Samples[len(c.Samples)-1]
	if c.percent {
		return fmt.Sprintf("From %s on %s to %s on %s.", c.value(l, first.Contacts), l.Day(first.Day), c.value(l, last.Contacts), l.Day(last.Day))
	}
	return fmt.Sprintf("From %s on %s to %s on %s.", l.Count(first.Contacts, "contact", "contacts"), l.Day(first.Day), l.Number(last.Contacts), l.Day(last.Day))
}

// roundUp is the next number with one digit that is not 0, or two.
func roundUp(n int64) int64 {
	step := int64(1)
	for n > 20*step {
		step *= 10
	}
	return max(1, (n+step-1)/step*step)
}

// Bars are a chart of runs, the oldest first.
type Bars struct {
	Title string
	about string // after the title, for those who cannot see it
	bars  []bar
	top   string // value at the upper edge
}

type bar struct {
	x, y, width, height string
	state               directory.RunState
	title               string
}

// mostBars keeps bars wide enough to be seen and pointed at.
const mostBars = 40

// newBars draws runs, which come newest first.
func newBars(title string, runs []directory.Run, value func(directory.Run) float64, words func(directory.Run) string, top func(float64) string) Bars {
	c := Bars{Title: title, about: " of the newest runs; the table below has the numbers."}
	runs = runs[:min(len(runs), mostBars)]
	highest := 0.0
	for _, r := range runs {
		highest = max(highest, value(r))
	}
	c.top = top(highest)
	slot := float64(chartWidth) / float64(max(len(runs), 12))
	for i := range runs {
		r := runs[len(runs)-1-i]
		height := 3.0 // what there is can be seen
		if highest > 0 {
			height = max(height, chartHeight*value(r)/highest)
		}
		c.bars = append(c.bars, bar{
			x: fmt.Sprintf("%.1f", float64(i)*slot+slot*0.15), width: fmt.Sprintf("%.1f", slot*0.7),
			y: fmt.Sprintf("%.1f", chartHeight-height), height: fmt.Sprintf("%.1f", height),
			state: r.State, title: words(r),
		})
	}
	return c
}

// DurationBars is how long runs took.
func DurationBars(l *Locale, runs []directory.Run) Bars {
	return newBars("Duration", runs, func(r directory.Run) float64 { return Took(r, l.Now).Seconds() },
		func(r directory.Run) string {
			return fmt.Sprintf("%s: %s, %s", l.Time(r.Started), l.Duration(Took(r, l.Now)), runWords(r))
		},
		func(top float64) string { return l.Duration(time.Duration(top * float64(time.Second))) })
}

// VolumeBars is how many contacts runs read.
func VolumeBars(l *Locale, runs []directory.Run) Bars {
	return newBars("Contacts read", runs, func(r directory.Run) float64 { return float64(r.Contacts) },
		func(r directory.Run) string {
			return fmt.Sprintf("%s: %s, %s", l.Time(r.Started), l.Count(r.Contacts, "contact", "contacts"), runWords(r))
		},
		func(top float64) string { return l.Number(int64(top)) })
}

// Took is how long a run took, or has taken so far.
func Took(r directory.Run, now time.Time) time.Duration {
	switch {
	case !r.Finished.IsZero():
		return r.Finished.Sub(r.Started)
	case r.State == directory.Running:
		return max(0, now.Sub(r.Started))
	}
	return max(0, r.Updated.Sub(r.Started))
}

func runWords(r directory.Run) string {
	switch r.State {
	case directory.Running:
		return "under way"
	case directory.Done:
		return "complete"
	case directory.Failed:
		return "failed"
	case directory.Guarded:
		return "complete, deletions wait for a decision"
	case directory.Abandoned:
		if r.Error != "" {
			return "failed, then replaced by a newer run"
		}
		return "replaced by a newer run"
	}
	return string(r.State)
}

func runShape(s directory.RunState) string {
	switch s {
	case directory.Running:
		return "running"
	case directory.Done:
		return "ok"
	case directory.Failed:
		return "failing"
	case directory.Guarded:
		return "guarded"
	}
	return "new"
}
