package caller_test

import (
	"database/sql"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/contactbridge/contactbridge/caller"
)

// chinookRegions are the regions of the Chinook sample database's countries.
var chinookRegions = map[string]string{
	"Argentina": "AR", "Australia": "AU", "Austria": "AT", "Belgium": "BE", "Brazil": "BR", "Canada": "CA", "Chile": "CL",
	"Czech Republic": "CZ", "Denmark": "DK", "Finland": "FI", "France": "FR", "Germany": "DE", "Hungary": "HU", "India": "IN",
	"Ireland": "IE", "Italy": "IT", "Netherlands": "NL", "Norway": "NO", "Poland": "PL", "Portugal": "PT", "Spain": "ES",
	"Sweden": "SE", "USA": "US", "United Kingdom": "GB",
}

// TestEveryChinookCustomerIsFound needs the Chinook sample database as a SQLite file.
func TestEveryChinookCustomerIsFound(t *testing.T) {
	path := os.Getenv("CONTACTBRIDGE_CHINOOK")
	if path == "" {
		t.Skip("OPTIONAL: CONTACTBRIDGE_CHINOOK does not name the Chinook sample database (Chinook_Sqlite.sqlite)")
	}
	for _, storedIn := range []string{"", "US"} {
		store := newStore(t)
		customers := chinookCustomers(t, path)
		var persons []person
		for _, c := range customers {
			persons = append(persons, person{c.id, []string{c.phone}})
		}
		fill(t, store, "chinook", storedIn, persons...)
		for _, c := range customers {
			for _, number := range c.spellings(t) {
				a := lookup(t, store, number, chinookRegions[c.country], caller.LookupOptions{})
				if len(a.Matches) == 0 || !strings.Contains(strings.Join(found(a), " "), " "+c.id) {
					t.Errorf("customer %s, %q in %s: %q finds %q", c.id, c.phone, c.country, number, found(a))
				}
			}
		}
	}
}

type chinookCustomer struct{ id, phone, country string }

func chinookCustomers(t *testing.T, path string) []chinookCustomer {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT CustomerId, Phone, Country FROM Customer WHERE Phone IS NOT NULL ORDER BY CustomerId")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var customers []chinookCustomer
	for rows.Next() {
		var c chinookCustomer
		var id int
		if err := rows.Scan(&id, &c.phone, &c.country); err != nil {
			t.Fatal(err)
		}
		c.id = strconv.Itoa(id)
		customers = append(customers, c)
	}
	if err := rows.Err(); err != nil || len(customers) < 58 {
		t.Fatalf("%d customers, %v", len(customers), err)
	}
	return customers
}

// spellings returns the customer's number as it is stored, and as the library writes it nationally and internationally.
func (c chinookCustomer) spellings(t *testing.T) []string {
	n, err := phonenumbers.Parse(c.phone, "")
	if err != nil {
		t.Fatal(err)
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	list := []string{
		c.phone, e164, e164[1:], "00" + e164[1:], phonenumbers.Format(n, phonenumbers.INTERNATIONAL), phonenumbers.Format(n, phonenumbers.NATIONAL),
		phonenumbers.Format(n, phonenumbers.RFC3966), phonenumbers.GetNationalSignificantNumber(n),
	}
	if _, national, ok := strings.Cut(c.phone, " "); ok { // without the country code, as it is written
		list = append(list, national)
	}
	return list
}
