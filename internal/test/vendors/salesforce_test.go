package vendors

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func soqlCall(s *Salesforce, token, path, q string) call {
	return call{url: "https://" + s.host() + "/services/data/v60.0/" + path + "?q=" + escape(q), header: map[string]string{"Authorization": "Bearer " + token}}
}

func TestSalesforceIsStrict(t *testing.T) {
	s := NewSalesforce(nil, "acme")
	token := s.OAuth.Token()
	for code, queries := range map[string][]string{
		"INVALID_FIELD": {
			"SELECT Surname FROM Contact", "SELECT Company FROM Contact", "SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-01T00:00:00Z'",
			"SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01", "SELECT Id FROM Contact WHERE Id > 003", "SELECT Id FROM Contact ORDER BY Surname",
			"SELECT Id FROM Contact WHERE IsDeleted = 'true'",
		},
		"INVALID_TYPE": {"SELECT Id FROM Contacts"},
		"MALFORMED_QUERY": {
			"", "SELECT Id", "SELECT Id FROM Contact WHERE Id LIKES 'x'", "SELECT Id FROM Contact LIMIT ten", "SELECT Id FROM Contact LIMIT 10 WHERE Id = 'x'",
			"SELECT Id FROM Contact WHERE Id = 'x' AND Name = 'y' OR Name = 'z'", "SELECT Id FROM Contact WHERE Name = 'x",
		},
		"NUMBER_OUTSIDE_VALID_RANGE": {"SELECT Id FROM Contact LIMIT 10 OFFSET 2001"},
	} {
		for _, q := range queries {
			status, _, body := do(t, s, soqlCall(s, token, "query", q))
			if status != http.StatusBadRequest || at(body, 0, "errorCode") != code {
				t.Errorf("%s: status %d, %v, want %s", q, status, body, code)
			}
		}
	}
	parameter := soqlCall(s, token, "query", "SELECT Id FROM Contact")
	parameter.url += "&page=2"
	batch := soqlCall(s, token, "query", "SELECT Id FROM Contact")
	batch.header["Sforce-Query-Options"] = "batchSize=100"
	refuses(t, s, http.StatusBadRequest, map[string]call{"an unknown parameter": parameter, "too small a batch": batch})
	refuses(t, s, http.StatusUnauthorized, map[string]call{"another token": soqlCall(s, "x", "query", "SELECT Id FROM Contact")})
	refuses(t, s, http.StatusRequestURITooLong, map[string]call{"too long a query": soqlCall(s, token, "query", "SELECT Id FROM Contact WHERE Name = '"+strings.Repeat("x", 17<<10)+"'")})
	s.Throttle(1)
	status, header, body := do(t, s, soqlCall(s, token, "query", "SELECT Id FROM Contact"))
	want(t, status, http.StatusForbidden)
	want(t, header.Get("Retry-After"), "")
	want(t, at(body, 0, "errorCode"), "REQUEST_LIMIT_EXCEEDED")
}

func TestSalesforceQueries(t *testing.T) {
	clock := new(Clock)
	s := NewSalesforce(clock.Now, "acme")
	token := s.OAuth.Token()
	for i := range 6 {
		s.Put(noon.Add(time.Duration(i/3)*time.Second), fmt.Sprintf("00300000000000%dAAA", i), Fields{"LastName": "Doe", "Account.Name": map[bool]any{true: "Acme"}[i%2 == 0]})
	}
	s.Leads.Create(Fields{"LastName": "Lead", "Company": "Acme"})
	get := func(path, q string) any { return ok(t, s, soqlCall(s, token, path, q)) }
	body := get("query", "SELECT Id, LastName, Account.Name, SystemModstamp FROM Contact WHERE SystemModstamp > 2026-03-01T12:00:00.000Z "+
		"OR (SystemModstamp = 2026-03-01T12:00:00Z AND Id > '003000000000001AAA') ORDER BY SystemModstamp ASC, Id ASC LIMIT 3")
	want(t, column(at(body, "records"), "Id"), "003000000000002AAA 003000000000003AAA 003000000000004AAA")
	want(t, at(body, "records", 0, "Account", "Name"), "Acme")
	want(t, at(body, "records", 1, "Account"), nil)
	want(t, at(body, "records", 0, "SystemModstamp"), "2026-03-01T12:00:00.000+0000")
	want(t, at(get("query", "SELECT COUNT() FROM Lead"), "totalSize"), 1.0)

	s.Merge("003000000000000AAA", "003000000000001AAA")
	s.Delete(clock.Now(), "003000000000005AAA")
	want(t, at(get("query", "SELECT COUNT() FROM Contact"), "totalSize"), 4.0)
	gone := get("queryAll", "SELECT Id, MasterRecordId, SystemModstamp FROM Contact WHERE IsDeleted = true ORDER BY Id")
	want(t, column(at(gone, "records"), "MasterRecordId"), "003000000000001AAA ")
	if at(gone, "records", 0, "SystemModstamp") == "2026-03-01T12:00:00.000+0000" {
		t.Error("a deletion does not move SystemModstamp")
	}
	deleted := func(start, end time.Duration) call {
		form := url.Values{"start": {clock.Now().UTC().Add(start).Format(time.RFC3339)}, "end": {clock.Now().UTC().Add(end).Format(time.RFC3339)}}
		return call{url: "https://acme.my.salesforce.com/services/data/v60.0/sobjects/Contact/deleted/?" + form.Encode(), header: map[string]string{"Authorization": "Bearer " + token}}
	}
	want(t, column(at(ok(t, s, deleted(-time.Hour, time.Hour)), "deletedRecords"), "id"), "003000000000000AAA 003000000000005AAA")
	refuses(t, s, http.StatusBadRequest, map[string]call{"too long ago": deleted(-16*24*time.Hour, 0), "backwards": deleted(0, -time.Hour)})
	clock.Advance(16 * 24 * time.Hour)
	token = s.OAuth.Token()
	want(t, at(get("queryAll", "SELECT COUNT() FROM Contact"), "totalSize"), 4.0)
}

func TestSalesforceCursorsBelongToASession(t *testing.T) {
	s := NewSalesforce(nil, "acme")
	for range 450 {
		s.Create(Fields{"LastName": "Doe"})
	}
	token := s.OAuth.Token()
	first := soqlCall(s, token, "query", "SELECT Id FROM Contact ORDER BY Id")
	first.header["Sforce-Query-Options"] = "batchSize=200"
	body := ok(t, s, first)
	want(t, at(body, "done"), false)
	want(t, len(at(body, "records").([]any)), 200)
	next := call{url: "https://acme.my.salesforce.com" + at(body, "nextRecordsUrl").(string), header: first.header}
	want(t, len(at(ok(t, s, next), "records").([]any)), 200)
	other := next
	other.header = map[string]string{"Authorization": "Bearer " + s.OAuth.Token()}
	refuses(t, s, http.StatusBadRequest, map[string]call{"another session": other})
	for range 10 {
		ok(t, s, first)
	}
	refuses(t, s, http.StatusBadRequest, map[string]call{"the eleventh cursor": next})
}

func TestSalesforceGrantsTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSalesforce(nil, "acme")
	s.OAuth.Key = &key.PublicKey
	post := func(host string, form url.Values) (int, any) {
		status, _, body := do(t, s, call{
			method: http.MethodPost, url: "https://" + host + "/services/oauth2/token", body: form.Encode(),
			header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		})
		return status, body
	}
	client := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.OAuth.ClientID}, "client_secret": {s.OAuth.ClientSecret}}
	status, body := post("acme.my.salesforce.com", client)
	want(t, status, http.StatusOK)
	want(t, at(body, "instance_url"), "https://acme.my.salesforce.com")
	status, _ = post("login.salesforce.com", client)
	want(t, status, http.StatusBadRequest)

	assertion := func(audience string, life time.Duration) url.Values {
		part := func(v any) string {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return base64.RawURLEncoding.EncodeToString(text)
		}
		signed := part(map[string]any{"alg": "RS256"}) + "." +
			part(map[string]any{"iss": s.OAuth.ClientID, "sub": "sync@example.com", "aud": audience, "exp": time.Now().Add(life).Unix()})
		sum := sha256.Sum256([]byte(signed))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{"grant_type": {JWTBearer}, "assertion": {signed + "." + base64.RawURLEncoding.EncodeToString(signature)}}
	}
	for _, c := range []struct {
		form   url.Values
		status int
	}{
		{assertion("https://login.salesforce.com", time.Minute), http.StatusOK},
		{assertion("https://test.salesforce.com", time.Minute), http.StatusBadRequest},
		{assertion("https://login.salesforce.com", -time.Minute), http.StatusBadRequest},
	} {
		status, _ = post("login.salesforce.com", c.form)
		want(t, status, c.status)
	}
}
