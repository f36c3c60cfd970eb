package csv

import (
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Config is the configuration of kind csv. Names of columns are those of the header.
type Config struct {
	file.Config `yaml:",inline"`
	Delimiter   string `yaml:"delimiter" jsonschema_description:"What stands between two columns: one character, or tab. Default: what a first line such as sep=; says, else whichever of comma, semicolon, tab and | makes the most of the first rows."`
	Quote       string `yaml:"quote" jsonschema_description:"What stands around a value that holds the delimiter or a line break: one character. Default: the double quote, or the single one where it is around every column's name."`
	Encoding    string `yaml:"encoding" jsonschema:"enum=utf-8,enum=utf-16,enum=windows-1252,enum=iso-8859-15" jsonschema_description:"How bytes make characters. A byte order mark at the beginning of the file counts more. Default: utf-16 where every other byte of many is zero, utf-8 where all of the file is that, else windows-1252, or iso-8859-15 where its signs make more sense; preview says which."`
}

// The values of encoding.
const (
	utf8Name    = "utf-8"
	utf16Name   = "utf-16"
	windowsName = "windows-1252"
	latin9Name  = "iso-8859-15"
)

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 3

// reads returns the part of the configuration that its checkpoints belong to (D10).
func (c Config) reads(d dialect) source.Settings {
	if d.delimiter != 0 {
		c.Delimiter = string(rune(d.delimiter))
	}
	return source.SettingsOf("csv", revision, c)
}

// dialect reads the texts that say how the files are written. What is left open is found in each file.
func (c Config) dialect() (dialect, error) {
	var d dialect
	var problems source.ConfigErrors
	var ok bool
	d.delimiter, ok = sign(c.Delimiter)
	problems.If(!ok, "delimiter", fmt.Sprintf("delimiter cannot be %q", c.Delimiter), "Set delimiter to one ASCII character, or to tab.")
	d.quote, ok = sign(c.Quote)
	problems.If(!ok || d.quote != 0 && d.quote == d.delimiter, "quote", fmt.Sprintf("quote cannot be %q", c.Quote), "Set quote to one ASCII character other than the delimiter.")
	d.encoding, ok = encodings[c.Encoding]
	problems.If(!ok, "encoding", fmt.Sprintf("encoding cannot be %q", c.Encoding),
		fmt.Sprintf("Set encoding to %s, %s, %s or %s, or leave it out.", utf8Name, utf16Name, windowsName, latin9Name))
	return d, problems.Err()
}

// sign reads a character that separates; 0 where the text is empty.
func sign(text string) (sign byte, ok bool) {
	switch {
	case text == "":
		return 0, true
	case strings.EqualFold(text, "tab"), text == `\t`:
		return '\t', true
	}
	return text[0], len(text) == 1 && text[0] < 0x80 && !strings.Contains("\r\n\x00", text)
}
