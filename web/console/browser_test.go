package console_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/contactbridge/contactbridge/web/console"
)

var updateScreenshots = flag.Bool("update-screenshots", false, "take the screenshots of the documentation anew")

// axe finds what keeps people with disabilities from using a page. It is axe-core as it comes from npm, MPL-2.0.
//
//go:embed testdata/axe-core/axe.min.js
var axe string

// chromiumPath finds a browser. One that has no windows takes half of the processor time of one that only hides them; its name on the PATH is a
// script, which would leave it behind when it is ended.
func chromiumPath() string {
	for _, name := range []string{"/usr/lib/chromium/chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// chromium is the browser of all tests; each test has a browser context of its own in it, with its own cookies and storage,
// as a window in private mode has. It starts with the first test that asks.
var chromium struct {
	start   sync.Once
	err     error
	ctx     context.Context
	stop    func()
	profile string
}

func TestMain(m *testing.M) {
	console.CheapPasswords()
	os.Exit(withBrowser(func() int { return mariadb.Main(m) }))
}

// withBrowser runs the tests and ends the browser.
func withBrowser(run func() int) (status int) {
	defer func() {
		if chromium.stop == nil {
			return
		}
		chromium.stop() // it waits until the process has gone
		// The browser's helpers may write into its profile a moment longer than it lives.
		err := os.RemoveAll(chromium.profile)
		for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); err = os.RemoveAll(chromium.profile) {
			<-time.After(50 * time.Millisecond)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = max(status, 1)
		}
	}()
	return run()
}

// startChromium starts the browser with an empty profile.
func startChromium(path string) {
	if chromium.profile, chromium.err = os.MkdirTemp("", "console-browser-"); chromium.err != nil {
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(chromium.profile), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	chromium.ctx, chromium.stop = ctx, func() { cancel(); stop() }
	chromium.err = chromedp.Run(ctx)
}

// private returns a browser context of its own.
func private(t testing.TB, path string) context.Context {
	t.Helper()
	chromium.start.Do(func() { startChromium(path) })
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	// chromedp.WithNewBrowserContext opens a tab, for which a browser context without a window has no place.
	var own cdp.BrowserContextID
	var window target.ID
	ask(t, func(browser context.Context) (err error) {
		if own, err = target.CreateBrowserContext().Do(browser); err == nil {
			window, err = target.CreateTarget("about:blank").WithBrowserContextID(own).WithNewWindow(true).Do(browser)
		}
		return err
	})
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithTargetID(window))
	if err := chromedp.Run(ctx); err != nil { // a tab lives as long as the context that it is first used with
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		ask(t, target.DisposeBrowserContext(own).Do)
	})
	return ctx
}

// patience is how long one step may take on a machine that does much else: a page that loads, or something that appears on it. A test
// may take as many steps as it needs.
const patience = time.Minute

// ask asks the browser itself, and not for long: it may have crashed.
func ask(t testing.TB, do func(browser context.Context) error) {
	t.Helper()
	browser, enough := context.WithTimeout(cdp.WithExecutor(chromium.ctx, chromedp.FromContext(chromium.ctx).Browser), patience)
	defer enough()
	if err := do(browser); err != nil {
		t.Fatalf("ask the browser: %v", err)
	}
}

// A tab is a browser's window.
type tab struct {
	t    testing.TB
	site *site
	ctx  context.Context

	mu     sync.Mutex
	faults []string // what the page complained about
}

// browser opens a tab, or skips the test where there is no browser.
func (s *site) browser(t testing.TB, actions ...chromedp.Action) *tab {
	t.Helper()
	path := chromiumPath()
	if path == "" {
		t.Skip("Chromium is not installed (Debian: apt-get install chromium-headless-shell): the console is not tried in a browser")
	}
	b := &tab{t: t, site: s, ctx: private(t, path)}
	chromedp.ListenTarget(b.ctx, b.listen)
	b.run(append([]chromedp.Action{chromedp.EmulateViewport(1280, 860)}, actions...)...)
	return b
}

// listen notes what no page may do: throw errors, or try what the Content-Security-Policy forbids.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError {
			for _, a := range e.Args {
				b.faults = append(b.faults, string(a.Value)+a.Description)
			}
		}
	}
}

// try takes one step.
func (b *tab) try(actions ...chromedp.Action) error {
	ctx, enough := context.WithTimeout(b.ctx, patience)
	defer enough()
	return chromedp.Run(ctx, actions...)
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		var at, text string
		last, enough := context.WithTimeout(b.ctx, 5*time.Second) // the page may answer nothing any more
		defer enough()
		_ = chromedp.Run(last, chromedp.Location(&at), chromedp.Text("body", &text, chromedp.ByQuery))
		b.t.Fatalf("%v\nat %s\n%s", err, at, text)
	}
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.site.server.URL + path))
}

// click clicks what has these words: a button, a link, a summary. A live part that is replaced between the search and the click takes
// its node away before anything was clicked: then it is searched for again.
func (b *tab) click(words string) {
	b.t.Helper()
	action := chromedp.Click(fmt.Sprintf(`//*[self::button or self::a or self::summary][contains(normalize-space(.), %q) and not(contains(@class, 'visually-hidden'))]`, words), chromedp.BySearch, chromedp.NodeVisible)
	for range 20 {
		err := b.try(action)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "Could not find node with given id") {
			break
		}
	}
	b.run(action)
}

// fill types into the field of a name, once the page has settled: one that is still loading may take the focus away.
func (b *tab) fill(name, text string) {
	b.t.Helper()
	b.until("a field "+name, fmt.Sprintf(`(() => {
		const field = document.querySelector('input[name="%s"], select[name="%s"], textarea[name="%s"]');
		if (!field || document.readyState !== "complete") { return false; }
		field.focus();
		if (field.select) { field.select(); }
		return true;
	})()`, name, name, name))
	b.run(chromedp.KeyEvent(text))
}

// until waits until a script finds something true, whatever page it is by then.
func (b *tab) until(what, script string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; {
		var is bool
		if err := b.try(chromedp.Evaluate(script, &is)); err == nil && is {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain for %s\nat %s\n%s", what, b.at(), b.text())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// sees waits until the page shows words.
func (b *tab) sees(words string) {
	b.t.Helper()
	b.until(words, fmt.Sprintf(`!!document.body && document.readyState !== "loading" && document.body.innerText.includes(%q)`, words))
}

func (b *tab) text() (text string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(`document.body.innerText`, &text))
	return text
}

func (b *tab) at() (path string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(`location.pathname + location.search`, &path))
	return path
}

func (b *tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
}

// phone makes the window that of a telephone.
func (b *tab) phone() {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(375, 740, chromedp.EmulateMobile, chromedp.EmulateTouch))
}

// signIn makes the first administrator.
func (b *tab) signIn() {
	b.t.Helper()
	b.open("/")
	b.fill("name", "ada")
	b.fill("new-password", password)
	b.fill("again", password)
	b.click("Make the administrator")
	b.sees("Overview")
}

// borrow gives the tab the session of a visitor.
func (b *tab) borrow(v *visitor) {
	b.t.Helper()
	b.open("/static/none")
	u := v.request("GET", "/", nil).URL
	for _, c := range v.client.Jar.Cookies(u) {
		b.run(chromedp.ActionFunc(func(ctx context.Context) error { return setCookie(ctx, c.Name, c.Value, b.site.server.URL) }))
	}
}

// accessible reports what axe finds wrong with the page as it is.
func (b *tab) accessible(what string) {
	b.t.Helper()
	b.finds(what, `{resultTypes: ["violations"]}`)
}

// contrasts reports what cannot be read in the present colors; the rest of a page does not depend on them.
func (b *tab) contrasts(what string) {
	b.t.Helper()
	b.finds(what, `{resultTypes: ["violations"], runOnly: {type: "rule", values: ["color-contrast"]}}`)
}

// finds runs axe, which a page is given once.
func (b *tab) finds(what, options string) {
	b.t.Helper()
	var found string
	var there bool
	if b.run(chromedp.Evaluate(`typeof axe === "object"`, &there)); !there {
		b.run(chromedp.Evaluate(axe+"; true", nil))
	}
	b.run(
		chromedp.Evaluate(`axe.run(document, `+options+`).then(r => JSON.stringify(r.violations.map(v =>
			({id: v.id, help: v.help, nodes: v.nodes.map(n => n.target.join(" ") + ": " + n.failureSummary)}))))`, &found,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
	)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: %s: %s\n%s", what, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

// quiet reports what the pages complained about.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Error("a page complains:", f)
	}
}

// picture is taken for the documentation where that is asked for.
func (b *tab) picture(name string) {
	b.t.Helper()
	file, dir := "console-"+name+".png", os.Getenv("CONSOLE_PICTURES") // to look at, without changing the documentation
	if *updateScreenshots && strings.Contains(b.documentation(), "images/"+file) {
		dir = filepath.Join("..", "..", "docs", "images")
	}
	if dir == "" {
		return
	}
	var image []byte
	b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		image, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).WithCaptureBeyondViewport(false).Do(ctx)
		return err
	}))
	if err := os.WriteFile(filepath.Join(dir, file), image, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// documentation is the page that shows pictures.
func (b *tab) documentation() string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "console.md"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}
