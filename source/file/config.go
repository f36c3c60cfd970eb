package file

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// Config is the part of a configuration that all formats share. A format's own configuration has it inline.
type Config struct {
	Path          source.Template `yaml:"path" digest:"-" jsonschema:"required" hint:"Set path to the file, the folder or the pattern to read." jsonschema_description:"The file, a folder (its files with the endings of the format are read as one table), or a pattern such as exports/2026-*, with * ? [a-z] {a,b} and ** for folders at any depth. {{auth.name}} may stand in it: a file for each caller. In a hub, upload:NAME is an uploaded file."`
	ID            string          `yaml:"id" jsonschema_description:"The column of the contact's id, or an expression, or auto: ids are made of name, first e-mail address and first number, and a contact of which one of them changes is a new one. A column of that name is written in backticks. Default: the column with a usual name, else the e-mail address if every record has its own, else auto; preview says which. With updated it must be given."`
	Updated       string          `yaml:"updated" jsonschema_description:"The column of the time of the contact's last change. Without it every new version of the files is sent whole."`
	UpdatedLayout string          `yaml:"updated_layout" jsonschema_description:"How updated is written, such as 02.01.2006 15:04:05 (Monday, 2 January 2006, 15:04:05 stands for any time), unix or unix_ms. Default: ISO 8601 in its usual forms, or a Unix time."`
	TimeZone      string          `yaml:"time_zone" jsonschema_description:"The zone of an updated that names none, such as Europe/Berlin. Default: unknown."`
	Overlap       time.Duration   `yaml:"overlap" digest:"-" jsonschema_description:"How long before its time of modification a file may have been written. Default: 5m."`
	Deleted       string          `yaml:"deleted" jsonschema_description:"The column that says that the contact is gone: anything but empty, 0, false, f, n, no, off, none and null."`
	Fields        record.Fields   `yaml:"fields" jsonschema_description:"The columns of the contact's fields, or expressions over them. Default: the columns with the usual names."`
}

// defaultOverlap is the value of overlap where none is set.
const defaultOverlap = 5 * time.Minute

// settings holds the parsed texts of a configuration.
type settings struct {
	zone   *time.Location // nil means unknown
	layout layout
}

// check reads the configuration's texts and finds every problem at once.
func (c Config) check() (settings, error) {
	var s settings
	var problems source.ConfigErrors
	problems.If(c.Path.String() == "", "path", "path is missing", "Set path to the file, the folder or the pattern to read.")
	problems.If(c.ID == "" && (c.Updated != "" || c.UpdatedLayout != "" || c.TimeZone != ""), "id", "id is missing",
		"Set id to the column that identifies a contact, or to auto. With updated it is not chosen by what is in the file.")
	problems.If(c.Overlap < 0, "overlap", "overlap is negative", "Set overlap to a duration such as 5m.")
	var err error
	if c.TimeZone != "" {
		s.zone, err = time.LoadLocation(c.TimeZone)
		problems.If(err != nil || c.TimeZone == "Local", "time_zone", fmt.Sprintf("time_zone %q is unknown", c.TimeZone),
			"Set time_zone to a name such as Europe/Berlin or UTC.")
	}
	s.layout, err = parseLayout(c.UpdatedLayout)
	problems.Add(err)
	problems.If(c.Updated == "" && c.UpdatedLayout != "", "updated_layout", "updated_layout has no meaning without updated", "Set updated, or remove updated_layout.")
	problems.If(c.Updated == "" && c.TimeZone != "", "time_zone", "time_zone has no meaning without updated", "Set updated, or remove time_zone.")
	for _, mistake := range record.FieldErrors(c.checkTexts()) {
		problems.Add(&source.ConfigError{Key: mistake.Path, Message: mistake.Path + ": " + mistake.Message, Hint: mistake.Hint, Err: mistake})
	}
	return s, problems.Err()
}

// checkTexts finds the mistakes of expressions that show before the columns are known.
func (c Config) checkTexts() error {
	var compiler record.Compiler
	return errors.Join(
		compiler.CheckText("id", c.ID), compiler.CheckText("updated", c.Updated), compiler.CheckText("deleted", c.Deleted), compiler.Check(c.Fields))
}

// Uploaded is the [source.Kind.Untrusted] of a format: only uploaded files are read.
func (c Config) Uploaded() error {
	path := c.Path.String()
	if strings.HasPrefix(path, source.UploadPrefix) && len(c.Path.Names()) == 0 {
		return nil
	}
	return &source.ConfigError{
		Key: "path", Message: "path names a file of this machine: only the operator's own configuration file may do that",
		Hint: "Upload the file, and write its name behind " + source.UploadPrefix + " , such as upload:customers.csv .",
	}
}

// autoID is the value of id that has ids made. A column of that name is written with backticks.
const autoID = "auto"

// wanted lists the columns that the configuration names, for [Input].
func (c Config) wanted() []string {
	var list []string
	for _, text := range []string{c.ID, c.Updated, c.Deleted} {
		if text != autoID {
			list = appendWanted(list, text)
		}
	}
	return append(list, Wanted(c.Fields)...)
}

// Wanted lists the columns that fields name, as [Input.Wanted] does.
func Wanted(fields record.Fields) []string {
	var list []string
	for _, m := range fields.Mapped() {
		list = appendWanted(list, m.From)
	}
	return list
}

func appendWanted(list []string, text string) []string {
	if text == "" {
		return list
	}
	list = append(list, text)
	for _, name := range quotedName.FindAllStringSubmatch(text, -1) {
		list = append(list, name[1]+name[2])
	}
	return list
}

// quotedName finds the names in an expression that stand in backticks or brackets.
var quotedName = regexp.MustCompile("`([^`]+)`|\\[([^\\]\"]+)\\]")
