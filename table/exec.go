package table

import (
	"context"
	"errors"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
)

// run sends a statement that returns no rows.
func run(ctx context.Context, conn *db.DB, st statement) error {
	_, err := affect(ctx, conn, st)
	return err
}

// affect sends a statement and returns the number of rows that it affected.
func affect(ctx context.Context, conn *db.DB, st statement) (n int64, err error) {
	if st.none {
		return 0, nil
	}
	err = conn.Exchange(ctx, dialect.Exchange{
		Query: st.sql,
		Send: func(ctx context.Context, live dialect.Live) (int64, error) {
			n, err = live.Exec(ctx, st.sql, st.args)
			return n, err
		},
	})
	return n, err
}

// ownError takes off what package db says around an error of this package, which says all itself.
func ownError(err error) error {
	if value, ok := errors.AsType[*ValueError](err); ok {
		return value
	}
	if column, ok := errors.AsType[*ColumnError](err); ok {
		return column
	}
	return err
}
