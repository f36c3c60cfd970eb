package console_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/xuri/excelize/v2"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

var mariadb mysqltest.Suite

func TestInABrowserFromTheCatalogueToANamedCallWithADatabase(t *testing.T) {
	db := mariadb.Database(t,
		`CREATE TABLE customers (id int PRIMARY KEY, first_name varchar(50), last_name varchar(50), company varchar(80), email varchar(80), phone varchar(40), mobile varchar(40),
			updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)`,
		`INSERT INTO customers VALUES (1, 'Jane', 'Doe', 'Example Ltd', 'jane@example.com', '020 7946 0958', '+44 7700 900077', '2026-03-01 09:00:00'),
			(2, 'Sam', 'Poole', 'Poole & Sons', 'sam@example.org', '020 7946 0123', NULL, '2026-03-01 09:00:00'),
			(3, 'Max', 'Weber', NULL, 'max@example.net', '12', NULL, '2026-03-01 09:00:00')`,
		`CREATE TABLE orders (id int PRIMARY KEY, customer int, total int)`,
		`INSERT INTO orders VALUES (1, 1, 100)`)
	s := newSite(t)
	b := s.browser(t)
	b.signIn()
	b.click("Add an integration")
	b.sees("MariaDB or MySQL")
	b.accessible("the catalogue")
	b.picture("catalogue")
	b.fits("catalogue")
	b.fill("q", "maria")
	b.until("fewer offers", `document.querySelectorAll(".offer").length == 2`)
	b.click("MariaDB or MySQL")
	b.fill("account", "acme")
	b.fill("region", "GB")
	b.fill("time_zone", "Europe/London")
	b.fill("source.dsn", "mysql://reader:wr0ng@127.0.0.1:1/crm")
	b.accessible("a kind")
	b.picture("connect")
	b.click("Connect")
	b.sees("cannot be reached")
	b.accessible("a connection that fails")
	b.fill("source.dsn", db.User(t))
	b.click("Connect")
	b.sees("Which table holds the contacts?")
	b.accessible("tables")
	b.picture("choose")
	b.fits("choose")
	b.click("Propose the columns")
	b.sees("Jane Doe")
	b.accessible("a preview")
	b.dark(true)
	b.accessible("a preview in the dark")
	b.dark(false)
	b.picture("preview")
	b.fits("preview")
	b.run(chromedp.Evaluate(`window.scrollTo(0, document.querySelector("#draft-form").offsetTop)`, nil))
	b.picture("preview-mapping")
	b.fill("source.fields.company", "upper(company)")
	b.fill("source.fields.custom_fields", "Customer no: id")
	b.click("Show the contacts again")
	b.sees("EXAMPLE LTD")
	b.sees("Customer no: 1")
	b.sees("+442079460958") // in the account's country
	b.sees("2 of 4 phone numbers are not valid")
	b.fill("source.fields.company", "nonsense")
	b.click("Show the contacts again")
	b.sees("nonsense")
	b.sees("No contact could be read")
	b.accessible("a mapping that does not work")
	b.fill("source.fields.company", "company")
	b.fill("name", "crm")
	b.click("Save and start")
	b.sees("The integration was added")
	b.sees("Up to date")
	b.fill("number", "020 7946 0958")
	b.sees("Jane Doe")
	b.quiet()
}

// fits reports what is wider than the screen, on a telephone and on narrow windows, and takes pictures to look at.
func (b *tab) fits(what string) {
	b.t.Helper()
	for _, width := range []int64{390, 1024, 1280} {
		b.run(chromedp.EmulateViewport(width, 860))
		var over int
		b.run(chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over))
		if over > 0 {
			b.t.Errorf("%s is %d pixels too wide at %d", what, over, width)
		}
		b.picture(fmt.Sprintf("%s-%d", what, width))
	}
}

// A source is connected without JavaScript, and changed: what is kept of its credentials goes nowhere else.
func TestInABrowserWithoutJavaScriptASourceIsConnected(t *testing.T) {
	db := mariadb.Database(t,
		`CREATE TABLE people (id int PRIMARY KEY, name varchar(50), phone varchar(40), updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)`,
		`INSERT INTO people VALUES (7, 'Jane Doe', '020 7946 0958', '2026-03-01 09:00:00')`)
	s := newSite(t)
	v := s.administrator(t)
	v.goes("/accounts/new", "/accounts/new", "name", "acme", "region", "GB", "time_zone", "Europe/London")
	b := s.browser(t, emulation.SetScriptExecutionDisabled(true))
	b.borrow(v)
	b.open("/catalogue")
	b.types("q", "maria")
	b.click("Search")
	b.plainly("MariaDB or MySQL")
	b.click("MariaDB or MySQL")
	b.types("source.dsn", db.User(t))
	b.click("Connect")
	b.plainly("Jane Doe") // there is one table only
	b.click("Show the contacts again")
	b.plainly("Jane Doe")
	b.click("Save and start")
	b.plainly("The integration was added")
	key := directory.Key{Account: "acme", Integration: "people"}
	s.waitFor(t, key, registry.HealthOK)
	b.click("What it reads…")
	b.plainly("MariaDB or MySQL")
	b.click("Change the source")
	b.plainly("Change what people reads")
	b.click("Connect")
	b.plainly("Save the change")
	b.plainly("The next run reads everything")
	b.run(chromedp.SetValue(`input[name="source.fields.company"]`, `'Example'`, chromedp.ByQuery))
	b.click("Save the change")
	b.plainly("The changes are saved.")
	eventually(t, "the new company", func() bool { return strings.Contains(v.must("/calling?number=02079460958").text, "Example") })
}

// A draft is the user's who began it, shows no credential, and does not send what is kept to another place.
func TestADraftKeepsItsSecrets(t *testing.T) {
	s := newSite(t)
	admins := s.administrator(t)
	admins.goes("/accounts/new", "/accounts/new", "name", "acme", "region", "GB", "time_zone", "Europe/London")
	v, other := s.user(t, admins, "oto", registry.RoleOperator, "acme"), s.user(t, admins, "eve", registry.RoleOperator, "acme")
	text := "source: {kind: carddav, url: 'http://127.0.0.1:1/', username: jane, password: k3pt-secret, books: [x]}"
	key := directory.Key{Account: "acme", Integration: "book"}
	if err := s.hub.AddIntegration(t.Context(), registry.Integration{Key: key, Source: "carddav"}, map[string]string{registry.SourceValue: text}); err != nil {
		t.Fatal(err)
	}
	draft := v.goes("/integrations/acme/book/source", "/integrations/acme/book/source").to()
	page := v.must(draft).text
	if strings.Contains(page, "k3pt-secret") || !strings.Contains(page, "http://127.0.0.1:1/") || !strings.Contains(page, "unchanged") {
		t.Error("the form of a kept source:", page)
	}
	for _, below := range []string{"", "/contacts", "/things"} {
		if a := other.get(draft + below); a.StatusCode != http.StatusNotFound {
			t.Errorf("somebody else sees a draft: %d", a.StatusCode)
		}
	}
	if a := other.post("/settings", draft, "source.url", "http://127.0.0.1:2/"); a.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else changes a draft: %d", a.StatusCode)
	}
	// The password was given for the other server.
	a := v.post(draft, draft, "source.url", "http://127.0.0.1:2/", "source.username", "jane", "source.password", "")
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "What was kept was given for the connection as it was") {
		t.Error(a.StatusCode, a.text)
	}
	id := strings.TrimPrefix(draft, "/drafts/")
	kept, err := s.hub.Registry.Secret(t.Context(), registry.PendingOwner(id), "draft")
	if err != nil || strings.Contains(string(kept), "k3pt-secret") || !strings.Contains(string(kept), "127.0.0.1:2") {
		t.Errorf("%s, %v", kept, err)
	}
	// What the user types is kept while the rest is corrected, and not shown.
	a = v.post(draft, draft, "source.url", "nonsense", "source.username", "jane", "source.password", "typ3d-secret")
	if a.StatusCode != http.StatusUnprocessableEntity || strings.Contains(a.text, "typ3d-secret") || !strings.Contains(a.text, "unchanged") {
		t.Error(a.StatusCode, a.text)
	}
	if strings.Contains(s.log.String(), "secret") {
		t.Error("a secret is in the log")
	}
}

// An integration gets a source in place of its bridge, and a bridge again: ids and history stay, and what becomes of them is said before.
func TestABridgeBecomesASourceAndTheOtherWayRound(t *testing.T) {
	db := mariadb.Database(t,
		`CREATE TABLE people (id varchar(20) PRIMARY KEY, name varchar(50), phone varchar(40), updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)`,
		`INSERT INTO people VALUES ('jane-7', 'Jane Doe of the table', '020 7946 0958', '2026-03-01 09:00:00')`)
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	const one = "/integrations/acme/crm"
	page := v.must(one + "/source").text
	if !strings.Contains(page, "The next run reads everything") || !strings.Contains(page, "Of the 96 contacts") {
		t.Error("what changes is not said:", page)
	}
	before, err := s.hub.Runs(t.Context(), key, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	chosen := "/catalogue/mysql?account=acme&integration=crm"
	draft := strings.TrimSuffix(v.goes(chosen, chosen, "account", "acme", "source.dsn", db.User(t)).to(), "/contacts")
	if page := v.must(draft + "/contacts").text; !strings.Contains(page, "Jane Doe of the table") || !strings.Contains(page, "Of the 96 contacts") {
		t.Error("the preview:", page)
	}
	v.goes(draft+"/contacts", draft+"/contacts", "do", "save")
	s.waitFor(t, key, registry.HealthGuarded) // 95 of 96 contacts are gone
	i, given, err := s.hub.Registry.Configured(t.Context(), key)
	if err != nil || i.Bridge != "" || i.Source != "mysql" || len(given) != 1 {
		t.Errorf("%+v, %d values, %v", i, len(given), err)
	}
	v.goes(one+"/bridge", one+"/bridge", "bridge", s.bridge.url(), "when", "every", "every", "30m", "full", "7", "guard-share", "20", "guard-min", "10",
		"auth-0-name", "username", "auth-0-value", "agent", "auth-1-name", "password", "auth-1-type", "password", "auth-1-value", "s3cret", "do", "save")
	s.waitFor(t, key, registry.HealthOK)
	i, given, err = s.hub.Registry.Configured(t.Context(), key)
	after, failed := s.hub.Runs(t.Context(), key, 0, 10)
	if err != nil || failed != nil || i.Source != "" || i.Bridge != s.bridge.url() || len(given) != 2 || len(after) <= len(before) {
		t.Errorf("%+v, %d values, %d runs, %v, %v", i, len(given), len(after), err, failed)
	}
}

// A sky carries requests to vendors' hosts to their simulators, and any other request on.
type sky struct{ *vendors.Cloud }

func (s sky) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Hostname(), ".hubapi.com") {
		return s.Cloud.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// withHubSpot lets a site reach a simulated account of HubSpot, at which people can sign in.
func (s *site) withHubSpot(t testing.TB) *vendors.HubSpot {
	t.Helper()
	account := vendors.NewHubSpot(time.Now, 7)
	account.SetLimits()
	account.Create(vendors.Fields{"firstname": "Jane", "lastname": "Doe", "company": "Example Ltd", "email": "jane@example.com", "phone": "020 7946 0958"})
	account.Create(vendors.Fields{"firstname": "Sam", "lastname": "Poole", "email": "sam@example.org", "mobilephone": "+44 7700 900123"})
	cloud := &vendors.Cloud{}
	cloud.Add(account)
	consent := httptest.NewServer(http.HandlerFunc(account.OAuth.Authorize))
	t.Cleanup(consent.Close)
	s.hub.Outbound = sky{cloud}
	s.hub.Inside = inside.New(inside.Options{Transport: sky{cloud}, Dial: new(net.Dialer).DialContext, Files: s.hub.Registry})
	s.hub.Options.OAuthClients = map[string]hub.OAuthClient{
		"hubspot": {ClientID: account.OAuth.ClientID, ClientSecret: account.OAuth.ClientSecret, AuthorizeURL: consent.URL + "/oauth/authorize"},
	}
	return account
}

func TestInABrowserFromTheCatalogueToANamedCallBySigningIn(t *testing.T) {
	s := newSite(t)
	account := s.withHubSpot(t)
	v := s.administrator(t)
	v.goes("/accounts/new", "/accounts/new", "name", "acme", "region", "GB", "time_zone", "Europe/London")
	b := s.browser(t)
	b.borrow(v)
	b.open("/catalogue")
	b.tabTo("HubSpot") // the keyboard is enough
	b.run(chromedp.KeyEvent(kb.Enter))
	b.sees("Sign in with HubSpot")
	b.accessible("a service to sign in at")
	b.picture("sign-in")
	b.click("Sign in with HubSpot")
	b.sees("Let the hub in")
	b.click("Go on to")
	b.sees("crm.objects.contacts.read")
	b.click("Refuse")
	b.sees("did not permit the access")
	b.click("Sign in with HubSpot")
	b.click("Go on to")
	b.click("Permit")
	b.sees("Jane Doe")
	b.accessible("a preview of a service")
	b.picture("preview-service")
	b.fill("source.fields.title", "`properties.lifecyclestage`")
	b.click("Show the contacts again")
	b.sees("Jane Doe")
	b.click("Save and start")
	b.sees("The integration was added")
	b.sees("Up to date")
	b.fill("number", "020 7946 0958")
	b.sees("Jane Doe")
	account.OAuth.Revoke() // the next run gets a new token by itself
	account.Create(vendors.Fields{"firstname": "Max", "lastname": "Weber", "phone": "020 7946 0777"})
	b.click("Run now")
	b.sees("A run was asked for.")
	eventually(t, "the new contact", func() bool { return strings.Contains(v.must("/calling?number=02079460777").text, "Max Weber") })
	if token := account.OAuth.Granted(vendors.RefreshToken); token != 1 {
		t.Error("tokens were refreshed", token, "times")
	}
	b.quiet()
}

// workbook writes a workbook with one sheet.
func workbook(t testing.TB, name string, rows ...[]any) string {
	t.Helper()
	f := excelize.NewFile()
	for n, row := range rows {
		if err := f.SetSheetRow("Sheet1", "A"+string(rune('1'+n)), &row); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), name)
	if err := f.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInABrowserFromTheCatalogueToANamedCallWithAWorkbook(t *testing.T) {
	head := []any{"Customer No", "Name", "Company", "Phone"}
	first := workbook(t, "customers.xlsx", head, []any{"C1", "Jane Doe", "Example Ltd", "020 7946 0958"}, []any{"C2", "Sam Poole", "", "020 7946 0123"})
	second := workbook(t, "new.xlsx", head, []any{"C1", "Jane Doe", "Example Ltd", "020 7946 0111"}, []any{"C3", "Max Weber", "", "020 7946 0777"})
	s := newSite(t)
	b := s.browser(t)
	b.signIn()
	b.open("/catalogue")
	b.click("Excel workbook")
	b.fill("account", "acme")
	b.fill("region", "GB")
	b.accessible("a file to upload")
	b.click("Read the file")
	b.sees("No file was chosen")
	b.run(chromedp.SetUploadFiles(`input[type="file"]`, []string{first}, chromedp.ByQuery))
	b.picture("upload")
	b.click("Read the file")
	b.sees("Jane Doe")
	b.accessible("a preview of a workbook")
	b.fill("name", "crm")
	b.click("Save and start")
	b.sees("The integration was added")
	b.sees("Up to date")
	b.fill("number", "020 7946 0958")
	b.sees("Jane Doe")

	b.open("/files")
	b.sees("customers.xlsx")
	b.accessible("files")
	b.fits("files")
	b.picture("files")
	b.click("Replace…")
	b.run(chromedp.SetUploadFiles(`input[type="file"]`, []string{second}, chromedp.ByQuery))
	b.accessible("a file to replace")
	b.click("Show what changes")
	b.sees("What replacing customers.xlsx changes")
	b.sees("+442079460111")
	b.sees("Max Weber")
	b.accessible("what a file changes")
	b.fits("replace")
	b.picture("replace")
	b.click("Replace the file")
	b.sees("The file was replaced.")
	b.open("/calling?number=02079460777")
	b.until("the new contact", `document.body.innerText.includes("Max Weber") || (location.reload(), false)`)
	b.quiet()
}

// What cannot work is said where it is asked for, before anybody fills in a form or goes on to the next page.
func TestWhatASignInNeedsIsSaidAtOnce(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	for _, kind := range []string{"salesforce", "hubspot", "pipedrive", "zoho", "dynamics365"} {
		page := "/catalogue/" + kind + "?account=acme"
		if text := v.must(page).text; !strings.Contains(text, "Nobody can sign in at") || strings.Contains(text, "Sign in with") {
			t.Errorf("%s: %s", kind, text)
		}
	}
	for _, kind := range []string{"hubspot", "close", "zendesk"} {
		page := "/catalogue/" + kind + "?account=acme"
		answer := v.post(page, page, "account", "acme", "do", "connect")
		if answer.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s without credentials: %s %s", kind, answer.Status, answer.to())
		}
	}
}
