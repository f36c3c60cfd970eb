package csv

import (
	"fmt"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// Config is the configuration of kind csv. Names of columns are those of the file's first row.
type Config struct {
	Path          source.Template `yaml:"path" digest:"-" jsonschema:"required" jsonschema_description:"The file. {{auth.name}} may stand in it: a file for each caller."`
	Delimiter     string          `yaml:"delimiter" jsonschema_description:"What stands between two columns: one character, or tab. Default: what the first row has most of, among comma, semicolon, tab and |."`
	Encoding      string          `yaml:"encoding" jsonschema:"enum=utf-8,enum=utf-16,enum=windows-1252" jsonschema_description:"Default: what the file's byte order mark says, utf-16 where every second byte is zero, else utf-8."`
	ID            string          `yaml:"id" jsonschema_description:"The column of the contact's id, or auto: ids are made of name, first e-mail address and first number, and a contact of which one of them changes is a new one. A column of that name is written in backticks. Default: the column with a usual name, else the e-mail address if every row has its own, else auto; preview says which. With updated it must be given."`
	Updated       string          `yaml:"updated" jsonschema_description:"The column of the time of the contact's last change. Without it every new version of the file is sent whole."`
	UpdatedLayout string          `yaml:"updated_layout" jsonschema_description:"How updated is written, such as 02.01.2006 15:04:05 (Monday, 2 January 2006, 15:04:05 stands for any time), unix or unix_ms. Default: ISO 8601 in its usual forms, or a Unix time."`
	TimeZone      string          `yaml:"time_zone" jsonschema_description:"The zone of an updated that names none, such as Europe/Berlin. Default: unknown."`
	Overlap       time.Duration   `yaml:"overlap" digest:"-" jsonschema_description:"How long before its time of modification the file may have been written. Default: 5m."`
	Deleted       string          `yaml:"deleted" jsonschema_description:"The column that says that the contact is gone: anything but empty, 0, false, f, n, no, off, none and null."`
	Fields        record.Fields   `yaml:"fields" jsonschema_description:"The columns of the contact's fields. Default: the columns with the usual names."`
}

// The values of encoding.
const (
	utf8Encoding    = "utf-8"
	utf16Encoding   = "utf-16"
	windowsEncoding = "windows-1252"
)

// New makes the factory of one endpoint. It opens no file.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	if cfg.Overlap == 0 {
		cfg.Overlap = 5 * time.Minute
	}
	settings, err := cfg.check()
	if err != nil {
		return nil, err
	}
	return newFactory(cfg, settings, deps.Defaults()), nil
}

// settings are what a configuration's texts mean.
type settings struct {
	delimiter byte           // 0 means that the first row decides
	zone      *time.Location // nil means unknown
	layout    layout
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// reads returns the part of the configuration that its checkpoints belong to, without the file (D10).
func (c Config) reads(s settings) source.Settings {
	if c.Encoding == utf8Encoding {
		c.Encoding = ""
	}
	if s.delimiter != 0 {
		c.Delimiter = string(rune(s.delimiter))
	}
	return source.SettingsOf("csv", revision, c)
}

// check reads the configuration's texts and finds every problem at once.
func (c Config) check() (settings, error) {
	var s settings
	var errs source.ConfigErrors
	errs.If(c.Path.String() == "", "path", "path is missing", "Name the CSV file.")
	errs.If(c.ID == "" && (c.Updated != "" || c.UpdatedLayout != "" || c.TimeZone != ""), "id", "id is missing",
		"Name the column that identifies a contact, or write auto: with updated it is not chosen by what is in the file.")
	errs.If(c.Overlap < 0, "overlap", "overlap is negative", "Write a duration such as 5m.")
	switch c.Encoding {
	case "", utf8Encoding, utf16Encoding, windowsEncoding:
	default:
		errs.If(true, "encoding", fmt.Sprintf("encoding cannot be %q", c.Encoding), fmt.Sprintf("Choose one of: %s, %s, %s.", utf8Encoding, utf16Encoding, windowsEncoding))
	}
	var err error
	s.delimiter, err = parseDelimiter(c.Delimiter)
	errs.Add(err)
	if c.TimeZone != "" {
		s.zone, err = time.LoadLocation(c.TimeZone)
		errs.If(err != nil || c.TimeZone == "Local", "time_zone", fmt.Sprintf("time_zone %q is unknown", c.TimeZone), "Write a name such as Europe/Berlin or UTC.")
	}
	s.layout, err = parseLayout(c.UpdatedLayout)
	errs.Add(err)
	errs.If(c.Updated == "" && (c.UpdatedLayout != "" || c.TimeZone != ""), "updated", "updated is missing: without it updated_layout and time_zone have no meaning",
		"Name the column of the time of the last change, or leave them out.")
	return s, errs.Err()
}

func parseDelimiter(text string) (byte, error) {
	switch {
	case text == "":
		return 0, nil
	case strings.EqualFold(text, "tab"), text == `\t`:
		return '\t', nil
	case len(text) != 1 || text[0] >= 0x80 || strings.Contains("\"\r\n\x00", text):
		return 0, &source.ConfigError{Key: "delimiter", Message: fmt.Sprintf("delimiter cannot be %q", text), Hint: "Write one ASCII character, or tab."}
	}
	return text[0], nil
}
