package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestCallerPathIsAsTheMuxReadsIt compares every path that is read without the mux with what the mux makes of it.
func TestCallerPathIsAsTheMuxReadsIt(t *testing.T) {
	var number string
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+lookUpCallerPath, func(_ http.ResponseWriter, r *http.Request) { number = r.PathValue("number") })
	quick := 0
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		for _, begin := range []string{"/api/v1/callers/", "/api/v1/callers", "/api/v1//callers/", "/api/v1/x/../callers/", "/api%2Fv1/callers/", "/api/v1/%63allers/", "/api/v1/callers/./"} {
			for _, rest := range []string{
				"+14155550100", "%2B14155550100", "020%207946%200958", "1", "", ".", "..", "%2E", "%2e%2E", "a/b", "a%2Fb", "a/", "/a", "%2F", "..;a", "%25", "é", "%C3%A9", "a;b", "a:b", "%00",
			} {
				r := httptest.NewRequest(method, begin+rest, nil)
				got, is := callerPath(r)
				if !is {
					continue
				}
				quick++
				w := httptest.NewRecorder()
				number = "not asked"
				mux.ServeHTTP(w, r)
				if w.Code != http.StatusOK || number != got {
					t.Errorf("%s %s: read as %q; the mux answers %d and reads %q", method, begin+rest, got, w.Code, number)
				}
			}
		}
	}
	if quick < 10 {
		t.Errorf("only %d paths are read without the mux", quick)
	}
}
