package view

import (
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A Run is the page of one run.
type Run struct {
	hub.RunView
	Live bool // it is under way, in this process or another
}

// RunPath is a run's page, or one below it.
func RunPath(key directory.Key, id int64, below ...string) string {
	return IntegrationPath(key, append([]string{"runs", fmt.Sprint(id)}, below...)...)
}

// mostRejectedOfRun is how many rejected contacts a page lists.
const mostRejectedOfRun = 200

// shownRejected are the rejected contacts that the page lists.
func (r Run) shownRejected() []directory.Rejected {
	return r.Rejected[:min(len(r.Rejected), mostRejectedOfRun)]
}

// rate is how many contacts a second it read on average; 0: not known.
func (r Run) rate(now time.Time) float64 {
	if r.Progress != nil && r.Progress.Rate > 0 {
		return r.Progress.Rate
	}
	if took := Took(r.Run, now).Seconds(); took >= 0.001 {
		return float64(r.Contacts) / took
	}
	return 0
}

// RateBars is how many contacts a second a run read, over its time.
func RateBars(l *Locale, r Run) Bars {
	c := Bars{Title: "Contacts a second", about: " over the time of the run."}
	points := thinned(r.Log.Points)
	var rates []float64
	highest := 0.0
	for i := 1; i < len(points); i++ {
		over := points[i].Time.Sub(points[i-1].Time).Seconds()
		if over <= 0 {
			continue
		}
		rate := max(0, float64(points[i].Contacts-points[i-1].Contacts)/over)
		rates, highest = append(rates, rate), max(highest, rate)
		c.bars = append(c.bars, bar{state: directory.Done, title: fmt.Sprintf("%s: %s contacts a second", l.Exact(points[i].Time), l.Decimal(rate, 0))})
	}
	c.top = l.Decimal(highest, 0)
	slot := float64(chartWidth) / float64(max(len(rates), 12))
	for i, rate := range rates {
		height := 3.0
		if highest > 0 {
			height = max(height, chartHeight*rate/highest)
		}
		b := &c.bars[i]
		b.x, b.width = fmt.Sprintf("%.1f", float64(i)*slot+slot*0.15), fmt.Sprintf("%.1f", slot*0.7)
		b.y, b.height = fmt.Sprintf("%.1f", chartHeight-height), fmt.Sprintf("%.1f", height)
	}
	return c
}

// thinned leaves out points, so that there are bars for the others.
func thinned(points []registry.RunPoint) []registry.RunPoint {
	step := (len(points) + mostBars - 1) / max(mostBars, 1)
	if step <= 1 {
		return points
	}
	var some []registry.RunPoint
	for i := 0; i < len(points); i += step {
		some = append(some, points[i])
	}
	return some
}

// logHalf is after how many lines those were that are left out.
const logHalf = registry.MaxLogLines / 2

// levelShape is the icon of a line of a log.
func levelShape(level string) string {
	switch level {
	case registry.LevelError:
		return "failing"
	case registry.LevelWarning:
		return "guarded"
	}
	return "ok"
}

// levelWords is what an icon says to those who cannot see it.
func levelWords(level string) string {
	switch level {
	case registry.LevelError:
		return "Error: "
	case registry.LevelWarning:
		return "Warning: "
	}
	return ""
}
