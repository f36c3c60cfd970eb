package carddav

import (
	"reflect"
	"strings"
	"testing"
)

// TestParseReadsManyAlike compares what is read of elements that follow each other with what is read where something stands between them.
func TestParseReadsManyAlike(t *testing.T) {
	for _, body := range []string{
		`<m xmlns="DAV:"><href>/a</href><href>/b</href><href>/c d</href></m>`,
		`<D:m xmlns:D="DAV:"><D:prop><D:getetag/></D:prop><D:href>/a</D:href ><D:href>/b</D:href ><D:href>/c</D:href></D:m>`,
		`<m><b>x</b><c/><b><c/>text</b><c/></m>`,
		`<m><b>x</b><b>a&amp;b</b><b>a]]b</b><b><i>deep</i></b><b>z</b></m>`,
		`<m><b>x</b><b>y</b></m><m>second</m>`,
		`<m><b>x</b><b>y`,
		"<m><b>x</b><b>\xff</b></m>",
		`<m><b k="v">x</b><b>y</b></m>`,
	} {
		got, err := parse(strings.NewReader(body))
		want, wantErr := parse(strings.NewReader(strings.ReplaceAll(body, "><", "><?x y?><")))
		if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%s is read as %+v, %v; want %+v, %v", body, got, err, want, wantErr)
		}
	}
	many := "<m>" + strings.Repeat("<b>x</b>", mostNodes+1) + "</m>"
	if _, err := parse(strings.NewReader(many)); err == nil {
		t.Error("a body with too many elements is read")
	}
}
