package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func odooCall(body string) call {
	return call{
		method: http.MethodPost, url: "https://acme.odoo.com/json/2/res.partner/search_read", body: body,
		header: map[string]string{"Authorization": "bearer odoo-key"},
	}
}

func TestOdooIsStrict(t *testing.T) {
	o := NewOdoo(nil)
	o.Create(Fields{"name": "Doe"})
	refuses(t, o, http.StatusUnprocessableEntity, map[string]call{
		"a date of ISO":        odooCall(`{"domain":[["write_date",">","2026-01-01T00:00:00Z"]]}`),
		"an unknown field":     odooCall(`{"fields":["surname"]}`),
		"an unknown condition": odooCall(`{"domain":[["surname","=","x"]]}`),
		"an unknown operator":  odooCall(`{"domain":[["name","is","x"]]}`),
		"half a domain":        odooCall(`{"domain":["|",["name","=","x"]]}`),
		"an unknown order":     odooCall(`{"order":"surname asc"}`),
		"no such direction":    odooCall(`{"order":"name up"}`),
	})
	refuses(t, o, http.StatusUnprocessableEntity, map[string]call{"an unknown argument": odooCall(`{"page":2}`)})
	form := odooCall(`{}`)
	form.header = map[string]string{"Authorization": "bearer odoo-key", "Content-Type": "text/plain"}
	refuses(t, o, http.StatusUnsupportedMediaType, map[string]call{"another type": form})
	form.header = nil
	refuses(t, o, http.StatusUnauthorized, map[string]call{"no key": form})
	o.Several = true
	refuses(t, o, http.StatusNotFound, map[string]call{"no database": odooCall(`{}`)})
}

func TestOdooReadsDomains(t *testing.T) {
	o := NewOdoo(nil)
	for i := range 4 {
		o.Put(noon.Add(time.Duration(i/2)*time.Second+300*time.Millisecond), fmt.Sprint(i+9), Fields{"name": fmt.Sprint("Doe ", i), "active": i != 1})
	}
	get := func(body string) any { return ok(t, o, odooCall(body)) }
	body := get(`{"domain":[["write_date",">=","2026-03-01 12:00:00"]],"fields":["name","email","write_date"],"order":"write_date asc, id asc","limit":2}`)
	want(t, column(body, "id"), "9 11")
	want(t, at(body, 0, "email"), false)
	want(t, at(body, 0, "write_date"), "2026-03-01 12:00:00")
	// A stamp of seconds finds nothing by equality: the column has microseconds.
	want(t, column(get(`{"domain":[["write_date","=","2026-03-01 12:00:00"]]}`), "id"), "")
	want(t, column(get(`{"domain":["|",["write_date",">","2026-03-01 12:00:01"],"&",["write_date","<","2026-03-01 12:00:01"],["id",">",9]],
		"order":"id desc","context":{"active_test":false}}`), "id"), "12 11 10")
	want(t, column(get(`{"domain":[["id",">",9],["id","<",12]],"order":"id"}`), "id"), "11")
}

func TestOdooAnswersJSONRPC(t *testing.T) {
	o := NewOdoo(nil)
	o.Put(noon, "7", Fields{"name": "Doe"})
	rpc := func(params string) any {
		return ok(t, o, call{method: http.MethodPost, url: "https://acme.odoo.com/jsonrpc", body: `{"jsonrpc":"2.0","method":"call","id":1,"params":` + params + `}`})
	}
	want(t, at(rpc(`{"service":"common","method":"login","args":["acme","sync@example.com","odoo-key"]}`), "result"), 2.0)
	want(t, at(rpc(`{"service":"common","method":"login","args":["acme","sync@example.com","x"]}`), "result"), false)
	read := `{"service":"object","method":"execute_kw","args":["acme",2,"%s","res.partner","search_read",[[["id",">",6]]],{"fields":["name"],"limit":5}]}`
	want(t, at(rpc(fmt.Sprintf(read, "odoo-key")), "result", 0, "name"), "Doe")
	want(t, at(rpc(fmt.Sprintf(read, "x")), "error", "data", "name"), "odoo.exceptions.AccessDenied")
	o.Expire(0)
	want(t, at(rpc(fmt.Sprintf(read, "odoo-key")), "error", "data", "message"), "Access Denied")
}
