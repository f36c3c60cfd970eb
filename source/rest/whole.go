package rest

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Some services tell of a change only what has changed: a key that such a record lacks says nothing, and one whose value is null or empty was
// cleared. A contact is made of a whole record, which is asked for by its id (whole).

// told lists the paths of which a whole record has each key; none where the language has no request for whole records.
func (l *Language) told() []string {
	if l.Whole.IsZero() {
		return nil
	}
	texts := []string{l.Keep, l.Merged, l.Updated.Path}
	for _, m := range l.Fields.Mapped() {
		texts = append(texts, m.From)
	}
	return file.Names(slices.DeleteFunc(texts, func(text string) bool { return text == "" }))
}

// isPart reports whether a record lacks a key that a whole one has.
func (f *factory) isPart(element []byte) bool {
	if len(f.told) == 0 {
		return false
	}
	keys := keysIn(element)
	return slices.ContainsFunc(f.told, func(path string) bool {
		return !slices.ContainsFunc(keys, func(key string) bool { return path == key || strings.HasPrefix(path, key+".") })
	})
}

// keysIn lists the keys of an object.
func keysIn(object []byte) []string {
	d := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return nil
	}
	var keys []string
	for _, err := d.ReadToken(); err == nil && d.PeekKind() == '"'; err = d.SkipValue() {
		var token jsontext.Token
		if token, err = d.ReadToken(); err != nil {
			break
		}
		keys = append(keys, token.String())
	}
	return keys
}

// completed returns a record as it is now, where what came of it is a part. One that is deleted has no more parts.
func (w *walk) completed(i item) (item, error) {
	if !i.isPart || i.id == "" || w.at.segment.isGone() {
		return i, nil
	}
	if deleted := w.f.mapping.deleted; deleted != nil {
		w.row.Bare = i.bare
		if text, err := deleted.Text(&w.row, i.values); err != nil || source.IsGone(text) {
			return i, nil //nolint:nilerr // it is told when the record is shown
		}
	}
	a, err := w.client.ask(w.ctx, call{request: &w.l.Whole, values: scope{"id": i.id, "columns": w.l.paths()}, mayMiss: true})
	if err != nil {
		return i, err
	}
	if i.isGone = a.status == http.StatusNotFound; i.isGone { // it was deleted since its change was told
		return i, nil
	}
	if !isObject(a.body) {
		e := &bridge.Error{
			Code: bridge.CodeSourceBroken, Status: a.status, Message: "the answer of " + w.f.title() + " to the request for one record is no record",
			Hint: "The API may have changed. Compare the answer to whole with its documentation.",
		}
		w.client.explain(a, e)
		return i, e
	}
	got := w.client.items(a, [][]byte{a.body}, w.f.asks("changes"))[0]
	if got.fault == "" && got.id != i.id {
		got.fault = "the service gave another record than it was asked for"
	}
	got.id = i.id
	return got, nil
}
