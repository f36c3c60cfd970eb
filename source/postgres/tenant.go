package postgres

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactbridge/contactbridge/source"
)

// tenant returns to whom the contacts of a connection belong: its server, database and user, and the settings of its session that decide
// which rows are seen and how they are written. Neither the password nor how the connection is secured is part of it.
func tenant(c *pgconn.Config) source.Settings {
	t := source.Settings{"tenant.hosts": hostList(c), "tenant.database": c.Database, "tenant.user": c.User}
	for name, value := range c.RuntimeParams {
		if name = strings.ToLower(name); shapesRows(name) && !(name == "datestyle" && value == "ISO") { // ISO is our own default
			t["tenant.setting."+name] = value
		}
	}
	return t
}

// hostList returns the servers that a connection may lead to, in whatever order they are tried.
func hostList(c *pgconn.Config) string {
	list := []string{address(c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		list = append(list, address(f.Host, f.Port))
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ",")
}

func address(host string, port uint16) string {
	if !strings.HasPrefix(host, "/") { // a socket's folder
		host = strings.ToLower(host)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// shapesRows reports whether a setting of a session decides which rows are seen, or how their values are written. One with
// a dot in its name is an application's own: row security may ask for it.
func shapesRows(name string) bool {
	switch name {
	case "search_path", "role", "session_authorization", "row_security", "options", "timezone", "datestyle", "intervalstyle",
		"bytea_output", "extra_float_digits", "xmlbinary", "lc_messages", "lc_monetary", "lc_numeric", "lc_time":
		return true
	}
	return strings.Contains(name, ".")
}
