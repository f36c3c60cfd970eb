package console

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/web/console/view"
)

var unfitInFile = regexp.MustCompile(`[^\pL\pN ._()+-]+`)

// fileName makes a name out of that of the file on the sender's machine.
func fileName(given string) string {
	name := path.Base(strings.ReplaceAll(given, `\`, "/"))
	for strings.Contains(name, "..") {
		name = strings.ReplaceAll(name, "..", ".")
	}
	return strings.TrimLeft(unfitInFile.ReplaceAllString(name, "_"), "._ ()+-")
}

const mostNames = 20 // that are tried where there is a file of a name already

// addFile keeps the file that comes with a request, and returns its name: another one where there is a file of that name.
func (c *Console) addFile(q *request, account string) (name string, err error) {
	name = fileName(q.file.FileName())
	files, err := c.hub.Files(q.Context(), account)
	if err != nil {
		return name, err
	}
	taken := map[string]bool{}
	for _, f := range files {
		taken[f.Name] = true
	}
	ending := path.Ext(name)
	for n := 2; taken[name] && n < mostNames; n++ {
		name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(fileName(q.file.FileName()), ending), n, ending)
	}
	_, err = c.hub.AddFile(q.Context(), account, name, q.file)
	return name, err
}

// inField returns an error as that of a form's field.
func inField(err error, field string) error {
	said := failure.Of(err)
	if said.Message == "" {
		return err
	}
	said.Field = field
	return &said
}

func (c *Console) files(q *request) error {
	if q.account == nil && len(q.page.Accounts) > 0 { // files are an account's
		return q.redirect(view.WithAccount("/files", q.chosen()), "")
	}
	shown := view.Files{}
	if q.account != nil {
		var err error
		if shown.Files, err = c.hub.Files(q.Context(), q.account.Name); err != nil {
			return err
		}
		if shown.Each, shown.All, shown.Taken, err = c.hub.FileLimits(q.Context(), q.account.Name); err != nil {
			return err
		}
	}
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, "Files", view.FilesPage(q.page, shown))
}

func (c *Console) replacing(q *request) error { return c.showReplacing(q, http.StatusOK, nil) }

func (c *Console) showReplacing(q *request, status int, problem *view.Problem) error {
	files, err := c.hub.Files(q.Context(), q.chosen())
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name == q.Form.Get("name") {
			q.page.Section = view.SectionIntegrations
			return q.show(status, "Replace "+f.Name, view.ReplacePage(q.page, f, problem))
		}
	}
	return &failure.Error{Code: failure.NotFound, Message: fmt.Sprintf("unknown file %q", q.Form.Get("name")), Hint: "Look for it among the account's files."}
}

// replaceFile keeps a new file beside the old one, and goes on to what that changes.
func (c *Console) replaceFile(q *request) error {
	if q.file == nil {
		return c.showReplacing(q, http.StatusUnprocessableEntity, &view.Problem{Field: "file", Message: "no file was chosen", Hint: "Choose the new one."})
	}
	r, err := c.hub.ReplaceFile(q.Context(), q.chosen(), q.Form.Get("name"), q.file)
	if err != nil {
		if problem := problemOf(inField(err, "file")); problem != nil {
			return c.showReplacing(q, http.StatusUnprocessableEntity, problem)
		}
		return err
	}
	return q.redirect(view.WithAccount("/files/staged/"+r.ID, r.Account), "")
}

func (c *Console) stagedFile(q *request) error {
	r, err := c.hub.FileReplacement(q.Context(), q.chosen(), q.PathValue("file"))
	if err != nil {
		return err
	}
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, "What replacing "+r.Name+" changes", view.StagedPage(q.page, r))
}

func (c *Console) applyFile(q *request) error {
	f, err := c.hub.ApplyFile(q.Context(), q.chosen(), q.PathValue("file"))
	if err != nil {
		return err
	}
	return q.redirect(view.WithAccount("/files", f.Account), "replaced")
}

func (c *Console) discardFile(q *request) error {
	if err := c.hub.DiscardFile(q.Context(), q.chosen(), q.PathValue("file")); err != nil {
		return err
	}
	return q.redirect(view.WithAccount("/files", q.chosen()), "discarded")
}

func (c *Console) confirmRemoveFile(q *request) error {
	name := q.Form.Get("name")
	q.page.Section = view.SectionIntegrations
	return c.confirm(q, view.Confirmation{
		Title: "Remove " + name, Danger: true, Button: "Remove the file", Action: q.URL.RequestURI(), Cancel: view.WithAccount("/files", q.chosen()),
		Says: []string{"This deletes the uploaded file from the hub. A file that an integration reads stays: remove the integration first."},
	})
}

func (c *Console) removeFile(q *request) error {
	if err := c.hub.RemoveFile(q.Context(), q.chosen(), q.Form.Get("name")); err != nil {
		return err
	}
	return q.redirect(view.WithAccount("/files", q.chosen()), "removed")
}
