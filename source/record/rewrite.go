package record

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// A rewriter turns the parsed tree of an expression into one over a record's columns: names become columns, operators and
// functions those of this package, which take an empty value for an empty text or list. It refuses everything with a cost that is not
// bounded by the record.
type rewriter struct {
	header       *header
	placeholders map[string]int // identifiers that stand for columns
	used         map[int]bool
	variables    map[string]int // how many declarations of a name are in scope
	err          *FieldError    // the first mistake
}

// recordName is the name of the record itself: record["First Name"].
const recordName = "record"

// budgetName and columnKey are the names of the environment: see [evaluator].
const budgetName = "$budget"

func columnKey(index int) string { return "$" + strconv.Itoa(index) }

// environmentTypes describes the environment to the checker.
func environmentTypes(columns []int) types.Map {
	env := types.Map{budgetName: types.Any}
	for _, i := range columns {
		env[columnKey(i)] = types.Any
	}
	return env
}

func (r *rewriter) columns() []int { return slices.Sorted(maps.Keys(r.used)) }

func (r *rewriter) fail(n ast.Node, hint, format string, args ...any) ast.Node {
	if r.err == nil {
		r.err = &FieldError{Message: fmt.Sprintf(format, args...), Hint: hint, At: n.Location().From + 1}
	}
	return n
}

// node returns what a node becomes.
func (r *rewriter) node(n ast.Node) ast.Node {
	if r.err != nil {
		return n
	}
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return r.identifier(n)
	case *ast.UnaryNode:
		return r.unary(n)
	case *ast.BinaryNode:
		return r.binary(n)
	case *ast.ChainNode:
		return r.node(n.Node)
	case *ast.MemberNode:
		return r.member(n)
	case *ast.SliceNode:
		return r.call(n, "$slice", r.node(n.Node), r.orZero(n.From, 0), r.orZero(n.To, maxIndex))
	case *ast.CallNode:
		return r.function(n)
	case *ast.BuiltinNode:
		return r.loop(n)
	case *ast.ConditionalNode:
		n.Cond, n.Exp1, n.Exp2 = r.condition(n.Cond), r.node(n.Exp1), r.node(n.Exp2)
	case *ast.VariableDeclaratorNode:
		return r.variable(n)
	case *ast.ArrayNode:
		for i := range n.Nodes {
			n.Nodes[i] = r.node(n.Nodes[i])
		}
	case *ast.PointerNode:
		if n.Name != "" && n.Name != "index" {
			return r.fail(n, "# is the element, #index its place in the list.", "Unknown name #%s", n.Name)
		}
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ConstantNode:
	default: // sequences, objects, bytes
		return r.fail(n, "See docs/expressions.md for what there is.", "This is not supported in an expression")
	}
	return n
}

// call makes the call of a function of this package. Its first argument is always the budget.
func (r *rewriter) call(at ast.Node, name string, arguments ...ast.Node) ast.Node {
	n := &ast.CallNode{
		Callee:    &ast.IdentifierNode{Value: name},
		Arguments: append([]ast.Node{&ast.IdentifierNode{Value: budgetName}}, arguments...),
	}
	for _, part := range []ast.Node{n, n.Callee, n.Arguments[0]} {
		part.SetLocation(at.Location())
	}
	return n
}

// column makes the value of a column.
func (r *rewriter) column(at ast.Node, index int) ast.Node {
	r.used[index] = true
	n := &ast.IdentifierNode{Value: columnKey(index)}
	n.SetLocation(at.Location())
	return n
}

func (r *rewriter) identifier(n *ast.IdentifierNode) ast.Node {
	if index, ok := r.placeholders[n.Value]; ok {
		return r.column(n, index)
	}
	if r.variables[n.Value] > 0 {
		return n
	}
	index, err := r.header.find(n.Value, n.Location().From+1)
	if err != nil {
		if r.err == nil {
			r.err = err
			if _, known := r.header.index[n.Value]; !known {
				err.Hint += " A fixed text stands in quotes."
			}
		}
		return n
	}
	return r.column(n, index)
}

func (r *rewriter) variable(n *ast.VariableDeclaratorNode) ast.Node {
	_, isColumn := r.header.index[n.Name]
	if isColumn || strings.HasPrefix(n.Name, "$") || n.Name == recordName {
		return r.fail(n, "Choose another name.", "The variable %q has the name of a column, or one that is reserved", n.Name)
	}
	n.Value = r.node(n.Value)
	r.variables[n.Name]++
	n.Expr = r.node(n.Expr)
	r.variables[n.Name]--
	return n
}

// member is record["First Name"], an element of a list or a value of an object.
func (r *rewriter) member(n *ast.MemberNode) ast.Node {
	if n.Method {
		return r.fail(n, functionsHint(""), "A value has no methods")
	}
	if of, ok := n.Node.(*ast.IdentifierNode); ok && of.Value == recordName && r.variables[recordName] == 0 {
		name, ok := n.Property.(*ast.StringNode)
		if !ok {
			return r.fail(n, `Write a column's name in quotes: record["First Name"].`, "The column must be named")
		}
		index, err := r.header.find(name.Value, name.Location().From+1)
		if err != nil {
			r.err = err
			return n
		}
		return r.column(n, index)
	}
	return r.call(n, "$get", r.node(n.Node), r.node(n.Property))
}

// maxIndex stands for the end of a list or text.
const maxIndex = 1<<31 - 1

func (r *rewriter) orZero(n ast.Node, standard int) ast.Node {
	if n == nil {
		return &ast.IntegerNode{Value: standard}
	}
	return r.node(n)
}

// condition makes a truth value of anything.
func (r *rewriter) condition(n ast.Node) ast.Node { return r.call(n, "$true", r.node(n)) }

func (r *rewriter) unary(n *ast.UnaryNode) ast.Node {
	switch n.Operator {
	case "!", "not":
		n.Node = r.condition(n.Node)
		return n
	}
	if number, ok := n.Node.(*ast.IntegerNode); ok && n.Operator == "-" {
		return &ast.IntegerNode{Value: -number.Value}
	}
	return r.unsupported(n, n.Operator)
}

func (r *rewriter) unsupported(n ast.Node, operator string) ast.Node {
	return r.fail(n, "A column's name that has other characters than letters, digits and _ in it stands in backticks.",
		"The operator %s is not supported", operator)
}

// binaryFunctions are the functions that operators become.
var binaryFunctions = map[string]string{
	"+": "$add", "<": "$less", ">": "$more", "<=": "$atMost", ">=": "$atLeast", "==": "$equal", "in": "$in",
	"contains": "$contains", "startsWith": "$startsWith", "endsWith": "$endsWith",
}

func (r *rewriter) binary(n *ast.BinaryNode) ast.Node {
	if name, ok := binaryFunctions[n.Operator]; ok {
		return r.call(n, name, r.node(n.Left), r.node(n.Right))
	}
	switch n.Operator {
	case "!=":
		not := &ast.UnaryNode{Operator: "!", Node: r.call(n, "$equal", r.node(n.Left), r.node(n.Right))}
		not.SetLocation(n.Location())
		return not
	case "??":
		n.Left, n.Right = r.call(n.Left, "$orNil", r.node(n.Left)), r.node(n.Right)
		return n
	case "and", "&&", "or", "||":
		n.Left, n.Right = r.condition(n.Left), r.condition(n.Right)
		return n
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			return r.fail(n, "Write the regular expression in quotes.", "matches needs a fixed text on its right")
		}
		n.Left = r.call(n.Left, "$text", r.node(n.Left))
		return n
	}
	return r.unsupported(n, n.Operator)
}

// function returns the call of one of this package's functions.
func (r *rewriter) function(n *ast.CallNode) ast.Node {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return r.fail(n, functionsHint(""), "This is not a function")
	}
	f, ok := functions[name.Value]
	if !ok || strings.HasPrefix(name.Value, "$") {
		return r.fail(n, functionsHint(name.Value), "Unknown function %q", name.Value)
	}
	if given := len(n.Arguments); given < f.least || given > f.most {
		return r.fail(n, "Write "+f.usage+".", "%s cannot be given %d values", name.Value, given)
	}
	for i := range n.Arguments {
		n.Arguments[i] = r.node(n.Arguments[i])
	}
	return r.call(n, name.Value, n.Arguments...)
}

// loopFunctions are the library's functions with a predicate, and what is done with each result of it. Its functions that read a list
// backwards (findLast) leave a value on the stack, so that what follows gets wrong values.
var loopFunctions = map[string]string{
	"all": "$test", "any": "$test", "none": "$test", "one": "$test", "filter": "$test", "find": "$test",
	"count": "$test", "map": "$each",
}

// loop returns the call of a function with a predicate. What it repeats counts its steps.
func (r *rewriter) loop(n *ast.BuiltinNode) ast.Node {
	each, ok := loopFunctions[n.Name]
	if !ok {
		return r.fail(n, functionsHint(n.Name), "Unknown function %q", n.Name)
	}
	n.Arguments[0] = r.call(n.Arguments[0], "$list", r.node(n.Arguments[0]))
	if len(n.Arguments) < 2 {
		return r.call(n, "len", n.Arguments[0])
	}
	predicate, ok := n.Arguments[1].(*ast.PredicateNode)
	if !ok {
		return r.fail(n, "Write "+n.Name+"(list, condition), where # is the element.", "%s needs a condition", n.Name)
	}
	predicate.Node = r.call(predicate, each, r.node(predicate.Node))
	return n
}

// functionsHint lists the functions, and names the one that was meant.
func functionsHint(name string) string {
	names := slices.Collect(maps.Keys(loopFunctions))
	for known := range functions {
		if !strings.HasPrefix(known, "$") {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	hint := "The functions are " + strings.Join(names, ", ") + "."
	if near := strictyaml.Nearest(name, names); name != "" && near != "" {
		hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
	}
	return hint
}
