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
			n, err = affectLive(ctx, live, st)
			return n, err
		},
	})
	return n, err
}

func affectLive(ctx context.Context, live dialect.Live, st statement) (int64, error) {
	if live.PGX != nil {
		tag, err := live.PGX.Exec(ctx, st.sql, st.args...)
		return tag.RowsAffected(), err
	}
	args, err := dialect.Args(live.Conn, st.args)
	if err != nil {
		return 0, err
	}
	result, err := dialect.ExecArgs(ctx, live.Conn, st.sql, args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
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
