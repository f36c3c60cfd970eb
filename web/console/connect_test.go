package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
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
