package hub_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A purge proposes what is surely the same person's, and no contact that only shares a number with them.
func TestOnlyWhatIsSurelyTheSamePersonIsTakenForThem(t *testing.T) {
	f := newHub(t)
	const switchboard, mobile, home = "+14155550100", "+14155550199", "+14155550142"
	crm, erp := newCRM(t, 0), newCRM(t, 0)
	crm.Put(
		contact.Contact{ID: "jane", Name: "Jane Doe", Phones: []string{switchboard, mobile, home}, Emails: []string{"jane@example.com", "info@example.com"}, URL: "https://crm.example.com/1"},
		contact.Contact{ID: "couple", Name: "John Doe", Phones: []string{home}},
		contact.Contact{ID: "namesake", Name: "Jane Doe", Phones: []string{switchboard}, Emails: []string{"info@example.com"}},
		contact.Contact{ID: "twice", Name: "DOE, Jane", Phones: []string{"(415) 555-0199"}},
	)
	for n := range 5 {
		crm.Put(contact.Contact{ID: fmt.Sprint("colleague-", n), Name: fmt.Sprint("Colleague No", n), Phones: []string{switchboard}, Emails: []string{"info@example.com"}})
	}
	erp.Put(
		contact.Contact{ID: "77", Name: "Jane Doe", Emails: []string{"JANE@example.com"}},
		contact.Contact{ID: "jane", Name: "Jane D. (old)", Phones: []string{mobile}, URL: "https://crm.example.com/1"},
		contact.Contact{ID: "jane-2", Name: "Somebody Else", Phones: []string{mobile}, URL: "https://crm.example.com/2"},
	)
	f.add(t, crm)
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: directory.Key{Account: "acme", Integration: "erp"}, Bridge: erp.url}, good))
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	eventually(t, "erp has run", func() bool {
		v, err := f.Integration(t.Context(), directory.Key{Account: "acme", Integration: "erp"})
		return err == nil && v.Status.Health == registry.HealthOK
	})
	person, err := f.Person(t.Context(), crmKey, "jane")
	must(t, err)
	var same, others []string
	for i, k := range person.Others {
		ref := k.Key.Integration + "/" + k.Contact.ID
		if k.Same {
			same = append(same, ref)
			if i > 0 && !person.Others[i-1].Same {
				t.Errorf("%s comes after a contact of someone who may be another person", ref)
			}
		} else {
			others = append(others, ref)
		}
	}
	slices.Sort(same)
	// The mobile is that of three names, so it alone does not tell that DOE, Jane is the same; a page of the service does.
	if want := []string{"erp/77", "erp/jane"}; !slices.Equal(same, want) {
		t.Errorf("%q are taken for Jane, want %q", same, want)
	}
	if len(others) != 9 {
		t.Errorf("%q are shown beside her, want nine", others)
	}
}
