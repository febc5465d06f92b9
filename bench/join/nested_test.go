package join_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
	"github.com/uptrace/bun"
	"gorm.io/gorm"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestJoin_NestedRollback opens two transactions of the library's, one in the other, in a block: the inner one is rolled
// back, the outer one is committed, and the block goes on and is committed.
func TestJoin_NestedRollback(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		for _, test := range f.nestings(t) {
			t.Run(test.name, func(t *testing.T) {
				if _, err := f.raw.ExecContext(t.Context(), `DELETE FROM item`); err != nil {
					t.Fatal(err)
				}
				err := f.conn.Atomic(t.Context(), func(ctx context.Context) error {
					if err := f.conn.Exec(ctx, `INSERT INTO item (name) VALUES (?)`, "before"); err != nil {
						return err
					}
					if err := test.run(ctx); err != nil {
						return err
					}
					return f.conn.Exec(ctx, `INSERT INTO item (name) VALUES (?)`, "after")
				})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"before", "outer", "after"}, f.committed(t)); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
			})
		}
	})
}

type nesting struct {
	name string
	// run writes "outer" in a transaction that it commits and "inner" in one inside it that it rolls back.
	run func(ctx context.Context) error
}

func (f fixture) nestings(t *testing.T) []nesting {
	t.Helper()
	nestings := []nesting{
		{"gorm", f.gormNested(f.gormDB(t, &gorm.Config{SkipDefaultTransaction: true}))},
		{"gorm with a transaction around each write", f.gormNested(f.gormDB(t, &gorm.Config{}))},
		{"bun", f.bunNested},
		{"ent", f.entNested},
		{"sqlx", f.sqlxNested},
		{"database/sql", f.stdNested},
		{"drover inside gorm", f.mixedNested(f.gormDB(t, &gorm.Config{}))},
	}
	if f.name == testdb.NamePostgres {
		nestings = append(nestings, nesting{"pgx", f.pgxNested})
	}
	return nestings
}

func (f fixture) gormNested(g *gorm.DB) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&gormItem{Name: "outer"}).Error; err != nil {
				return err
			}
			return undone(tx.Transaction(func(tx *gorm.DB) error {
				return errors.Join(tx.Create(&gormItem{Name: "inner"}).Error, errUndo)
			}))
		})
	}
}

// undone expects the inner transaction to have failed with errUndo alone.
func undone(err error) error {
	if err != nil && err.Error() == errUndo.Error() {
		return nil
	}
	return errors.Join(errors.New("the inner transaction did not end as planned"), err)
}

func (f fixture) bunNested(ctx context.Context) error {
	return bun.NewDB(f.conn.SQL(ctx), f.bun()).RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&bunItem{Name: "outer"}).Exec(ctx); err != nil {
			return err
		}
		return undone(tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&bunItem{Name: "inner"}).Exec(ctx)
			return errors.Join(err, errUndo)
		}))
	})
}

// entNested takes a second transaction of the driver: ent's own Tx cannot nest.
func (f fixture) entNested(ctx context.Context) error {
	drv := f.entDriver(ctx)
	tx, err := drv.BeginTx(ctx, &entsql.TxOptions{})
	if err != nil {
		return err
	}
	if err := f.entAdd(ctx, tx, "outer"); err != nil {
		return err
	}
	inner, err := drv.Tx(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(f.entAdd(ctx, inner, "inner"), inner.Rollback()); err != nil {
		return err
	}
	return tx.Commit()
}

func (f fixture) sqlxNested(ctx context.Context) error {
	x := sqlx.NewDb(f.conn.SQL(ctx), f.sqlx)
	const insert = `INSERT INTO item (name) VALUES (:name)`
	tx, err := x.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.NamedExecContext(ctx, insert, map[string]any{"name": "outer"}); err != nil {
		return err
	}
	inner, err := x.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = inner.NamedExecContext(ctx, insert, map[string]any{"name": "inner"})
	if err := errors.Join(err, inner.Rollback()); err != nil {
		return err
	}
	return tx.Commit()
}

func (f fixture) stdNested(ctx context.Context) error {
	tx, err := f.conn.SQL(ctx).BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, f.insert, "outer"); err != nil {
		return err
	}
	inner, err := f.conn.SQL(ctx).BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return err
	}
	_, err = inner.ExecContext(ctx, f.insert, "inner")
	if err := errors.Join(err, inner.Rollback()); err != nil {
		return err
	}
	return tx.Commit()
}

// mixedNested has a block of drover's roll back inside GORM's transaction.
func (f fixture) mixedNested(g *gorm.DB) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&gormItem{Name: "outer"}).Error; err != nil {
				return err
			}
			return undone(f.conn.Atomic(ctx, func(ctx context.Context) error {
				return errors.Join(g.WithContext(ctx).Create(&gormItem{Name: "inner"}).Error, errUndo)
			}))
		})
	}
}

func (f fixture) pgxNested(ctx context.Context) error {
	block, err := f.conn.PGX(ctx)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, block, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, f.insert, "outer"); err != nil {
			return err
		}
		return undone(pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, f.insert, "inner")
			return errors.Join(err, errUndo)
		}))
	})
}

// TestJoin_FailedStatement has each library break a unique constraint and swallow the error. In a transaction of the library's own
// that is undone with the savepoint, and the block commits the rest; without one the block is broken and commits nothing.
func TestJoin_FailedStatement(t *testing.T) {
	// Those that send the failing statement inside a savepoint of their own.
	mends := map[string]bool{
		"database/sql in its own transaction": true, "sqlx in its own transaction": true, "gorm in its own transaction": true,
		"gorm with a transaction around each write": true, "bun in its own transaction": true, "bun on a global handle in its own transaction": true,
		"ent in its own transaction": true, "pgx in its own transaction": true,
	}
	each(t, func(t *testing.T, f fixture) {
		for _, m := range f.members(t) {
			t.Run(m.name, func(t *testing.T) {
				if _, err := f.raw.ExecContext(t.Context(), `DELETE FROM item`); err != nil {
					t.Fatal(err)
				}
				err := f.conn.Atomic(t.Context(), func(ctx context.Context) error {
					if err := f.conn.Exec(ctx, `INSERT INTO item (name) VALUES (?)`, "once"); err != nil {
						return err
					}
					if err := m.add(ctx, "once"); db.KindOf(err) != db.ErrUnique {
						t.Errorf("second row of one name: %v, want a unique violation", err)
					}
					return nil
				})
				want := []string{"once"}
				if mends[m.name] {
					if err != nil {
						t.Errorf("block: %v", err)
					}
				} else {
					want = nil
					if !errors.Is(err, db.ErrBroken) || db.KindOf(err) != db.ErrUnique {
						t.Errorf("block: %v, want ErrBroken by a unique violation", err)
					}
				}
				if diff := cmp.Diff(want, f.committed(t)); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
			})
		}
	})
}
