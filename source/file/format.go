package file

import (
	"context"
	"io"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Format reads the files of one kind, such as CSV. It knows columns and records. Paths, folders, versions, checkpoints,
// positions, the order of updated, ids that are made, the fields of a contact, errors of the file system and what preview says
// of all that are the engine's: see [New].
//
// A format is used by many goroutines at once. What it returns depends on its configuration and the content of the file
// and on nothing else: each replica of a bridge reads a file on its own, and a page that one began another one goes on with.
type Format interface {
	// Traits says what messages call the format, and which files of a folder are its own.
	Traits() Traits

	// Open reads as much of a file as it takes to know its columns. Most formats read the beginning; where every record
	// may have columns of its own (JSON), that is the whole file: the engine has that done once for each version of it, in
	// the background, however long it takes. It looks at ctx every few thousand records.
	//
	// A file that cannot be served is an error made by [Broken]. An error of reading in is returned as it is, or wrapped. No
	// record that is broken makes Open fail.
	Open(ctx context.Context, in Input) (Table, error)
}

// Traits holds what the engine must know about a format.
type Traits struct {
	// Name names the content in messages: "CSV", "vCard".
	Name string
	// Extensions are the endings of the files that are taken from a folder, in lower case with their dots. In a path or a pattern
	// that names files, any ending is good.
	Extensions []string
	// Record names a record in messages: "row", "card". Its plural ends in s.
	Record string
	// Unit names what [Place.Line] counts, in messages: "line", "row".
	Unit string
	// Lists says that values which are JSON arrays or objects are lists and objects, as those of a property that may be
	// repeated. Otherwise they are so in expressions and in the fields that are lists, and texts in others.
	Lists bool
	// Nested says that values may be objects, and that a column a.b is a value in the objects of a column a. A column that the
	// configuration names then holds these objects whole.
	Nested bool
}

// An Input is the content of one file. It does not change while it is read; if the file does, the engine notices.
type Input struct {
	io.ReaderAt
	Size int64
	// Name names the file in messages. It holds no credential.
	Name string
	// Wanted lists the columns that the configuration names, so that a header can be told from other rows. An
	// expression of fields that is more than a name is in it as it is written, so it is no list of columns to return: a column of the
	// name of an expression would hide it. Empty where fields are left out.
	Wanted []string
	// Formats are those of other kinds, for [source.FormatOf].
	Formats []source.Format
	// Unpacked is the most, in bytes, that a part of an archive may unpack to; 0 leaves that to the format.
	Unpacked int64
}

// Most returns how much a part of an archive may unpack to, where the format can read so many bytes.
func (in Input) Most(bytes int64) int64 {
	if in.Unpacked > 0 {
		return min(bytes, in.Unpacked)
	}
	return bytes
}

// A Table describes the records of a file, as its beginning shows them. The engine keeps it as long as it knows the version of
// the file: it is small, and holds nothing open. A table may implement [Mapper].
type Table interface {
	// Columns lists the names of the columns in the order of [Record.Values]. A name may be empty, and may be there more than
	// once: then it cannot be configured, and is left alone. None at all says that the file holds no record: then it is an empty
	// export, whatever columns are configured.
	Columns() []string

	// Describe says for preview what the format is like in this file: "utf-8, 5 columns separated by \";\"". problems lists
	// what a user should know about the file as a whole, such as an encoding that was guessed; usually nil.
	Describe() (what string, problems []source.Problem)

	// Records reads the records of in, which has the content that the table was opened for, from the first one on. The
	// reader is used by one goroutine. If the readers of a format implement [Seeker], the engine begins to read wherever a
	// page begins. If they do not, the engine reads the records once for each version of the file into a temporary file of
	// its own (a spool), and takes them from there: the table is then dropped when that is done, with whatever it keeps in
	// memory. A reader that implements [io.Closer] is closed.
	Records(in Input) (Records, error)
}

// A Mapper is a [Table] that knows what its columns mean, as a vCard's do. Without it the columns' names are looked at:
// see [record.Usual].
type Mapper interface {
	// Usual names the columns of a contact's fields, taken where the configuration leaves fields out. Where it has an ID,
	// and the configuration leaves id out, records without a value there get an id that is made (auto).
	Usual() record.Guess
}

// A Truther is a [Table] with truth values, which are no texts: JSON's true and false.
type Truther interface {
	// Truths says of each column whether its values true and false are truth values: see [record.Compiler].
	Truths() []bool
}

// A Chooser is a [Table] that reads a part of its file, such as a sheet of a workbook.
type Chooser interface {
	// Others says as a hint what other parts there are, and how one of them is chosen; empty where there is none, or where the
	// configuration names the part.
	Others() string
}

// Records reads a file record by record.
type Records interface {
	// Next reads the next record into r, and may use the memory of r again. It forgives what can be understood in one way only. A
	// record that cannot be read has a Fault; it costs no other record if that can be helped. What is not a record (an empty
	// line) is passed over.
	//
	// The error is io.EOF at the end of the file, or one of reading the input. [io.ErrUnexpectedEOF] is not an end: a file
	// that is cut off is broken (T11), or its last record has a Fault.
	Next(r *Record) error
}

// A Seeker is a reader of [Records] that can begin anywhere.
type Seeker interface {
	// Seek makes the record at a place the next one. The place is the [Record.End] of a record that this format has read in
	// the same content, with Uncut false, or a record's Start. From there on the same records are read as from the front. The zero
	// Place is the first record.
	Seek(at Place)
}

// A Place is where a record starts or ends.
type Place struct {
	// Offset is a number that grows along the file and is at most its size: the offset of a byte, or of a row.
	// Readers that are not a [Seeker] leave it out.
	Offset int64
	// Line is the number of the line, row or card for people, from 1 on; 0 if unknown.
	Line int
}

// A Record is one record of a file.
type Record struct {
	// Values are the texts of the columns as UTF-8, or what should have been: the engine trims white space, and replaces what
	// is invalid. nil is an empty one, and what is missing at the end is empty too. Several values of one column, such as the
	// numbers of a vCard, are a JSON array of texts. Valid until the next call of Next.
	Values [][]byte
	// Bare says of each value whether it is a number or a truth value of JSON rather than a text; nil where none is: see
	// [record.Row]. Valid as long as Values.
	Bare []bool
	// Clean says that all values are valid UTF-8 without zero bytes, so that the engine need not look at each.
	Clean bool
	// Start and End are where the record starts, and where the next one does. They grow from one record to the next.
	Start, End Place
	// Uncut says that reading cannot begin at End, because what follows is read with this record in mind.
	Uncut bool
	// Fault says what is wrong with a record that cannot be read; nil for all others. Its Values are not looked at. While such a
	// record is there no contact is taken for gone (D8).
	Fault *Flaw
	// Reason is the Fault of this very record as a clause: "it has 5 cells, where the first row has 4". It becomes
	// "line 12 of b.csv cannot be read: it has 5 cells…".
	Reason string
	// Remark is a note for preview about a record that can be read; usually nil.
	Remark *Flaw
}

// A Flaw is something that records of a format may have. Formats keep one variable for each.
type Flaw struct {
	// Code is stable, for programs: "unclosed".
	Code string
	// Says describes the records, in the plural, beginning with "have", "are" or "hold": "have a quote that is not closed".
	Says string
	// Hint says what to do about it; empty for a remark that needs nothing.
	Hint string
}

// Broken returns the error of a file that cannot be served as it is. The message begins with the name of the file or with
// what is wrong, the hint says what to do.
func Broken(message, hint string) error {
	return &bridge.Error{Code: bridge.CodeSourceBroken, Message: message, Hint: hint}
}
