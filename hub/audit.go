package hub

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// AuditFile is what an export of the audit log is called.
const AuditFile = "audit.csv"

// Audit lists audit entries, newest first.
func (h *Hub) Audit(ctx context.Context, f registry.Filter) ([]registry.AuditEntry, error) {
	if err := permit(ctx, registry.ScopeAdmin, f.Account); err != nil {
		return nil, err
	}
	return h.Registry.Audit(ctx, f)
}

// WriteAudit writes all audit entries that a filter chooses as CSV, newest first, and notes that somebody took them along.
func (h *Hub) WriteAudit(ctx context.Context, w io.Writer, f registry.Filter) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"id", "time", "who", "what", "account", "about", "detail"}) // Flush says what went wrong
	f.Limit = 1000
	for {
		list, err := h.Audit(ctx, f)
		if err != nil {
			return err
		}
		for _, e := range list {
			f.Before = e.ID
			_ = out.Write(auditRow(e))
		}
		out.Flush()
		if err := out.Error(); err != nil {
			return err
		}
		if len(list) < f.Limit {
			return h.Note(ctx, "audit.export", f.Account, "", "")
		}
	}
}

func auditRow(e registry.AuditEntry) []string {
	row := []string{strconv.FormatInt(e.ID, 10), e.Time.UTC().Format(time.RFC3339), e.Actor, e.Action, e.Account, e.Subject, e.Detail}
	for n, cell := range row {
		row[n] = noFormula(cell)
	}
	return row
}

// noFormula keeps a spreadsheet from calculating a cell.
func noFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
