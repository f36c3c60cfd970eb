package source_test

import (
	"path/filepath"
	"testing"

	"github.com/contactbridge/contactbridge/source"
)

func TestZeroDepsWork(t *testing.T) {
	d := source.Deps{}.Defaults()
	if d.Logger == nil || d.Clock == nil {
		t.Fatalf("got %+v", d)
	}
	d.Logger.Error("this is not logged")
	fired := make(chan struct{})
	stop := d.Clock.AfterFunc(0, func() { close(fired) })
	<-fired
	if stop() {
		t.Error("a timer that has fired could be stopped")
	}
}

func TestFileNamesStartFromTheConfigurationsFolder(t *testing.T) {
	absolute, err := filepath.Abs("x.csv")
	if err != nil {
		t.Fatal(err)
	}
	d := source.Deps{Folder: "etc"}
	for name, want := range map[string]string{"x.csv": filepath.Join("etc", "x.csv"), absolute: absolute, "": ""} {
		if got := d.Path(name); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
	if got := (source.Deps{}).Path("x.csv"); got != "x.csv" {
		t.Errorf("without a folder: %q", got)
	}
}
