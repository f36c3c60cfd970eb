package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxErrorBody = 64 << 10 // of an error's body that is looked at
	maxQuoted    = 300      // bytes of the bridge's own words in an error
)

// failed returns the error of a request that got no complete answer.
func (a *answer) failed(cause error) error {
	if a.ctx.Err() != nil {
		return a.error(CodeCanceled, "the request was given up", "Start it again when it is wanted.", a.ctx.Err())
	}
	if errors.Is(cause, errTooBig) {
		return a.tooBig()
	}
	if a.timed.Err() != nil || isTimeout(cause) {
		return a.error(CodeTimeout, fmt.Sprintf("the bridge gave no complete answer within %v", a.limit),
			"Make the bridge's pages smaller, or end them by time; if it does not answer at all, look whether it is overloaded.", nil)
	}
	if urlError, ok := errors.AsType[*url.Error](cause); ok {
		cause = urlError.Err // the rest of it is the address, which may hold a secret
	}
	if a.res != nil {
		return a.error(CodeUnreachable, fmt.Sprintf("the answer broke off after %s", size(a.meter.read)),
			"Repeat the request; if it happens always, look at the bridge's log and at proxies in between.", cause)
	}
	message, hint := unreachable(cause)
	return a.error(CodeUnreachable, message, hint, cause)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// unreachable says why there was no connection, and what to look at.
func unreachable(cause error) (message, hint string) {
	if dns, ok := errors.AsType[*net.DNSError](cause); ok {
		return "the bridge's host name " + strconv.Quote(dns.Name) + " cannot be resolved", "Check the URL's host name and this machine's DNS."
	}
	if errors.Is(cause, syscall.ECONNREFUSED) {
		return "nothing listens at the bridge's address", "Start the bridge, or correct the URL's host and port."
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](cause); ok {
		return "the bridge's certificate is not valid", "Renew it, or make the URL's host name one that it was issued for; a private authority must be trusted by this machine."
	}
	if _, ok := errors.AsType[x509.HostnameError](cause); ok {
		return "the bridge's certificate was issued for another host", "Use the host name that it was issued for."
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](cause); ok || strings.Contains(cause.Error(), "HTTP response to HTTPS client") {
		return "the bridge does not speak HTTPS at this address", "Use http:// in the URL, or the port that serves HTTPS."
	}
	return "the bridge cannot be reached", "Check the URL, the network and whether the bridge runs."
}

// checkStatus turns every status that is not a success into its error.
func (a *answer) checkStatus() error {
	status := a.res.StatusCode
	switch {
	case status >= 300 && status < 400:
		return a.redirected()
	case status < 200 || status >= 400:
		return a.refused()
	case a.res.ContentLength > a.meter.left:
		return a.tooBig()
	}
	return nil
}

func (a *answer) tooBig() error {
	return a.error(CodeAnswerTooBig, "the answer is larger than "+size(a.most),
		"Make the bridge's pages smaller: a few hundred contacts are plenty.", nil)
}

func (a *answer) redirected() error {
	message := fmt.Sprintf("the bridge answers with a redirect (status %d)", a.res.StatusCode)
	if to, err := a.res.Location(); err == nil && to.Host != "" {
		message += " to " + to.Scheme + "://" + to.Host
	}
	return a.error(CodeRedirected, message,
		"Redirects are not followed, since the request holds credentials. Configure the final URL; a redirect to a login page means that something in front of the bridge asks for a login.", nil)
}

// refused returns the error of a status of 4xx or 5xx: by the bridge's own word (D5) where that agrees with the status, otherwise
// by the status.
func (a *answer) refused() error {
	body, err := io.ReadAll(io.LimitReader(a.body, maxErrorBody))
	if err != nil && a.timed.Err() != nil {
		return a.failed(err)
	}
	status := a.res.StatusCode
	e := a.error(codeOfStatus(status), "", hintOfStatus(status), nil)
	e.RetryAfter = parseRetryAfter(a.res.Header.Get("Retry-After"), time.Now())
	said, known := readErrorBody(body)
	by := others
	if known && HTTPStatus(said.Code) == status {
		e.Code, by = said.Code, ours
	}
	if said.Hint != "" {
		e.Hint = a.quoted(said.Hint, by)
	}
	if saneID(said.RequestID) {
		e.RequestID = said.RequestID
	}
	e.Message = strings.TrimSpace(fmt.Sprintf("the bridge answers %d %s", status, http.StatusText(status)))
	if a.client.Inside && by == ours && said.Message != "" {
		e.Message = a.quoted(said.Message, by)
		return e
	}
	if words := a.words(said.Message, by, body); words != "" {
		e.Message += ": " + words
	}
	return e
}

// words returns the text of an error's body, for an operator.
func (a *answer) words(said string, by wording, body []byte) string {
	text := strings.TrimSpace(string(body))
	switch {
	case said != "":
		return a.quoted(said, by)
	case strings.HasPrefix(text, "<"):
		return "an HTML page" + a.titled(text) + ", so it may come from a proxy in front of it"
	default:
		return a.quoted(text, others)
	}
}

// readErrorBody reads an error body: ours (D5), or something that others write in its place.
func readErrorBody(body []byte) (said Error, ours bool) {
	var wire struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(body, &wire) != nil {
		return Error{}, false
	}
	return readErrorValue(wire.Error, wire.Message)
}

// readErrorValue reads the value of error: an object as in D5, or a string.
func readErrorValue(value json.RawMessage, otherwise string) (said Error, ours bool) {
	var full struct {
		Code      any    `json:"code"` // a string is ours, a number somebody else's
		Message   string `json:"message"`
		Hint      string `json:"hint"`
		RequestID string `json:"request_id"`
	}
	var text string
	switch {
	case json.Unmarshal(value, &full) == nil && (full.Message != "" || full.Code != nil):
		name, _ := full.Code.(string)
		_, known := status[Code(name)]
		return Error{Code: Code(name), Message: full.Message, Hint: full.Hint, RequestID: full.RequestID}, known
	case json.Unmarshal(value, &text) == nil && text != "":
		return Error{Message: text}, false
	default:
		return Error{Message: otherwise}, false
	}
}

func codeOfStatus(status int) Code {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return CodeUnauthorized
	case http.StatusNotFound, http.StatusGone:
		return CodeNotFound
	case http.StatusMethodNotAllowed:
		return CodeMethodNotAllowed
	case http.StatusRequestTimeout:
		return CodeTimeout
	case http.StatusRequestEntityTooLarge:
		return CodeBodyTooLarge
	case http.StatusUnsupportedMediaType:
		return CodeUnsupportedMediaType
	case http.StatusTooManyRequests:
		return CodeRateLimited
	case http.StatusBadGateway:
		return CodeSourceBroken
	case http.StatusServiceUnavailable:
		return CodeSourceUnavailable
	case http.StatusGatewayTimeout:
		return CodeSourceTimeout
	}
	if status >= http.StatusInternalServerError {
		return CodeInternal
	}
	return CodeBadRequest
}

func hintOfStatus(status int) string {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "Check the credentials that are sent in auth."
	case status == http.StatusNotFound || status == http.StatusGone || status == http.StatusMethodNotAllowed:
		return "Check the URL: it must be that of the bridge's contact_sync endpoint, which takes POST."
	case status == http.StatusTooManyRequests:
		return "Wait, and synchronize less often or with smaller pages."
	case status >= http.StatusInternalServerError:
		return "Try again later; if it goes on, look at the bridge's log and at proxies in front of it."
	default:
		return "Look at the bridge's log for what it takes amiss in the request."
	}
}

// parseRetryAfter reads the header's value, seconds or a date; 0 where it is neither or has passed.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(0, min(seconds, int(24*time.Hour/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(at.Sub(now), 24*time.Hour))
	}
	return 0
}

// badBody returns the error of a body that could not be read as the protocol's.
func (a *answer) badBody(err error) error {
	if a.meter.err != nil && !errors.Is(a.meter.err, io.EOF) {
		return a.failed(a.meter.err)
	}
	if big, ok := errors.AsType[*pageTooBig](err); ok {
		return a.error(CodeAnswerTooBig, "the answer is too large: "+big.what,
			"Make the bridge's pages smaller: a few hundred contacts are plenty.", nil)
	}
	if field, ok := errors.AsType[*fieldError](err); ok {
		return a.badAnswer("the answer is not the protocol's: "+a.quoted(field.message, ours),
			"Mend the bridge; contactbridge check shows what it should answer.")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return a.error(CodeUnreachable, fmt.Sprintf("the answer's JSON breaks off after %s", size(a.meter.read)),
			"Repeat the request; if it happens always, look at the bridge's log: it fails while it writes.", nil)
	}
	if tooDeep(err) {
		return a.badAnswer(fmt.Sprintf("the answer's JSON is nested too deeply: more than %d values stand within each other", mostNested),
			"Mend the bridge: a page needs a few levels.")
	}
	return a.badAnswer(fmt.Sprintf("the answer is not valid JSON: it goes wrong within its first %s", size(max(a.json.InputOffset(), 1))),
		"Look at the answer itself: often a warning or an error page stands in the middle of the JSON.")
}

// mostNested is how deeply values may be nested in JSON.
const mostNested = 10_000

// tooDeep reports whether JSON is nested too deeply. The decoder has an error for it that only its text tells.
func tooDeep(err error) bool {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	return ok && syntax.Err != nil && strings.HasSuffix(syntax.Err.Error(), "max depth")
}

// errorWith200 returns the error of an answer that says that it is one, but not by its status.
func (a *answer) errorWith200(value json.RawMessage) error {
	said, _ := readErrorValue(value, "")
	message := "the bridge answers 200 with an error"
	if said.Message != "" {
		message += ": " + a.quoted(said.Message, others)
	}
	return a.badAnswer(message, "Mend the bridge: a failure must have a status of 4xx or 5xx, or it could be taken for no contacts.")
}

// html returns the error of a page for people where JSON is due.
func (a *answer) html() error {
	start, _ := io.ReadAll(io.LimitReader(a.body, maxErrorBody))
	return a.badAnswer(fmt.Sprintf("the answer is an HTML page%s, not JSON (status %d)", a.titled(string(start)), a.res.StatusCode),
		"Check the URL: this may be a login page, a web application's start page or a proxy's message.")
}

var titleElement = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// titled returns the page's title in a form that can follow "an HTML page"; empty if it has no title.
func (a *answer) titled(page string) string {
	found := titleElement.FindStringSubmatch(page)
	if found == nil {
		return ""
	}
	title := a.quoted(html.UnescapeString(found[1]), others)
	if title == "" {
		return ""
	}
	return " titled " + strconv.Quote(title)
}

func (a *answer) badAnswer(message, hint string) error {
	return a.error(CodeBadAnswer, message, hint, nil)
}

func (a *answer) error(code Code, message, hint string, cause error) *Error {
	e := &Error{Code: code, Message: message, Hint: hint, RequestID: a.id, Err: cause}
	if cause != nil && redact(cause.Error(), a.client.Auth, ours) != cause.Error() {
		e.Err = errors.New(a.quoted(cause.Error(), ours)) // malformed headers are quoted by net/http
	}
	if a.res != nil {
		e.Status = a.res.StatusCode
	}
	return e
}

// quoted makes somebody else's words fit for an error: one line, not too long, without the credentials.
func (a *answer) quoted(words string, by wording) string {
	words = redact(words, a.client.Auth, by)
	words = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(words, "\uFFFD"))
	words = strings.Join(strings.Fields(words), " ")
	if len(words) > maxQuoted {
		words = strings.ToValidUTF8(words[:maxQuoted], "") + "…"
	}
	return words
}
