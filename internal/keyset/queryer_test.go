package keyset_test

import (
	"context"
	"database/sql"

	"github.com/drover-dev/drover/internal/sqltext"
)

// queryer rebinds placeholders as package db does.
type queryer struct{ *walk }

func (q queryer) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	query, _, err := sqltext.Rebind(q.d.Syntax(), query)
	if err != nil {
		return nil, err
	}
	return q.db.QueryContext(ctx, query, args...)
}
