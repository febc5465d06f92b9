package workload

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/bench/internal/measure"
)

// blocks measures an outermost block: an empty one, and one with a row in it, for which the database must write to the disk.
func blocks(ctx context.Context, s *site) error {
	empty := []measure.Side{each("Atomic", 1.10, func(ctx context.Context) error {
		return s.conn.Atomic(ctx, func(context.Context) error { return nil })
	})}
	base := each("BeginTx, Commit", 0, func(ctx context.Context) error {
		return s.rawTx(ctx, func(*sql.Tx) error { return nil })
	})
	if err := s.compare(ctx, "empty block", s.options.Plan, base, empty...); err != nil {
		return err
	}
	if s.native != nil {
		base := each("pgxpool BeginFunc", 0, func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, s.native, func(pgx.Tx) error { return nil })
		})
		if err := s.compare(ctx, "empty block", s.options.Plan, base, empty...); err != nil {
			return err
		}
	}

	if err := s.exec(ctx, `CREATE TABLE note (id `+s.autoKey()+`, body varchar(100) NOT NULL)`); err != nil {
		return err
	}
	insert := s.placeholders(`INSERT INTO note (body) VALUES (?)`)
	return s.compare(ctx, "block with one INSERT", s.options.Plan,
		each("BeginTx, Exec, Commit", 0, func(ctx context.Context) error {
			return s.rawTx(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, insert, "remember")
				return err
			})
		}),
		each("Atomic, Exec", 0, func(ctx context.Context) error {
			return s.conn.Atomic(ctx, func(ctx context.Context) error {
				return s.conn.Exec(ctx, `INSERT INTO note (body) VALUES (?)`, "remember")
			})
		}))
}

// rawTx is the transaction that everybody writes on database/sql.
func (s *site) rawTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// savepoints measures a nested block against a savepoint of the same transaction by hand.
func savepoints(ctx context.Context, s *site) error {
	inner := measure.Side{Name: "nested Atomic", Goal: 1.10, Run: func(ctx context.Context, n int) error {
		return s.conn.Atomic(ctx, func(ctx context.Context) error {
			for range n {
				if err := s.conn.Atomic(ctx, func(context.Context) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		})
	}}
	without := measure.Side{Name: "nested Atomic, NoSavepoint", Run: func(ctx context.Context, n int) error {
		return s.conn.Atomic(ctx, func(ctx context.Context) error {
			for range n {
				if err := s.conn.Atomic(ctx, func(context.Context) error { return nil }, noSavepoint); err != nil {
					return err
				}
			}
			return nil
		})
	}}
	base := measure.Side{Name: "SAVEPOINT, RELEASE", Run: func(ctx context.Context, n int) error {
		return s.rawTx(ctx, func(tx *sql.Tx) error {
			for range n {
				if _, err := tx.ExecContext(ctx, "SAVEPOINT s"); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT s"); err != nil {
					return err
				}
			}
			return nil
		})
	}}
	if err := s.compare(ctx, "nested block", s.options.Plan, base, inner, without); err != nil || s.native == nil {
		return err
	}
	native := measure.Side{Name: "pgx SAVEPOINT, RELEASE", Run: func(ctx context.Context, n int) error {
		return pgx.BeginFunc(ctx, s.native, func(tx pgx.Tx) error {
			for range n {
				if err := pgx.BeginFunc(ctx, tx, func(pgx.Tx) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		})
	}}
	return s.compare(ctx, "nested block", s.options.Plan, native, inner)
}
