package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
)

// diagnose says what an error of the server or the connection means, and what to do. about is the DN that was asked for, or
// empty. An error that says so already is returned as it is.
func diagnose(err error, about string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*bridge.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*tlsError](err); ok {
		return encryption(e)
	}
	answer, ok := errors.AsType[*client.Error](err)
	if !ok || isOurs(answer.ResultCode) {
		return connectionError(err)
	}
	e := &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "the server refused a search" + of(about), Err: &resultCode{answer.ResultCode},
		Hint: "Check base and filter.",
	}
	explain(e, answer, about)
	return e
}

// isOurs reports whether a result is one that the library makes when no server answered.
func isOurs(code uint16) bool { return code >= client.ErrorNetwork && code < 300 }

func of(about string) string {
	if about == "" {
		return ""
	}
	return " of " + about
}

// A resultCode is the server's answer without its text, which may show a name or a value.
type resultCode struct{ code uint16 }

func (r *resultCode) Error() string {
	if name := client.LDAPResultCodeMap[r.code]; name != "" {
		return fmt.Sprintf("result %d, %s", r.code, name)
	}
	return fmt.Sprintf("result %d", r.code)
}

// explain fills in what is known about a result.
func explain(e *bridge.Error, answer *client.Error, about string) {
	say := func(code bridge.Code, message, hint string) { e.Code, e.Message, e.Hint = code, message, hint }
	switch answer.ResultCode {
	case client.LDAPResultInvalidCredentials:
		message, hint := refusedLogin(answer)
		say(bridge.CodeUnauthorized, message, hint)
	case client.LDAPResultInappropriateAuthentication, client.LDAPResultAuthMethodNotSupported:
		say(bridge.CodeUnauthorized, "the server does not allow this way to log in", "Set bind_dn and password; some servers want an encrypted connection first: set start_tls: true.")
	case client.LDAPResultStrongAuthRequired, client.LDAPResultConfidentialityRequired:
		say(bridge.CodeSourceBroken, "the server wants an encrypted connection", "Set start_tls: true, or write ldaps:// in url.")
	case client.LDAPResultInsufficientAccessRights:
		say(bridge.CodeUnauthorized, "the reader has no right to read"+of(about), "Give the user of bind_dn the right to read and search there.")
	case client.LDAPResultNoSuchObject:
		say(bridge.CodeSourceBroken, fmt.Sprintf("there is no %s, or the reader may not see it", about), "Check base, bases and member_of, and what the user of bind_dn may read.")
	case client.LDAPResultInvalidDNSyntax:
		say(bridge.CodeSourceBroken, "the server does not understand the DN"+of(about), "Check bind_dn, base and bases.")
	case client.LDAPResultSizeLimitExceeded, client.LDAPResultAdminLimitExceeded:
		say(bridge.CodeSourceBroken, "the server stopped at its limit, so that entries are missing"+of(about),
			"Let the user of bind_dn read all entries in pages (OpenLDAP: limits … size.prtotal=unlimited; 389: nsSizeLimit, nsLookThroughLimit, nsPagedSizeLimit of the user), or set filter.")
	case client.LDAPResultTimeLimitExceeded:
		say(bridge.CodeSourceTimeout, "the server stopped at its time limit"+of(about), "Index what filter asks for, or raise the limit for the user of bind_dn.")
	case client.LDAPResultUnavailableCriticalExtension:
		say(bridge.CodeSourceBroken, "the server, or a proxy before it, does not support what was asked for (paged results, RFC 2696)",
			"Allow the control for the user of bind_dn, or read from the server itself. With changes: sync it may be the control of RFC 4533.")
	case client.LDAPResultOperationsError:
		say(bridge.CodeUnauthorized, "the server wants a login before it answers", "Set bind_dn and password.")
	case client.LDAPResultReferral:
		say(bridge.CodeSourceBroken, "another server has the entries"+of(about), "Write the address of that server in url: preview shows it. References are not followed.")
	case client.LDAPResultUnwillingToPerform:
		say(bridge.CodeSourceBroken, "the server is unwilling to answer"+of(about), "It may allow no anonymous reader (set bind_dn), or no search without an index (index what filter asks for).")
	case client.LDAPResultBusy, client.LDAPResultUnavailable, client.LDAPResultServerDown:
		say(bridge.CodeSourceUnavailable, "the server is too busy or not ready", "Try again later.")
		e.RetryAfter = 10 * time.Second
	case client.LDAPResultProtocolError:
		say(bridge.CodeSourceBroken, "the server does not understand what it was asked", "start_tls may be missing on the server: leave it out, or use ldaps://.")
	}
}

// activeDirectory finds the reason in an answer of Active Directory to a login.
var activeDirectory = regexp.MustCompile(`\bdata ([0-9a-fA-F]{2,4})\b`)

// refusedLogin says why a login failed.
func refusedLogin(answer *client.Error) (message, hint string) {
	message, hint = "the server refused bind_dn and password", "Check both. bind_dn is the whole DN; with Active Directory name@domain is good too."
	found := activeDirectory.FindStringSubmatch(answer.Error())
	if found == nil {
		return message, hint
	}
	switch found[1] {
	case "530", "531":
		return "the reader may not log in at this time or from here", "Allow the account of bind_dn to log on at any time and from any machine."
	case "532", "773":
		return "the reader's password has expired", "Set a new one, and let it never expire."
	case "533":
		return "the reader's account is disabled", "Enable the account of bind_dn."
	case "701":
		return "the reader's account has expired", "Extend the account of bind_dn."
	case "775":
		return "the reader's account is locked", "Unlock the account of bind_dn: somebody tried wrong passwords."
	}
	return message, hint
}

var errEncryption = errors.New("TLS failed")

// encryption says why a connection could not be encrypted.
func encryption(err *tlsError) error {
	e := &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "the connection cannot be encrypted", RetryAfter: 5 * time.Second,
		Hint: "Does the server speak TLS on this port? ldaps:// is port 636; ldap:// with start_tls: true is port 389.", Err: errEncryption,
	}
	var certificate *tls.CertificateVerificationError
	var name x509.HostnameError
	var answer *client.Error
	switch {
	case errors.As(err.err, &name):
		e.Code, e.RetryAfter = bridge.CodeSourceBroken, 0
		e.Message, e.Hint = "the server's certificate is for another name", "Write in url the name that the certificate has."
	case errors.As(err.err, &certificate), errors.As(err.err, new(x509.UnknownAuthorityError)):
		e.Code, e.RetryAfter = bridge.CodeSourceBroken, 0
		e.Message, e.Hint = "the server's certificate is not trusted", "Name the certificates of the authority that signed it with ca."
	case errors.As(err.err, &answer) && !isOurs(answer.ResultCode):
		e.Code, e.RetryAfter = bridge.CodeSourceBroken, 0
		e.Message, e.Hint = "the server does not start TLS", "Set TLS up on the server, or leave start_tls out."
	}
	return e
}

// connectionError is the error of no connection, or of one that broke.
func connectionError(err error) error {
	e := &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "the server cannot be reached", RetryAfter: 5 * time.Second,
		Hint: "Is it running, and is url right? A server that wants TLS at once needs ldaps://.",
	}
	var dns *net.DNSError
	var operation *net.OpError
	switch {
	case errors.As(err, &dns):
		e.Err, e.Hint = errors.New("its name cannot be resolved"), "Is the host in url right?"
	case errors.As(err, &operation):
		e.Err = operation.Err // without the addresses
	default:
		e.Err = errors.New("the connection broke")
	}
	return e
}
