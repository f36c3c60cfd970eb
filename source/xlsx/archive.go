package xlsx

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"golang.org/x/net/html/charset"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Bounds of what an archive unpacks to, in bytes.
const (
	mostOfSheet = 8 << 30 // a million rows of fifty columns
	mostOfTexts = 2 << 30 // the XML of the shared texts
	mostOfPart  = 64 << 20
	mostOfToken = 8 << 20 // one element or text: a cell has at most 32,767 characters
)

// An archive is an open workbook.
type archive struct {
	ctx   context.Context
	name  string
	in    *watched
	most  func(int64) int64    // see [file.Input.Most]
	parts map[string]*zip.File // by their names in lower case, without a slash at the front
}

// A watched input remembers its first error, so that a file that cannot be read is told from one with the wrong content.
type watched struct {
	io.ReaderAt
	err error
}

func (w *watched) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 { // a damaged archive says that a part is there
		return 0, zip.ErrFormat
	}
	n, err := w.ReaderAt.ReadAt(p, offset)
	if err != nil && !errors.Is(err, io.EOF) && w.err == nil {
		w.err = err
	}
	return n, err
}

func openArchive(ctx context.Context, in file.Input) (*archive, error) {
	a := &archive{ctx: ctx, name: in.Name, in: &watched{ReaderAt: in}, most: in.Most, parts: map[string]*zip.File{}}
	head := make([]byte, source.FormatBytes)
	n, err := a.in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if head = head[:n]; !bytes.HasPrefix(head, []byte("PK")) {
		return nil, a.otherFormat(head, in.Size, in.Formats)
	}
	z, err := zip.NewReader(a.in, in.Size)
	if err != nil {
		return nil, a.damaged(err)
	}
	for _, part := range z.File {
		a.parts[partName(part.Name)] = part
	}
	return a, a.notAnotherArchive()
}

// partName is the name of a part as it is looked up: names differ by case in no two parts, and some programs write \ for /.
func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/"))
}

// damaged is the error of a content that cannot be read, or the one that kept it from being read.
func (a *archive) damaged(err error) error {
	switch {
	case a.in.err != nil:
		return a.in.err
	case a.ctx.Err() != nil:
		return a.ctx.Err()
	case errors.Is(err, errTooLarge):
		return file.Broken(a.name+" unpacks to more than a workbook of contacts may", "Remove pictures, notes and sheets that hold no contacts, or split it.")
	}
	return file.Broken(fmt.Sprintf("%s is damaged or cut off: %v", a.name, err), "Open it in its program and save it again, or copy it again. Put it in place by renaming a complete file.")
}

// otherFormat is the error of a file that is no archive.
func (a *archive) otherFormat(head []byte, size int64, formats []source.Format) error {
	if bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) {
		encrypted, err := a.contains(utf16("EncryptedPackage"), size)
		switch {
		case err != nil:
			return err
		case encrypted:
			return file.Broken(a.name+" is encrypted with a password", "Remove the password in Excel (File, Info, Protect Workbook) and save it again.")
		}
		return file.Broken(a.name+" is an old Excel workbook (.xls)", "Save it as Excel workbook (.xlsx) in Excel or LibreOffice.")
	}
	if size == 0 {
		return file.Broken(a.name+" is empty", "Put it in place by renaming a complete file.")
	}
	if f, ok := source.FormatOf(head, formats); ok {
		return file.Broken(fmt.Sprintf("%s is no Excel workbook but %s", a.name, f.Name), f.Hint)
	}
	return file.Broken(a.name+" is no Excel workbook (.xlsx) but a text", "If its columns are separated by commas or semicolons, set kind to csv.")
}

func utf16(text string) []byte {
	var b []byte
	for _, c := range []byte(text) {
		b = append(b, c, 0)
	}
	return b
}

// contains reports whether some bytes are in the file.
func (a *archive) contains(what []byte, size int64) (bool, error) {
	chunk := make([]byte, 64<<10)
	for offset := int64(0); offset < size; offset += int64(len(chunk) - len(what)) {
		n, err := a.in.ReadAt(chunk, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if bytes.Contains(chunk[:n], what) {
			return true, a.ctx.Err()
		}
	}
	return false, a.ctx.Err()
}

// notAnotherArchive returns an error for archives that are not of this kind.
func (a *archive) notAnotherArchive() error {
	has := func(name string) bool { return a.parts[name] != nil }
	const saveAs = "Save it as Excel workbook (.xlsx) in its program."
	switch {
	case has("xl/workbook.bin"):
		return file.Broken(a.name+" is a binary Excel workbook (.xlsb)", saveAs)
	case has("index/document.iwa"), has("index.zip"):
		return file.Broken(a.name+" is a document of Apple Numbers or another Apple program", "Export it as Excel workbook (.xlsx) in its program.")
	case has("mimetype") && has("content.xml"):
		return file.Broken(a.name+" is an OpenDocument sheet (.ods) or another OpenDocument file", saveAs)
	case has("word/document.xml"), has("ppt/presentation.xml"):
		return file.Broken(a.name+" is a document of Word or PowerPoint", "Set path to a workbook.")
	case !has("_rels/.rels"):
		return file.Broken(a.name+" is a ZIP archive without a workbook in it", "Unpack it, and set path to what is in it.")
	}
	return nil
}

// open opens a part. The reader fails with errTooLarge after most bytes.
func (a *archive) open(name string, most int64) (*part, error) {
	z := a.parts[partName(name)]
	if z == nil {
		return nil, a.damaged(fmt.Errorf("it has no part %s", name))
	}
	if z.Flags&1 != 0 {
		return nil, file.Broken(a.name+" is encrypted with a password", "Save it without one.")
	}
	body, err := z.Open()
	if err != nil {
		return nil, a.damaged(err)
	}
	return &part{archive: a, body: body, left: most}, nil
}

// A part is the content of one part of an archive while it is read.
type part struct {
	archive *archive
	body    io.ReadCloser
	left    int64 // how many bytes may come yet
	token   int64 // how many came since the last token; tokens are counted by an xmlReader
}

var errTooLarge = errors.New("it unpacks to too much")

// Read implements [io.Reader].
func (p *part) Read(b []byte) (int, error) {
	if err := p.archive.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.body.Read(b)
	p.left -= int64(n)
	p.token += int64(n)
	if p.left < 0 || p.token > mostOfToken {
		return 0, errTooLarge
	}
	return n, err
}

func (p *part) Close() error { return p.body.Close() }

// An xmlReader reads the tokens of a part.
type xmlReader struct {
	part    *part
	decoder *xml.Decoder
}

func (a *archive) openXML(name string, most int64) (*xmlReader, error) {
	p, err := a.open(name, most)
	if err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bufio.NewReaderSize(p, 64<<10))
	d.CharsetReader = charset.NewReaderLabel
	return &xmlReader{part: p, decoder: d}, nil
}

// next returns the next token, valid until the following one. The error is an operator's; a part that ends is cut off, since its
// readers stop at the end of its first element.
func (x *xmlReader) next() (xml.Token, error) {
	x.part.token = 0
	token, err := x.decoder.RawToken()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, x.part.archive.damaged(err)
	}
	return token, nil
}

// decode reads a small part into a struct. A part of another name than wanted counts as empty if it is not there.
func (a *archive) decode(name string, into any) error {
	p, err := a.open(name, a.most(mostOfPart))
	if err != nil {
		return err
	}
	defer p.Close()
	p.token = mostOfToken - mostOfPart // such a part is decoded at once
	d := xml.NewDecoder(p)
	d.CharsetReader = charset.NewReaderLabel
	if err := d.Decode(into); err != nil {
		return a.damaged(fmt.Errorf("%s: %w", name, err))
	}
	return nil
}
