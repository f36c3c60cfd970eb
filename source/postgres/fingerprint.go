package postgres

import (
	"context"
	"strconv"

	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Fingerprint implements [sqltable.Fingerprinter]: the number of rows, and two sums of hashes, whatever their order.
func (s *session) Fingerprint(ctx context.Context, t *sqltable.Table, list string) (string, error) {
	var rows int64
	var a, b string
	err := s.QueryRow(ctx, "SELECT count(*), coalesce(sum(hashtextextended(r::text, 1)), 0)::text, coalesce(sum(hashtextextended(r::text, 2)), 0)::text FROM (SELECT "+
		list+" FROM "+t.From+") AS r").Scan(&rows, &a, &b)
	return strconv.FormatInt(rows, 10) + "/" + a + "/" + b, err
}
