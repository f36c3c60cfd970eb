// Package strictyaml reads a configuration file so that its author learns of every mistake at once: each with its line and
// column, unknown keys with the nearest known one, and secrets filled in after parsing, so that no secret can break or
// inject YAML.
package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
)

// A Problem is one thing wrong with a file. Neither text holds what a ${…} reference expanded to.
type Problem struct {
	Line    int    // from 1; 0 where it has no place
	Column  int    // from 1; 0 where it has no place
	Path    string // the key that it is about, dotted: "endpoints.crm.page"
	Message string // what is wrong
	Hint    string // what to do about it; may be empty
	Meant   string // of an unknown key: the known one that was most likely meant; empty where none is near
}

// Error returns the message.
func (p Problem) Error() string { return p.Message }

// Explain implements [failure.Explainer].
func (p Problem) Explain() failure.Error {
	return failure.Error{Code: failure.Invalid, Message: p.Message, Hint: p.Hint, Field: p.Path}
}

// In reports whether the problem is about a key, or what is below it.
func (p Problem) In(path string) bool { return p.Path == path || strings.HasPrefix(p.Path, path+".") }

// Besides returns those of more that are about other keys than any of found, not parts of the same one, and in other lines: what is wrong
// already must not be told again in other words.
func Besides(found, more []Problem) []Problem {
	return slices.DeleteFunc(slices.Clone(more), func(p Problem) bool {
		return slices.ContainsFunc(found, func(f Problem) bool {
			return f.In(p.Path) || p.In(f.Path) || f.Line == p.Line && p.Line > 0
		})
	})
}

// Problems is an error: everything that is wrong with a file, in the order of its lines.
type Problems struct {
	File string
	List []Problem
}

// Error lists the problems, one to a line, as FILE:LINE:COLUMN: MESSAGE, each followed by its hint on an indented line.
func (p *Problems) Error() string {
	var b strings.Builder
	for i, problem := range p.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.File)
		if problem.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", problem.Line, problem.Column)
		}
		b.WriteString(": " + problem.Message)
		if problem.Hint != "" {
			b.WriteString("\n    " + problem.Hint)
		}
	}
	return b.String()
}

// Unwrap returns the problems, each a [Problem].
func (p *Problems) Unwrap() []error {
	all := make([]error, len(p.List))
	for i, problem := range p.List {
		all[i] = problem
	}
	return all
}

// Found returns the problems that an error holds; none for any other error.
func Found(err error) []Problem {
	if problems, ok := errors.AsType[*Problems](err); ok {
		return problems.List
	}
	return nil
}

// newProblems returns the error that lists problems, sorted by place; nil if there are no problems.
func newProblems(file string, list []Problem) error {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Problems{File: file, List: list}
}
