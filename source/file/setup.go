package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Guide is what contactbridge init needs of a format besides the format: see [Setup].
type Guide struct {
	Example string // a file's name
	// New makes a factory of a configuration that has a path, the choice where there is one, and nothing else.
	New func(cfg Config, choice string, deps source.Deps) (source.Factory, error)
	// Choices lists what in one file could hold contacts, such as its sheets; nil for formats whose files hold one table. Noun
	// is what they are called, and Key the key that names one.
	Choices   func(ctx context.Context, in Input) ([]string, error)
	Noun, Key string
}

// Setup returns how a source of a format is set up.
func Setup(g Guide) *source.Setup {
	return &source.Setup{
		Questions: source.Fixed(source.Question{
			Key: "path", Title: "The file, a folder of files, or a pattern", Example: g.Example, File: true,
			Help: "Of a folder all files with the format's ending are read as one table; a pattern is such as exports/*" + ending(g.Example) + ".",
		}),
		Look: g.look,
	}
}

func ending(name string) string { return name[strings.LastIndexByte(name, '.'):] }

// sampledRecords is how many records are shown to the proposal.
const sampledRecords = 200

func (g Guide) look(ctx context.Context, answers source.Answers, deps source.Deps) (proposal.Inventory, error) {
	path, err := source.ParseTemplate(answers["path"])
	if err != nil {
		return proposal.Inventory{}, err
	}
	inv := proposal.Inventory{Noun: "file"}
	if g.Choices == nil {
		thing, err := g.thing(ctx, path, "", deps)
		inv.Things = append(inv.Things, thing)
		return inv, err
	}
	choices, err := g.choices(ctx, path, deps)
	if err != nil {
		return inv, err
	}
	inv.Noun, inv.Key = g.Noun, g.Key
	for _, choice := range choices {
		thing, err := g.thing(ctx, path, choice, deps)
		if err != nil {
			inv.Problems = append(inv.Problems, proposal.Problem{Message: fmt.Sprintf("%s %s cannot be read: %v", g.Noun, choice, err)})
			continue
		}
		thing.Name = choice
		inv.Things = append(inv.Things, thing)
	}
	if len(inv.Things) == 0 {
		_, err := g.thing(ctx, path, "", deps) // says what is wrong with the file as a whole
		return inv, err
	}
	return inv, nil
}

// open opens the files at a path, and calls a function with them.
func (g Guide) open(ctx context.Context, path source.Template, choice string, deps source.Deps, do func(*files) error) (err error) {
	f, err := g.New(Config{Path: path}, choice, deps)
	if err != nil {
		return err
	}
	f.(*factory).looking = true
	defer func() { err = errors.Join(err, f.Close()) }()
	src, err := f.Open(ctx, bridge.Auth{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return do(src.(*Source).files)
}

// choices asks the format what is in the first file.
func (g Guide) choices(ctx context.Context, path source.Template, deps source.Deps) (list []string, err error) {
	err = g.open(ctx, path, "", deps, func(f *files) error {
		found, _, err := f.find()
		if err != nil {
			return err
		}
		in, err := os.Open(found[0].path)
		if err != nil {
			return f.wrap(err)
		}
		defer func() { _ = in.Close() }() // only read
		list, err = g.Choices(ctx, Input{ReaderAt: in, Size: found[0].info.Size(), Name: f.label(found[0].name), Formats: deps.Formats, Unpacked: deps.Unpacked})
		return err
	})
	return list, err
}

// thing says what the records of a file, or of a choice in it, are.
func (g Guide) thing(ctx context.Context, path source.Template, choice string, deps source.Deps) (t proposal.Thing, err error) {
	err = g.open(ctx, path, choice, deps, func(f *files) error {
		o, err := f.open(ctx)
		if err != nil {
			return err
		}
		defer o.close()
		t.Rows = -1
		m := o.version.mapping
		t.ID, t.WhyID = m.id.setting(), m.id.chosen
		if m.knows && knownPhones(m.fields.Guess) {
			t.Ready, t.Score, t.Why = true, 100, "it holds phone numbers"
			if !m.id.fallback {
				t.Settings = append(t.Settings, proposal.Setting{Key: "id", Value: t.ID, Why: t.WhyID})
			}
			return nil
		}
		return sample(ctx, o, &t)
	})
	return t, err
}

// sample tells the columns with a name of their own, and reads the first records.
func sample(ctx context.Context, o *opened, t *proposal.Thing) error {
	var at []int
	for i, name := range o.version.columns {
		if name != "" && slices.Index(o.version.columns, name) == i && o.version.without(name) < 0 {
			t.Columns, at = append(t.Columns, proposal.Column{Name: name, Type: "text"}), append(at, i)
		}
	}
	c := o.cursor()
	for n := 0; ; n++ {
		err := c.next()
		if errors.Is(err, io.EOF) {
			t.Rows = int64(n)
			return nil
		}
		if err != nil {
			return o.files.wrapReading(ctx, err)
		}
		if n == sampledRecords {
			return nil
		}
		values := make([]string, len(at))
		for i, column := range at {
			if c.Fault == nil && column < len(c.Values) {
				values[i] = Text(c.Values[column])
			}
		}
		t.Samples = append(t.Samples, values)
	}
}

func knownPhones(guess record.Guess) bool {
	for _, g := range guess.Fields {
		if g.Field == record.FieldPhones {
			return true
		}
	}
	return false
}

// setting is the value of the key id that says what was found.
func (i *identity) setting() string {
	switch {
	case i.expression == nil:
		return autoID
	case i.name == autoID:
		return "`" + autoID + "`"
	}
	return i.name
}
