package xlsx

import (
	"encoding/xml"
	"fmt"
	"path"
	"strings"

	"github.com/contactbridge/contactbridge/source/file"
)

// A workbook is what the parts around the sheets say.
type workbook struct {
	sheets       []sheet
	date1904     bool
	uncalculated bool // its writer asks Excel to calculate all formulas
	looks        []*look
	texts        texts
}

// A sheet is one sheet of rows.
type sheet struct {
	Name   string
	hidden bool
	part   string
}

// The parts of a workbook, as far as they are read. Names are matched in any namespace: strict documents have others.
type (
	relationships struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Type   string `xml:"Type,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	workbookPart struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Calculation struct {
			Full string `xml:"fullCalcOnLoad,attr"`
		} `xml:"calcPr"`
		Sheets []struct {
			Name  string `xml:"name,attr"`
			State string `xml:"state,attr"`
			ID    string `xml:"id,attr"`
		} `xml:"sheets>sheet"`
	}
	stylesPart struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
)

func readWorkbook(a *archive) (*workbook, error) {
	main, err := a.related("", "_rels/.rels")
	if err != nil {
		return nil, err
	}
	root := main.ofType("/officeDocument")
	if root == "" {
		return nil, file.Broken(a.name+" is a ZIP archive without a workbook in it", "Unpack it, and set path to what is in it.")
	}
	related, err := a.related(path.Dir(root), path.Join(path.Dir(root), "_rels", path.Base(root)+".rels"))
	if err != nil {
		return nil, err
	}
	var p workbookPart
	if err := a.decode(root, &p); err != nil {
		return nil, err
	}
	b := &workbook{date1904: isTrue(p.Properties.Date1904), uncalculated: isTrue(p.Calculation.Full)}
	for _, s := range p.Sheets {
		if to := related[s.ID]; strings.HasSuffix(to.kind, "/worksheet") { // others are charts and dialogs
			b.sheets = append(b.sheets, sheet{Name: s.Name, hidden: s.State == "hidden" || s.State == "veryHidden", part: to.part})
		}
	}
	if err := b.readLooks(a, related.ofType("/styles")); err != nil {
		return nil, err
	}
	return b, b.texts.read(a, related.ofType("/sharedStrings"))
}

func isTrue(attribute string) bool { return attribute == "1" || attribute == "true" }

// relations are where the parts are that another one refers to, by their ids.
type relations map[string]struct{ kind, part string }

// related reads the relationships of a part in a folder.
func (a *archive) related(folder, name string) (relations, error) {
	var r relationships
	if err := a.decode(name, &r); err != nil {
		return nil, err
	}
	list := relations{}
	for _, to := range r.List {
		part := to.Target
		if !strings.HasPrefix(part, "/") {
			part = path.Join(folder, part)
		}
		list[to.ID] = struct{ kind, part string }{to.Type, partName(part)}
	}
	return list, nil
}

// ofType is the part that is related in a way, or "".
func (r relations) ofType(suffix string) string {
	for _, to := range r {
		if strings.HasSuffix(to.kind, suffix) {
			return to.part
		}
	}
	return ""
}

// candidates are the sheets that may be the configured one, "" for the first visible one with data.
func (b *workbook) candidates(name string) ([]sheet, error) {
	var visible []sheet
	for _, s := range b.sheets {
		if name != "" && strings.EqualFold(strings.TrimSpace(s.Name), name) {
			return []sheet{s}, nil
		}
		if !s.hidden {
			visible = append(visible, s)
		}
	}
	if name != "" {
		return nil, file.Broken(fmt.Sprintf("the workbook has no sheet %q", name), "Set sheet to one that it has: "+b.sheetNames()+".")
	}
	return visible, nil
}

// sheetNames lists all sheets for people.
func (b *workbook) sheetNames() string { return b.otherSheets(sheet{}) }

// otherSheets lists the sheets but one for people.
func (b *workbook) otherSheets(than sheet) string {
	var names []string
	for _, s := range b.sheets {
		switch {
		case s == than:
		case s.hidden:
			names = append(names, fmt.Sprintf("%q (hidden)", s.Name))
		default:
			names = append(names, fmt.Sprintf("%q", s.Name))
		}
	}
	return strings.Join(names, ", ")
}

// readLooks reads which number format each style of cells has.
func (b *workbook) readLooks(a *archive, name string) error {
	if name == "" {
		return nil
	}
	var p stylesPart
	if err := a.decode(name, &p); err != nil {
		return err
	}
	codes := map[int]string{}
	for _, f := range p.Formats {
		codes[f.ID] = f.Code
	}
	looks := map[int]*look{}
	for _, cell := range p.Cells {
		if looks[cell.Format] == nil {
			code, own := codes[cell.Format]
			if !own {
				code = builtIn[cell.Format]
			}
			looks[cell.Format] = newLook(code)
		}
		b.looks = append(b.looks, looks[cell.Format])
	}
	return nil
}

// texts are the texts that cells share, one after the other.
type texts struct {
	all  []byte
	ends []uint32
}

// mostTexts is how many bytes of texts may be in a workbook. They are in memory while it is read.
const mostTexts = 512 << 20

// get returns the text of a number; ok is false where there is none.
func (t *texts) get(number int) (text []byte, ok bool) {
	if number < 0 || number >= len(t.ends) {
		return nil, false
	}
	start := uint32(0)
	if number > 0 {
		start = t.ends[number-1]
	}
	return t.all[start:t.ends[number]], true
}

func (t *texts) read(a *archive, name string) error {
	if name == "" || a.parts[name] == nil {
		return nil
	}
	x, err := a.openXML(name, a.most(mostOfTexts))
	if err != nil {
		return err
	}
	defer x.part.Close()
	for {
		token, err := x.next()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local != "si" {
				continue
			}
			if t.all, err = x.appendRichText(t.all, "si"); err != nil {
				return err
			}
			if len(t.all) > mostTexts {
				return a.damaged(errTooLarge)
			}
			t.ends = append(t.ends, uint32(len(t.all)))
		case xml.EndElement:
			if token.Name.Local == "sst" {
				return nil
			}
		}
	}
}

// appendRichText appends the text of the element that was begun, without its formatting and without reading aids (rPh).
func (x *xmlReader) appendRichText(to []byte, element string) ([]byte, error) {
	inText, inAid := false, false
	start := len(to)
	for {
		token, err := x.next()
		if err != nil {
			return to, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = inText || token.Name.Local == "t"
			inAid = inAid || token.Name.Local == "rPh"
		case xml.CharData:
			if inText && !inAid {
				to = append(to, token...)
			}
		case xml.EndElement:
			switch token.Name.Local {
			case "t":
				inText = false
			case "rPh":
				inAid = false
			case element:
				return unescape(to, start), nil
			}
		}
		if len(to)-start > mostOfToken {
			return to, x.part.archive.damaged(errTooLarge)
		}
	}
}
