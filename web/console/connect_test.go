package console_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"

	"github.com/contactbridge/contactbridge/hub"
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
	b.click("Propose the columns")
	b.sees("Jane Doe")
	b.accessible("a preview")
	b.picture("preview")
	b.run(chromedp.Evaluate(`window.scrollTo(0, document.querySelector("#draft-form").offsetTop)`, nil))
	b.picture("preview-mapping")
	b.fill("source.fields.company", "upper(company)")
	b.fill("source.fields.custom_fields", "Customer no: id")
	b.click("Show the contacts again")
	b.sees("EXAMPLE LTD")
	b.sees("Customer no: 1")
	b.sees("+442079460958") // in the account's country
	b.sees("not valid in GB")
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
	b.click("HubSpot")
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
	b.picture("files")
	b.click("Replace…")
	b.run(chromedp.SetUploadFiles(`input[type="file"]`, []string{second}, chromedp.ByQuery))
	b.accessible("a file to replace")
	b.click("Show what changes")
	b.sees("What replacing customers.xlsx changes")
	b.sees("+442079460111")
	b.sees("Max Weber")
	b.accessible("what a file changes")
	b.picture("replace")
	b.click("Replace the file")
	b.sees("The file was replaced.")
	b.open("/calling?number=02079460777")
	b.until("the new contact", `document.body.innerText.includes("Max Weber") || (location.reload(), false)`)
	b.quiet()
}
