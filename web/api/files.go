package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

type fileView struct {
	Name         string    `json:"name" doc:"Its name, unique in its account: a source reads it as path: upload:NAME."`
	Kind         string    `json:"kind" enum:"csv,xlsx,vcard,jsonl,json" doc:"The kind of source that reads it."`
	Size         int64     `json:"size" doc:"Bytes."`
	Digest       string    `json:"digest" doc:"SHA-256 of its content, hexadecimal."`
	Uploaded     time.Time `json:"uploaded" doc:"When this content was uploaded."`
	Uploader     string    `json:"uploader" doc:"Who uploaded it."`
	Integrations []string  `json:"integrations" doc:"Integrations that read it. A file that none reads is deleted after a week."`
}

type filesView struct {
	Files  []fileView `json:"files" doc:"By name."`
	Taken  int64      `json:"taken" doc:"Bytes that the account's files have, with those that wait to replace others."`
	Most   int64      `json:"most" doc:"Bytes that they may have."`
	Single int64      `json:"single" doc:"Bytes that one file may have."`
}

type replacementView struct {
	ID      string           `json:"id" doc:"With it the replacement is carried out or discarded. It is kept for a day."`
	Name    string           `json:"name" doc:"The file that is to be replaced."`
	Size    int64            `json:"size" doc:"Bytes of the new content."`
	Changes []fileChangeView `json:"changes" doc:"What changes for each integration that reads the file."`
}

type fileChangeView struct {
	Integration string               `json:"integration" doc:"The integration."`
	Added       int                  `json:"added" doc:"Contacts that are in the new file only."`
	Changed     int                  `json:"changed" doc:"Contacts that are different in the new file."`
	Removed     int                  `json:"removed" doc:"Contacts that are in the old file only."`
	Unchanged   int                  `json:"unchanged" doc:"Contacts that are the same in both."`
	Held        bool                 `json:"held,omitempty" doc:"So many deletions would wait for a decision."`
	Problem     *registry.Problem    `json:"problem,omitempty" doc:"Why the new file cannot be read, or not be compared. Absent: it can."`
	Samples     []changedContactView `json:"samples" doc:"The first few of each sort."`
}

type changedContactView struct {
	What   string           `json:"what" enum:"added,changed,removed" doc:"What happens to the contact."`
	Before *contact.Contact `json:"before,omitempty" doc:"As it is in the old file."`
	After  *contact.Contact `json:"after,omitempty" doc:"As it is in the new file."`
}

// FilePath names an uploaded file.
type FilePath struct {
	File string `path:"file" maxLength:"100" doc:"The file's name."`
	InAccount
}

// ReplacementPath names a file that waits to take another one's place.
type ReplacementPath struct {
	Replacement string `path:"replacement" maxLength:"64" doc:"The replacement."`
	InAccount
}

// An uploadInput is a file that is read as it comes.
type uploadInput struct {
	FilePath
	content io.Reader
}

// Resolve implements [huma.Resolver].
func (in *uploadInput) Resolve(ctx huma.Context) []error {
	in.content = ctx.BodyReader()
	return nil
}

// file returns the content of an upload, which may take long, but may not stand still.
func (in *uploadInput) file(ctx context.Context) io.Reader {
	return &flowing{Reader: in.content, w: exchange.Of(ctx).ResponseWriter}
}

const (
	uploadPause = 20 * time.Second // that an upload may stand still
	uploadTime  = 15 * time.Minute // that it may take
)

// A flowing body has a deadline that moves with it.
type flowing struct {
	io.Reader
	w     http.ResponseWriter
	began time.Time
}

// Read implements [io.Reader].
func (f *flowing) Read(p []byte) (int, error) {
	if f.w != nil {
		now := time.Now() //nolint:forbidigo // the deadline of a connection
		if f.began.IsZero() {
			f.began = now
		}
		until := now.Add(uploadPause)
		if last := f.began.Add(uploadTime); until.After(last) {
			until = last
		}
		_ = huma.SetReadDeadline(f.w, until)
	}
	return f.Reader.Read(p)
}

// fileBody describes the body of an upload. Each operation has its own: huma completes what it is given.
func fileBody() *huma.RequestBody {
	return &huma.RequestBody{
		Required: true, Description: "The file's content.",
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
}

// routeFiles adds what is done with uploaded files.
func (a *API) routeFiles() {
	const tag, path, waiting = "integrations", "/api/v1/files/{file}", "/api/v1/file-replacements/{replacement}"
	register(a, operation{
		id: "listFiles", method: http.MethodGet, path: "/api/v1/files", tag: tag, scopes: lookers,
		summary: "Uploaded files, which sources inside the hub read",
	}, a.listFiles)
	register(a, operation{
		id: "addFile", method: http.MethodPost, path: path, tag: tag, scopes: only(registry.ScopeWrite), status: http.StatusCreated, body: fileBody(),
		summary: "Upload a file",
		details: "CSV, Excel workbook (.xlsx), vCard, JSON lines or JSON, by the ending of the name. A source reads it as path: upload:NAME.",
	}, func(ctx context.Context, in *uploadInput) (*answer[fileView], error) {
		f, err := a.hub.AddFile(ctx, accountOf(ctx), in.File, in.file(ctx))
		return answered(viewFile(hub.FileView{File: f})), err
	})
	register(a, operation{
		id: "removeFile", method: http.MethodDelete, path: path, tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Delete a file that no integration reads",
	}, func(ctx context.Context, in *FilePath) (*nothing, error) {
		return nil, a.hub.RemoveFile(ctx, accountOf(ctx), in.File)
	})
	register(a, operation{
		id: "replaceFile", method: http.MethodPost, path: path + "/replacement", tag: tag, scopes: only(registry.ScopeWrite), status: http.StatusCreated, body: fileBody(),
		summary: "Upload what is to replace a file, and see what that changes",
		details: "Nothing is changed until the replacement is carried out.",
	}, func(ctx context.Context, in *uploadInput) (*answer[replacementView], error) {
		r, err := a.hub.ReplaceFile(ctx, accountOf(ctx), in.File, in.file(ctx))
		return answered(ViewReplacement(r)), err
	})
	register(a, operation{
		id: "readReplacement", method: http.MethodGet, path: waiting, tag: tag, scopes: only(registry.ScopeWrite),
		summary: "What a replacement changes",
	}, func(ctx context.Context, in *ReplacementPath) (*answer[replacementView], error) {
		r, err := a.hub.FileReplacement(ctx, accountOf(ctx), in.Replacement)
		return answered(ViewReplacement(r)), err
	})
	register(a, operation{
		id: "applyReplacement", method: http.MethodPost, path: waiting + "/apply", tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Replace the file",
		details: "The old content is deleted, and the integrations that read the file run. 409 where the file was replaced by someone else since the changes were shown.",
	}, func(ctx context.Context, in *ReplacementPath) (*answer[fileView], error) {
		f, err := a.hub.ApplyFile(ctx, accountOf(ctx), in.Replacement)
		return answered(viewFile(hub.FileView{File: f})), err
	})
	register(a, operation{
		id: "discardReplacement", method: http.MethodDelete, path: waiting, tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Leave the file as it is",
	}, func(ctx context.Context, in *ReplacementPath) (*nothing, error) {
		return nil, a.hub.DiscardFile(ctx, accountOf(ctx), in.Replacement)
	})
}

func (a *API) listFiles(ctx context.Context, _ *InAccount) (*answer[filesView], error) {
	files, err := a.hub.Files(ctx, accountOf(ctx))
	if err != nil {
		return nil, err
	}
	view := filesView{Files: Files(files)}
	view.Single, view.Most, view.Taken, err = a.hub.FileLimits(ctx, accountOf(ctx))
	return answered(view), err
}

// Files are uploaded files as the API shows them.
func Files(files []hub.FileView) []fileView { return views(files, viewFile) }

func viewFile(f hub.FileView) fileView {
	return fileView{
		Name: f.Name, Kind: f.Kind, Size: f.Size, Digest: f.Digest, Uploaded: f.Uploaded, Uploader: f.Uploader, Integrations: append([]string{}, f.Users...),
	}
}

// ViewReplacement is a replacement as the API shows it.
func ViewReplacement(r hub.Replacement) replacementView {
	return replacementView{ID: r.ID, Name: r.Name, Size: r.Size, Changes: views(r.Changes, viewFileChange)}
}

func viewFileChange(c hub.FileChange) fileChangeView {
	return fileChangeView{
		Integration: c.Integration, Added: c.Added, Changed: c.Changed, Removed: c.Removed, Unchanged: c.Unchanged, Held: c.Held, Problem: c.Problem,
		Samples: views(c.Samples, func(s hub.ChangedContact) changedContactView { return changedContactView(s) }),
	}
}
