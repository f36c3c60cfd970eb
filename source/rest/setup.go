package rest

import (
	"regexp"

	"github.com/contactbridge/contactbridge/source"
)

// setup asks for the fields of the preset's connection, and says where its user finds them.
func (p Preset) setup() *source.Setup {
	questions := make([]source.Question, 0, len(p.Language.Connection))
	for _, f := range p.Language.Connection {
		questions = append(questions, f.question())
	}
	return &source.Setup{Questions: source.Fixed(questions...)}
}

func (f Field) question() source.Question {
	return source.Question{
		Key: f.Name, Title: f.Title, Help: f.Help, Example: f.Example, Default: f.Default, Optional: f.Optional, Secret: f.Secret,
		Check: func(answer string) error {
			pattern, err := regexp.Compile(f.Pattern)
			if err != nil || pattern.MatchString(answer) {
				return nil
			}
			return &source.ConfigError{Key: f.Name, Message: f.Name + " is not valid", Hint: f.hint()}
		},
	}
}
