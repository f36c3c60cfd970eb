package source

import (
	"context"

	"github.com/contactbridge/contactbridge/internal/proposal"
)

// A Setup says how a source of a kind is set up by someone who has not read its documentation: what to ask for, and what is
// there. contactbridge init works with it, and names no kind:
//
//  1. It asks the questions. Each answer becomes a key of the source's configuration.
//  2. It has the kind look at what is there, and makes a proposal of it (package internal/proposal).
//  3. It shows contacts by the resulting configuration, as preview does, and writes it.
type Setup struct {
	// Questions returns what is asked, in order. answers holds those that were given so far; it is empty at first. Questions is
	// asked again after every answer, so that a question may depend on earlier answers (a preset has keys of its own). A
	// question stays the same once it was answered. Every question of an empty list of answers is also a flag of
	// contactbridge init KIND: the key dsn is --dsn, auth.token is --auth-token. Any other is given with --set KEY=VALUE.
	Questions func(answers Answers) []Question

	// Look connects to the external service and says what is there: tables, sheets, bases, address books. answers are complete.
	// Relative names of files start from deps.Folder ([Deps.Path]). An error is for people: a [ConfigError] for the answer to
	// Key, or a bridge.Error with message and hint, without a credential. Nothing that could hold contacts is an inventory without things,
	// and no error. Look takes 30 seconds at most: what takes longer is left out.
	//
	// nil where the answers are all there is to say: the configuration then has them and no other key.
	Look func(ctx context.Context, answers Answers, deps Deps) (proposal.Inventory, error)
}

// Answers hold the answers to questions by their keys, with references (${NAME}) filled in: they hold credentials. A question
// that was left out has none.
type Answers map[string]string

// A Question asks for one key of a kind's configuration.
type Question struct {
	Key     string // of the configuration; dotted where it is within another: auth.token
	Title   string // what is asked for, in a few words: "Password of the user"
	Help    string // what to write, and where to find it: sentences; may be empty
	Example string // an answer that could be right: "mysql://reader:secret@127.0.0.1:3306/crm"
	Default string // the answer where none is given; it is shown
	// Choices are the only answers that there are; empty where anything may be written.
	Choices []string
	// Optional says that no answer is an answer: the key is left out. A question with a default needs none either.
	Optional bool
	// File says that the answer is the name of a file or folder. It is written relative to the configuration's folder.
	File bool
	// Secret says that the whole answer is a credential: it is not shown while it is typed, and the configuration has a
	// reference to an environment variable instead (${NAME}).
	Secret bool
	// Conceal says that a part of the answer may be a credential, such as the password in a URL. It returns the answer with
	// ref, which is ${NAME}, in its place, and the credential as it has to stand in the variable; an empty secret if
	// there is none. Of several credentials it takes the first that is no reference: it is asked again until none is left. It may
	// correct what people write wrongly, and says so in note. See [ConcealInURL].
	Conceal func(answer, ref string) (text, secret, note string)
	// Check returns what is wrong with an answer, as a [ConfigError] or an error without a credential; nil accepts all.
	Check func(answer string) error
}

// Fixed returns questions that depend on no answer.
func Fixed(questions ...Question) func(Answers) []Question {
	return func(Answers) []Question { return questions }
}
