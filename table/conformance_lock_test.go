package table_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func TestConformance_182_OutsideABlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		q := w.products.Where("qty > ?", 1).OrderBy("id").ForUpdate() // no error yet
		_, err := q.List(t.Context())
		wantIs(t, err, table.ErrLockOutsideBlock)
		_, err = q.First(t.Context())
		wantIs(t, err, table.ErrLockOutsideBlock)
		_, err = q.Get(t.Context())
		wantIs(t, err, table.ErrLockOutsideBlock)
		_, err = table.InBulk(t.Context(), q, []int64{1})
		wantIs(t, err, table.ErrLockOutsideBlock)
		_, err = table.Column[int64](q, "id").List(t.Context())
		wantIs(t, err, table.ErrLockOutsideBlock)
		for _, way := range ways {
			_, err = read(q.All(t.Context(), way.opts...))
			wantIs(t, err, table.ErrLockOutsideBlock)
		}
		w.wantNothingSent(t)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			got, err := q.List(ctx)
			return must(err, expect(cmp.Equal(rows[1:], got), "read %v", got))
		}))
	})
}

// locked runs fn while another session holds the row with the key, of which it has set the quantity to 50. commit ends that.
func (w *world) locked(t *testing.T, key int64, fn func(commit func())) {
	t.Helper()
	tx, err := w.raw.BeginTx(t.Context(), nil)
	noError(t, err)
	defer func() { _ = tx.Rollback() }()
	query := map[string]string{testdb.NamePostgres: "UPDATE product SET qty = 50 WHERE id = $1", testdb.NameMariaDB: "UPDATE product SET qty = 50 WHERE id = ?"}
	_, err = tx.ExecContext(t.Context(), query[w.on.Name], key)
	noError(t, err)
	fn(func() { noError(t, tx.Commit()) })
}

func TestConformance_185_NoWaitAndSkipLocked(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		w.locked(t, rows[1].ID, func(func()) {
			q := w.products.OrderBy("id")
			err := w.Atomic(t.Context(), func(ctx context.Context) error {
				_, err := q.ForUpdate(table.NoWait).List(ctx)
				return err
			})
			wantIs(t, err, db.ErrLockTimeout)
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
				got, err := q.ForUpdate(table.SkipLocked).List(ctx)
				if err := must(err, expect(cmp.Equal([]product{rows[0], rows[2]}, got), "read %v", got)); err != nil {
					return err
				}
				streamed, err := read(q.ForUpdate(table.SkipLocked).All(ctx, table.PageSize(1)))
				return must(err, expect(cmp.Equal(got, streamed), "streamed %v", streamed))
			}))
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error { // without a lock it is not waited for
				got, err := q.List(ctx)
				return must(err, expect(cmp.Equal(rows, got), "read %v", got))
			}))
		})
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

// waiting counts the sessions that wait for a row. (MariaDB's table of transactions is a copy that is not renewed while it is looked at often.)
var waiting = map[string]string{
	testdb.NamePostgres: "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
	testdb.NameMariaDB:  "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'",
}

func TestConformance_185_PlainWaits(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		w.locked(t, rows[1].ID, func(commit func()) {
			result := make(chan error, 1)
			go func() {
				result <- w.Atomic(t.Context(), func(ctx context.Context) error {
					p, err := w.products.Where("id = ?", rows[1].ID).ForUpdate().Get(ctx)
					return must(err, expect(p.Qty == 50, "read the old quantity %d", p.Qty))
				})
			}()
			await(t, "the wait for the row", func() bool { return w.count(t, waiting[w.on.Name]) == 1 })
			commit()
			noError(t, <-result)
		})
	}, testdb.NamePostgres, testdb.NameMariaDB)
}

// In SQLite a block that may write waits for the other one to end, so there is nothing to lock, and the three are the same.
func TestConformance_185_OneWriter(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		rows := w.added(t, 2)
		for _, opts := range [][]table.LockOption{nil, {table.NoWait}, {table.SkipLocked}} {
			result := make(chan error, 1)
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
				_, err := w.products.Where("id = ?", rows[1].ID).Update(ctx, table.Set{"qty": table.Expr("qty + 50")})
				go func() {
					result <- w.Atomic(t.Context(), func(ctx context.Context) error {
						p, err := w.products.Where("id = ?", rows[1].ID).ForUpdate(opts...).Get(ctx)
						rows[1].Qty += 50
						return must(err, expect(p.Qty == rows[1].Qty, "read the quantity %d", p.Qty))
					})
				}()
				return err
			}))
			noError(t, <-result)
		}
	}, testdb.NameSQLite)
}

func TestConformance_186_Unsupported(t *testing.T) {
	tests := []struct {
		name string
		opts []table.LockOption
		on   []string // where it is refused
	}{
		{"NoKey", []table.LockOption{table.NoKey}, []string{testdb.NameMariaDB, testdb.NameSQLite}},
		{"OfTable", []table.LockOption{table.OfTable}, []string{testdb.NameMariaDB, testdb.NameSQLite}},
		{"both", []table.LockOption{table.NoWait, table.SkipLocked}, testdb.Names()},
		{"all", []table.LockOption{table.NoKey, table.OfTable, table.SkipLocked}, []string{testdb.NameMariaDB, testdb.NameSQLite}},
	}
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 2)
		for _, test := range tests {
			refused := cmp.Equal(test.on, testdb.Names()) || !w.isPostgres()
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
				w.log.Reset()
				got, err := w.products.OrderBy("id").ForUpdate(test.opts...).List(ctx)
				if !refused {
					return must(err, expect(cmp.Equal(rows, got), "%s read %v", test.name, got))
				}
				wantIs(t, err, table.ErrLockUnsupported)
				w.wantSent(t)
				_, err = w.products.Count(ctx)
				return err
			}))
		}
	})
}

// OfTable is for a query with another table in it.
func TestConformance_186_OfTable(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		rows := w.added(t, 2)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			_, err := w.products.Where("id IN (SELECT id FROM product WHERE qty = ?)", 1).ForUpdate(table.OfTable, table.NoKey).List(ctx)
			if err != nil {
				return err
			}
			return w.Atomic(t.Context(), func(ctx context.Context) error { // another session
				got, err := w.products.ForUpdate(table.SkipLocked).List(ctx)
				return must(err, expect(cmp.Equal(rows[1:], got), "read %v", got))
			})
		}))
	}, testdb.NamePostgres)
}

func TestConformance_187_LimitedLock(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		rows := w.added(t, 6)
		take := w.products.OrderBy("id").Limit(2).ForUpdate(table.SkipLocked)
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			first, err := take.List(ctx)
			if err := must(err, expect(cmp.Equal(rows[:2], first), "first: %v", first)); err != nil {
				return err
			}
			return w.Atomic(t.Context(), func(ctx context.Context) error { // another session
				second, err := take.List(ctx)
				return must(err, expect(cmp.Equal(rows[2:4], second), "second: %v", second))
			})
		}))
	}, testdb.NamePostgres, testdb.NameMariaDB)
}
