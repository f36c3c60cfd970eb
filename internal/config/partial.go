package config

import (
	"strings"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// A Partial is the source of an endpoint that need not be complete yet.
type Partial struct {
	Kind    source.Kind
	Config  any            // as the kind's Config returns it, with what is written
	Answers source.Answers // the texts that are written, by their dotted keys, without kind
}

// ParsePartial reads the source of an endpoint without asking for what is missing. untrusted says that somebody else wrote it than the
// operator ([source.Kind.Untrusted]). Errors are [*strictyaml.Problems].
func ParsePartial(text []byte, endpoint string, env strictyaml.Environment, untrusted bool) (p Partial, err error) {
	err = strictyaml.Read("", text, env, func(document *strictyaml.Document) []strictyaml.Problem {
		c := &checker{document: document, folder: env.Folder, untrusted: untrusted}
		p = c.partial(endpoint)
		return c.problems
	})
	return p, err
}

func (c *checker) partial(endpoint string) (p Partial) {
	cfg := &Config{}
	_ = c.document.Decode(cfg) // what is wrong is told when it is complete
	path := "endpoints." + endpoint + ".source"
	raw := cfg.Endpoints[endpoint].Source
	if raw.IsZero() {
		c.problem(path, "source is missing", "Write the kind of one source, and that kind's keys.")
		return p
	}
	kind, ok := c.kind(path, raw)
	if !ok {
		return p
	}
	p = Partial{Kind: kind, Config: kind.Config(), Answers: source.Answers{}}
	_ = c.document.DecodeRaw(raw, p.Config, "kind")
	if c.untrusted {
		if err := untrusted(kind, p.Config); err != nil {
			c.kindProblems(path, err)
		}
	}
	for at, text := range raw.Scalars {
		if key := strings.TrimPrefix(at, path+"."); key != "kind" {
			p.Answers[key] = text
		}
	}
	return p
}
