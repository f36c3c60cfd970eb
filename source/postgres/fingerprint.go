package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/bridge"
)

// fingerprintPrefix begins the checkpoints of sources without an updated field.
const fingerprintPrefix = "all/"

func isFingerprint(c bridge.Checkpoint) bool {
	return len(c) > len(fingerprintPrefix) && c[:len(fingerprintPrefix)] == fingerprintPrefix
}

// fingerprint is a checkpoint of everything that is read (E10): the number of rows, and two sums of hashes, whatever their
// order.
func fingerprint(ctx context.Context, conn *pgxpool.Conn, s *shape) (bridge.Checkpoint, error) {
	var rows int64
	var a, b string
	err := conn.QueryRow(ctx, "SELECT count(*), coalesce(sum(hashtextextended(r::text, 1)), 0)::text, coalesce(sum(hashtextextended(r::text, 2)), 0)::text FROM (SELECT "+
		s.selectList()+" FROM "+s.from+") AS r").Scan(&rows, &a, &b)
	if err != nil {
		return "", fmt.Errorf("take fingerprint: %w", err)
	}
	return bridge.Checkpoint(fingerprintPrefix + strconv.FormatInt(rows, 10) + "/" + a + "/" + b), nil
}
