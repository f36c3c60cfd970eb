package phone

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// An automaton answers for a string of digits what a set of regular expressions says about it, one table look-up a digit.
// It never changes once it is built.
type automaton struct {
	next  []uint16 // state*10 + digit → state
	label []uint8  // the meaning of state, as its builder defines it
}

// The states that every automaton has.
const (
	dead  = 0 // nothing can match any more
	start = 1
)

// Labels of an automaton that finds prefixes.
const (
	matchHere  = 1 << iota // the expression matches up to here
	matchAtEnd             // it does if nothing follows
)

// run returns the label of the state after all digits.
func (a *automaton) run(digits []byte) uint8 {
	state := uint(start)
	for _, d := range digits {
		if state = uint(a.next[state*10+uint(d-'0')]); state == dead {
			return 0
		}
	}
	return a.label[state]
}

// prefix returns the length of the match that a backtracking engine finds at the start of digits, or -1.
func (a *automaton) prefix(digits []byte) int {
	end, state := -1, uint(start)
	for i, d := range digits {
		if a.label[state]&matchHere != 0 {
			end = i
		}
		if state = uint(a.next[state*10+uint(d-'0')]); state == dead {
			return end
		}
	}
	if a.label[state] != 0 {
		end = len(digits)
	}
	return end
}

// A subset builds an automaton out of regular expressions: each of its states is the set of places in the expressions'
// programs where a match may stand.
type subset struct {
	programs []*syntax.Prog
	base     []int // program → first of its threads
	first    bool  // threads have an order, the first match wins: as a backtracking engine decides
	maxDepth int   // if not 0, states know how many digits were read, and none follows after that many

	// label says what a state means: the programs that match here, and those that match if nothing follows.
	label func(here, atEnd []int, depth int) uint8

	out     automaton
	pending []place
	known   map[string]uint16
}

// A place is a state under construction.
type place struct {
	threads []int
	depth   int
}

// newSubset compiles the expressions.
func newSubset(expressions ...string) (*subset, error) {
	b := &subset{known: map[string]uint16{}}
	size := 0
	for _, expression := range expressions {
		parsed, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", expression, err)
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			return nil, fmt.Errorf("compile %q: %w", expression, err)
		}
		b.programs = append(b.programs, program)
		b.base = append(b.base, size)
		size += len(program.Inst)
	}
	return b, nil
}

// build runs the construction.
func (b *subset) build() (*automaton, error) {
	b.add(place{}) // dead
	var threads []int
	for i, program := range b.programs {
		threads = b.follow(threads, i, program.Start)
	}
	b.add(place{threads: threads})
	for state := start; state < len(b.pending); state++ {
		at := b.pending[state]
		for d := range 10 {
			to := b.add(b.step(at, rune('0'+d)))
			if to > 0xFFFF {
				return nil, fmt.Errorf("more than %d states", 0xFFFF)
			}
			b.out.next[state*10+d] = uint16(to)
		}
	}
	return &b.out, nil
}

// add returns the number of the state for a place, new or known.
func (b *subset) add(at place) int {
	key := make([]byte, 0, 4*len(at.threads)+1)
	for _, t := range at.threads {
		key = append(key, byte(t), byte(t>>8), byte(t>>16))
	}
	if b.maxDepth > 0 && len(at.threads) > 0 {
		key = append(key, byte(at.depth))
	}
	if state, ok := b.known[string(key)]; ok {
		return int(state)
	}
	state := len(b.pending)
	b.known[string(key)] = uint16(state)
	b.pending = append(b.pending, at)
	b.out.next = append(b.out.next, make([]uint16, 10)...)
	b.out.label = append(b.out.label, b.label(b.matches(at.threads, false), b.matches(at.threads, true), at.depth))
	return state
}

// step returns the place after one more digit.
func (b *subset) step(at place, digit rune) place {
	to := place{depth: at.depth + 1}
	if b.maxDepth > 0 && to.depth > b.maxDepth {
		return to
	}
	for _, t := range at.threads {
		i, inst := b.inst(t)
		switch inst.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if inst.MatchRune(digit) {
				to.threads = b.follow(to.threads, i, int(inst.Out))
			}
		}
	}
	if b.first {
		to.threads = b.cut(to.threads)
	} else {
		slices.Sort(to.threads)
	}
	return to
}

// cut drops the threads after the first that matches: anything they find comes second.
func (b *subset) cut(threads []int) []int {
	for n, t := range threads {
		if _, inst := b.inst(t); inst.Op == syntax.InstMatch {
			return threads[:n+1]
		}
	}
	return threads
}

// follow adds the threads that are reached from pc without reading a digit: those that wait for a digit, for the end, or
// match.
func (b *subset) follow(threads []int, program, pc int) []int {
	inst := &b.programs[program].Inst[pc]
	switch inst.Op {
	case syntax.InstFail:
		return threads
	case syntax.InstNop, syntax.InstCapture:
		return b.follow(threads, program, int(inst.Out))
	case syntax.InstAlt, syntax.InstAltMatch:
		threads = b.follow(threads, program, int(inst.Out))
		return b.follow(threads, program, int(inst.Arg))
	}
	if t := b.base[program] + pc; !slices.Contains(threads, t) {
		threads = append(threads, t)
	}
	return threads
}

// matches lists the programs that match at a place, ascending; atEnd, those that match if nothing follows.
func (b *subset) matches(threads []int, atEnd bool) []int {
	var found []int
	for _, t := range threads {
		program, inst := b.inst(t)
		matched := inst.Op == syntax.InstMatch
		if atEnd && inst.Op == syntax.InstEmptyWidth && syntax.EmptyOp(inst.Arg) == syntax.EmptyEndText {
			matched = len(b.matches(b.follow(nil, program, int(inst.Out)), true)) > 0
		}
		if matched && !slices.Contains(found, program) {
			found = append(found, program)
		}
	}
	slices.Sort(found)
	return found
}

func (b *subset) inst(thread int) (program int, inst *syntax.Inst) {
	program, exact := slices.BinarySearch(b.base, thread)
	if !exact {
		program--
	}
	return program, &b.programs[program].Inst[thread-b.base[program]]
}
