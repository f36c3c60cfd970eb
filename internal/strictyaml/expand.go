package strictyaml

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxSecretFile is the most that a ${file:…} reference takes, in bytes.
const maxSecretFile = 64 << 10

// An Environment is where references in a file lead.
type Environment struct {
	// Lookup is an environment variable's value, as os.LookupEnv has it.
	Lookup func(name string) (string, bool)
	// ReadFile is the content of a file; names are relative to Folder unless they are absolute.
	ReadFile func(name string) ([]byte, error)
	// Folder is the configuration file's.
	Folder string
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Expand fills in the references of one text, as the reader of a file does. Its error is [*Problems].
func (e Environment) Expand(text string) (string, error) {
	expanded, problems := e.expand(text)
	return expanded, newProblems("", problems)
}

// expand fills in ${NAME}, ${NAME:-default} and ${file:PATH}, and turns $$ into $. A value is escaped as its [slot] demands.
// What was filled in is not looked at again. It goes on after a reference that leads nowhere, so that all of them are reported.
func (e Environment) expand(text string) (string, []Problem) {
	var b strings.Builder
	var problems []Problem
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 || i+1 == len(text) {
			b.WriteString(text)
			return b.String(), problems
		}
		b.WriteString(text[:i])
		switch text[i+1] {
		case '$':
			b.WriteByte('$')
			text = text[i+2:]
		case '{':
			reference, rest, closed := strings.Cut(text[i+2:], "}")
			if !closed {
				return b.String(), append(problems, Problem{
					Message: "a ${ is not closed",
					Hint:    "Write ${NAME}, or $${ where the text itself is meant.",
				})
			}
			value, problem := e.lookUp(reference)
			if problem == nil {
				value, problem = slotOf(b.String(), rest).escape(reference, value)
			}
			if problem != nil {
				problems = append(problems, *problem)
			}
			b.WriteString(value)
			text = rest
		default:
			b.WriteByte('$')
			text = text[i+1:]
		}
	}
}

// lookUp returns the value of one reference.
func (e Environment) lookUp(reference string) (string, *Problem) {
	if path, ok := strings.CutPrefix(reference, "file:"); ok {
		return e.file(path)
	}
	name, fallback, hasFallback := strings.Cut(reference, ":-")
	if !variable.MatchString(name) {
		return "", &Problem{
			Message: fmt.Sprintf("${%s} is not a reference", reference),
			Hint:    "Write ${NAME}, ${NAME:-default} or ${file:PATH}, or $$ where a dollar sign is meant.",
		}
	}
	value, set := e.Lookup(name)
	if hasFallback && value == "" {
		return fallback, nil
	}
	if !set {
		return "", &Problem{
			Message: fmt.Sprintf("the environment variable %s is not set", name),
			Hint:    fmt.Sprintf("Set %s before starting, or write ${%s:-default}.", name, name),
		}
	}
	return value, nil
}

// file returns a file's content without the line end at its end.
func (e Environment) file(path string) (string, *Problem) {
	if path == "" {
		return "", &Problem{Message: "${file:} names no file", Hint: "Write ${file:PATH}."}
	}
	name := path
	if !filepath.IsAbs(name) {
		name = filepath.Join(e.Folder, name)
	}
	data, err := e.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", &Problem{
			Message: fmt.Sprintf("the file %s of ${file:%s} does not exist", name, path),
			Hint:    "A path is relative to the configuration file's folder unless it starts with /.",
		}
	case err != nil:
		return "", &Problem{
			Message: fmt.Sprintf("the file %s of ${file:%s} cannot be read", name, path),
			Hint:    "Let the user that contactbridge runs as read it, and no other.",
		}
	case len(data) > maxSecretFile:
		return "", &Problem{Message: fmt.Sprintf("the file %s is larger than 64 KiB", name), Hint: "Name a file that holds only the value."}
	case !utf8.Valid(data):
		return "", &Problem{Message: fmt.Sprintf("the file %s is not UTF-8 text", name), Hint: "Name a file that holds only the value."}
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}
