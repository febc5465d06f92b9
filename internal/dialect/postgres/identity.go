package postgres

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/internal/dialect"
)

// Identity is the system identifier, which initdb has made and every replica and base backup shares, with the database's name and its number, which a
// database that is made anew from a dump does not have.
func (Dialect) Identity(ctx context.Context, q dialect.Queryer) (string, error) {
	const query = `SELECT 'postgres system ' || (SELECT system_identifier FROM pg_catalog.pg_control_system()) || ', database ' || datname || ' (' || oid || ')'
		FROM pg_catalog.pg_database WHERE datname = current_database()`
	names, err := dialect.Names(ctx, q, query)
	if err != nil {
		return "", fmt.Errorf("ask which database this is: %w", err)
	}
	return names[0], nil
}
