package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Diagnose implements [sqltable.Database].
func (db *database) Diagnose(err error) sqltable.Diagnosis {
	var e *driver.MySQLError
	if !errors.As(err, &e) {
		return sqltable.Diagnosis{Error: connectionError(err)}
	}
	state := string(e.SQLState[:])
	return sqltable.Diagnosis{
		Error:     serverError(e, state),
		Statement: isStatement(e, state),
		Message:   e.Message, Hint: statementHint(e), Cause: &number{e},
	}
}

// isStatement reports whether the server refuses the text of a statement.
func isStatement(e *driver.MySQLError, state string) bool {
	switch e.Number {
	case 1044, errNoPrivilege, 1226: // no database, no privilege, a user's limit: all of class 42
		return false
	case 1267, 1270, 1271, 1139, 1305, 1370, 1356, 1690: // collations that do not mix, functions, a broken view, a number out of range
		return true
	}
	return state[:2] == "42" || state[:2] == "21"
}

// statementHint says what to do about an expression that the server does not like.
func statementHint(e *driver.MySQLError) string {
	switch e.Number {
	case 1146:
		return "Another database's table is written database.table; upper and lower case of names matter on most servers."
	case 1142, 1143:
		return grantSelect
	case errSyntax, 1305:
		return "Texts stand in single quotes; a || b joins texts only with sql_mode PIPES_AS_CONCAT: write concat(a, b) or concat_ws(' ', a, b)."
	case 1267, 1270, 1271:
		return "Write COLLATE behind one of the texts."
	}
	return ""
}

const grantSelect = "GRANT SELECT on what is read to the user of dsn."

// serverError is the error that the server answered with. Its text is the server's own where that holds neither a credential nor a value.
func serverError(e *driver.MySQLError, state string) error {
	b := &bridge.Error{Code: bridge.CodeSourceBroken, Message: "the database refused a query", Err: &number{e}}
	switch e.Number {
	case 1045, 1698, 1251, 1820, 1862, 3118, 1130, 4151:
		b.Code, b.Message = bridge.CodeUnauthorized, "the database refused the credentials"
		b.Hint = "Check the user and the password in dsn, and from which hosts the user may connect."
	case 1044:
		b.Code, b.Message, b.Hint = bridge.CodeUnauthorized, "the user may not use the database", "Check the database's name in dsn, and GRANT SELECT on it to the user."
	case 1049:
		b.Message, b.Hint = "the database does not exist", "Check the database's name in dsn."
	case 1317, 1969, 3024, 1205, 1028, 1907:
		b.Code, b.Message = bridge.CodeSourceTimeout, "the database cancelled a query that took too long"
		b.Hint = "Is there an index on (updated, id)? preview shows the statement that makes one."
	case 1040, 1203, 1226, 1037, 1041, 1021, 1114, 1129:
		b.Code, b.RetryAfter = bridge.CodeSourceUnavailable, 10*time.Second
		b.Message, b.Hint = "the server has no room for a connection", "The server is out of connections, memory or disk, or this user has reached a limit."
	case 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1213, 1927, 4031:
		b.Code, b.RetryAfter = bridge.CodeSourceUnavailable, 5*time.Second
		b.Message, b.Hint = "the server ended the connection", "The server is starting, stopping or failing over: try again."
	case 1792:
		b.Hint = "The bridge only reads: no expression of the source may write."
	case 1142, 1143, errNoPrivilege:
		b.Message, b.Hint = "the database refused a query: "+e.Message, grantSelect
	default:
		if state[:2] == "42" {
			b.Message = "the database refused a query: " + e.Message
			b.Hint = "Check table, query, id, updated, deleted and fields: preview names the one."
		}
	}
	return b
}

// A number is the server's error without what it knows about the rows.
type number struct{ e *driver.MySQLError }

func (n *number) Error() string { return fmt.Sprintf("error %d (%s)", n.e.Number, n.e.SQLState[:]) }

// namesOf lists the names of a certificate, for a hint.
func namesOf(c *x509.Certificate) string {
	if c == nil || len(c.DNSNames) == 0 {
		return ""
	}
	return ", such as " + c.DNSNames[0]
}

// connectionError is the error of no connection, or of one that broke.
func connectionError(err error) error {
	e := &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "the database cannot be reached", RetryAfter: 5 * time.Second,
		Hint: "Is the server running, and are host and port in dsn right?",
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var operation *net.OpError
	var otherName x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &dns):
		e.Err = errors.New("its name cannot be resolved")
		e.Hint = "Is the host in dsn right? A user or password that is written into the URL itself must be percent-encoded; the value of ${NAME} there is escaped by itself."
	case errors.As(err, &otherName):
		e.Message, e.Err = "the server's certificate is for another name", errors.New("its certificate cannot be verified")
		e.Hint = "Write in dsn the name that the certificate has" + namesOf(otherName.Certificate) + "."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Message, e.Err, e.Hint = "the server's certificate has expired, or is not valid yet", errors.New("its certificate cannot be verified"), "Renew it, and check the clocks of both machines."
	case errors.As(err, &certificate), errors.As(err, new(x509.UnknownAuthorityError)):
		e.Message, e.Err = "the server's certificate is not trusted", errors.New("its certificate cannot be verified")
		e.Hint = "Name the authority's certificates with ca in dsn."
	case errors.Is(err, driver.ErrNoTLS):
		e.Message, e.Err, e.Hint = "the server has no TLS", driver.ErrNoTLS, "Set it up on the server, or write tls=preferred in dsn."
	case errors.Is(err, driver.ErrCleartextPassword), errors.Is(err, driver.ErrOldPassword), errors.Is(err, driver.ErrUnknownPlugin):
		e.Code, e.Message, e.Err = bridge.CodeUnauthorized, "the server wants the password in a way that is not supported", errors.New("unknown authentication plugin")
		e.Hint = "Use a user with mysql_native_password, caching_sha2_password or ed25519."
	case errors.As(err, &operation):
		e.Err = operation.Err // without the addresses
	default:
		e.Err = errors.New("the connection broke")
	}
	return e
}
