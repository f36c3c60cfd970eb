package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// A usage is the processor time of a process, and how often it has allocated memory.
type usage struct{ seconds, allocations float64 }

// of adds what a process uses while something is measured.
func (u *usage) of(used func() (usage, error), measure func() (float64, error)) (float64, error) {
	before, err := used()
	if err != nil {
		return 0, err
	}
	value, err := measure()
	if err != nil {
		return 0, err
	}
	after, err := used()
	u.seconds += after.seconds - before.seconds
	u.allocations += after.allocations - before.allocations
	return value, err
}

// ownUsage is that of this process.
func ownUsage() (usage, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return usage{}, err
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return usage{seconds: float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9, allocations: float64(memory.Mallocs)}, nil
}

// usage is that of the bridge, from its metrics.
func (s *server) usage() (usage, error) {
	response, err := http.Get("http://" + s.address + "/metrics")
	if err != nil {
		return usage{}, err
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		return usage{}, err
	}
	var u usage
	for line := range strings.Lines(text.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "process_cpu_seconds_total":
			u.seconds, err = strconv.ParseFloat(value, 64)
		case "go_memstats_mallocs_total":
			u.allocations, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			return usage{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if u.seconds == 0 || u.allocations == 0 {
		return usage{}, errors.New("the bridge's metrics do not say what it uses")
	}
	return u, nil
}
