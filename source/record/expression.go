package record

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// Limits bound what one expression may take. The zero value of each means that of [DefaultLimits].
type Limits struct {
	Length   int           // the most characters of an expression
	Nodes    int           // the most names, values, operators and functions of an expression
	Text     int           // the most bytes of text that an expression makes of one record
	Elements int           // the most elements of lists that an expression makes of one record
	Time     time.Duration // how long an expression may take with one record
}

// DefaultLimits are for expressions that the operator of a bridge writes: they stop mistakes.
var DefaultLimits = Limits{Length: 10_000, Nodes: 1000, Text: 1 << 20, Elements: 100_000, Time: time.Second}

// StrictLimits are for expressions that others write, when one process reads the records of all of them.
var StrictLimits = Limits{Length: 1000, Nodes: 200, Text: 64 << 10, Elements: 2000, Time: 20 * time.Millisecond}

func (l Limits) withDefaults() Limits {
	pick := func(n, standard int) int {
		if n == 0 {
			return standard
		}
		return n
	}
	d := DefaultLimits
	l.Length, l.Nodes = pick(l.Length, d.Length), pick(l.Nodes, d.Nodes)
	l.Text, l.Elements = pick(l.Text, d.Text), pick(l.Elements, d.Elements)
	if l.Time == 0 {
		l.Time = d.Time
	}
	return l
}

// An Expression is a compiled text of a configuration: a column, or an expression over the columns. Many goroutines may use it at
// the same time, each with a [Row] of its own.
type Expression struct {
	path    string
	column  int         // the only column; -1 where program says what to do
	program *vm.Program // nil for a column
	used    []int       // the columns of the program
	limits  Limits
	clean   func([]byte) []byte
	truths  []bool // see [Compiler.Truths]
}

// Columns returns the indexes of the columns that the expression uses, each once.
func (e *Expression) Columns() []int {
	if e.program == nil {
		return []int{e.column}
	}
	return e.used
}

// IsColumn reports whether the expression is a column and nothing else, and which one.
func (e *Expression) IsColumn() (index int, ok bool) { return e.column, e.program == nil }

// compile compiles the text of a field. Its error has no path yet.
func (c Compiler) compile(text string, h *header) (*Expression, *FieldError) {
	e := &Expression{column: -1, limits: c.Limits.withDefaults(), clean: c.Clean, truths: c.Truths}
	index, plain, err := h.plain(text)
	if plain || err != nil {
		e.column = index
		return e, err
	}
	if err := e.build(text, h); err != nil {
		if looksLikeName(text) {
			return nil, unknownColumn(h, text, 0)
		}
		return nil, err
	}
	return e, nil
}

// looksLikeName reports whether a text that is not a valid expression was meant as a column's name.
func looksLikeName(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !unicode.IsSpace(r) && !strings.ContainsRune("-_./&%#§°", r)
	})
}

// build parses, checks and compiles an expression.
func (e *Expression) build(text string, h *header) *FieldError {
	if n := len([]rune(text)); n > e.limits.Length {
		return &FieldError{Message: fmt.Sprintf("The expression has %d characters", n), Hint: fmt.Sprintf("At most %d are allowed.", e.limits.Length)}
	}
	replaced, columns, mistake := h.withPlaceholders(text)
	if mistake != nil {
		return mistake
	}
	config := newLanguage(e.limits)
	tree, err := parser.ParseWithConfig(replaced, config)
	if err != nil {
		return syntaxError(err)
	}
	switch tree.Node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		return unknownColumn(h, text, 0) // a fixed value stands in quotes
	}
	r := rewriter{header: h, placeholders: columns, used: map[int]bool{}, variables: map[string]int{}}
	tree.Node = r.node(tree.Node)
	if r.err != nil {
		return r.err
	}
	e.used = r.columns()
	config.WithEnv(environmentTypes(e.used))
	if _, err := checker.Check(tree, config); err != nil {
		return syntaxError(err)
	}
	if e.program, err = compiler.Compile(tree, config); err != nil {
		return syntaxError(err)
	}
	return nil
}

// newLanguage returns what an expression may use: the functions of this package and the loops of the library.
func newLanguage(limits Limits) *conf.Config {
	config := conf.CreateNew()
	config.MaxNodes = uint(limits.Nodes)
	for name := range config.Builtins {
		if _, loops := loopFunctions[name]; !loops {
			config.Disabled[name] = true
			delete(config.Builtins, name)
		}
	}
	for name, f := range functions {
		config.Functions[name] = f.builtin(name)
	}
	return config
}

var unexpectedToken = regexp.MustCompile(`^unexpected token (\w+)(?:\("(.*)"\))?$`)

// syntaxError returns the library's error in our words.
func syntaxError(err error) *FieldError {
	found, ok := errors.AsType[*file.Error](err)
	if !ok {
		return &FieldError{Message: "The expression is not valid", Hint: firstLine(err.Error())}
	}
	e := &FieldError{Message: found.Message, At: found.From + 1}
	if m := unexpectedToken.FindStringSubmatch(found.Message); m != nil {
		e.Message = fmt.Sprintf("Unexpected %q", m[2])
		if m[1] == "EOF" {
			e.Message = "The expression ends too early"
		}
	}
	e.Message = capital(firstLine(e.Message))
	e.Hint = "A column's name that has spaces or other marks in it stands in backticks, a fixed text in quotes."
	if strings.Contains(found.Message, "maximum allowed nodes") {
		e.Message, e.Hint = "The expression is too long", "Use fewer operators and functions."
	}
	return e
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func capital(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
