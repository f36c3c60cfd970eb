package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/contactbridge/contactbridge/internal/postgresdb"
)

// poolSize is how many connections a process holds unless the URL says so with pool_max_conns.
const poolSize = 8

// tables are a registry's. Their lock is "cbhb".
var tables = &postgresdb.Tables{
	Name: "registry", Lock: 0x63626862, Versions: postgresdb.Schema + ".registry_migrations", Migrations: migrations, Folder: "migrations/postgres", Steps: steps,
}

func postgresDialect() *dialect {
	return &dialect{
		// The directory may share the schema, so the registry's tables have names of their own. The schema stands before each of
		// them: a search_path would be lost in a pooler.
		words: words("hub.", "contactbridge.hub_",
			"{lock}", "FOR UPDATE", "{skip}", "FOR UPDATE SKIP LOCKED", "{skip w, d}", "FOR UPDATE OF w, d SKIP LOCKED",
			"{words $1}", "jsonb_array_elements_text(CAST(CAST($1 AS TEXT) AS JSONB)) AS word (value)",
			"{soon}", " AND set_config('synchronous_commit', 'off', true) = 'off'"),
		refusal: refusedByPostgres,
		explain: postgresdb.Explain,
	}
}

func openPostgres(ctx context.Context, at string, o OpenOptions) (*DB, error) {
	d := &DB{dialect: postgresDialect(), options: o}
	if err := d.connectPostgres(ctx, at); err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry on PostgreSQL: %w", err), d.Close())
	}
	return d, nil
}

func (d *DB) connectPostgres(ctx context.Context, at string) error {
	config, err := postgresdb.Parse(at, poolSize)
	if err != nil {
		return err
	}
	if d.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	d.writer = stdlib.OpenDBFromPool(d.pool)
	d.reader = d.writer
	return tables.Upgrade(ctx, d.pool)
}

func refusedByPostgres(err error) refusal {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "23505", "42P06":
			return refusedDouble
		case "23503":
			return refusedMissing
		}
	}
	return refusedNot
}
