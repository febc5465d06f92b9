package item

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/drover-dev/drover/bench/internal/harness"

	"github.com/drover-dev/drover/internal/testdb"
)

// rawSide is the best code on a raw driver.
type rawSide interface {
	side
	// insert adds n rows in order.
	insert(ctx context.Context, n int) error
}

var rawSides = map[string]func(s *site) rawSide{
	testdb.NamePostgres: func(s *site) rawSide { return &rawPostgres{site: s} },
	testdb.NameMariaDB:  func(s *site) rawSide { return &rawMariaDB{rawSQL{site: s, begin: "BEGIN"}} },
	testdb.NameSQLite:   func(s *site) rawSide { return &rawSQLite{rawSQL{site: s, begin: "BEGIN IMMEDIATE"}} },
}

// scanItem reads a row of database/sql.
func scanItem(row interface{ Scan(dest ...any) error }, it *Item) error {
	return row.Scan(&it.ID, &it.SKU, &it.Name, &it.Qty, &it.PriceCents, &it.Active, &it.CategoryID, &it.Note, &it.CreatedAt)
}

// rawSQL is what the raw sides on database/sql have in common: one connection and its prepared statements.
type rawSQL struct {
	site  *site
	begin string
	pool  *sql.DB
	conn  *sql.Conn
	stmts map[string]prepared
}

// prepared is a statement that is closed with its side.
type prepared struct{ *sql.Stmt }

func (r *rawSQL) open(ctx context.Context) (err error) {
	if r.pool, err = harness.Open(r.site.URL); err != nil {
		return err
	}
	r.stmts = map[string]prepared{}
	r.conn, err = r.pool.Conn(ctx)
	return err
}

func (r *rawSQL) close() error {
	var errs []error
	for _, stmt := range r.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, r.conn.Close(), r.pool.Close())...)
}

// stmt prepares a statement at its first use.
func (r *rawSQL) stmt(ctx context.Context, query string) (prepared, error) {
	if stmt, ok := r.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := r.conn.PrepareContext(ctx, query)
	if err != nil {
		return prepared{}, err
	}
	r.stmts[query] = prepared{stmt}
	return r.stmts[query], nil
}

func (r *rawSQL) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := r.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// inTx runs fn between BEGIN and COMMIT.
func (r *rawSQL) inTx(ctx context.Context, fn func() error) error {
	if _, err := r.conn.ExecContext(ctx, r.begin); err != nil {
		return err
	}
	if err := fn(); err != nil {
		_, undo := r.conn.ExecContext(ctx, "ROLLBACK")
		return errors.Join(err, undo)
	}
	_, err := r.conn.ExecContext(ctx, "COMMIT")
	return err
}

const insertColumns = "sku, name, qty, price_cents, active, category_id, note, created_at"

// insertValues is an INSERT of n rows.
func insertValues(n int, suffix string) string {
	return "INSERT INTO bench_item (" + insertColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)" + strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?)", n-1) + suffix
}

// insertArgs appends the values of a row.
func insertArgs(args []any, it *Item) []any {
	return append(args, it.SKU, it.Name, it.Qty, it.PriceCents, it.Active, it.CategoryID, it.Note, it.CreatedAt)
}

// insertBlind inserts made rows in prepared statements of so many.
func (r *rawSQL) insertBlind(ctx context.Context, n, batch int) error {
	var args []any
	return batches(n, batch, row, func(rows []Item) error {
		args = args[:0]
		for i := range rows {
			args = insertArgs(args, &rows[i])
		}
		_, err := r.exec(ctx, insertValues(len(rows), ""), args...)
		return err
	})
}

// insertReturning inserts made rows and reads their keys.
func (r *rawSQL) insertReturning(ctx context.Context, batch int) (t tally, err error) {
	var args []any
	err = r.inTx(ctx, func() error {
		return batches(r.site.sizes.Rows, batch, row, func(made []Item) (err error) {
			args = args[:0]
			for i := range made {
				args = insertArgs(args, &made[i])
			}
			stmt, err := r.stmt(ctx, insertValues(len(made), " RETURNING id"))
			if err != nil {
				return err
			}
			rows, err := stmt.QueryContext(ctx, args...)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, rows.Close()) }()
			for i := 0; rows.Next(); i++ {
				if err := rows.Scan(&made[i].ID); err != nil {
					return err
				}
				t.created(made[i].ID, made[i].Qty)
			}
			return rows.Err()
		})
	})
	return t, err
}

// remove deletes by key range: two prepared statements a batch, the DELETE committing itself.
func (r *rawSQL) remove(ctx context.Context) (t tally, err error) {
	const (
		end = "SELECT id FROM bench_item WHERE id > ? AND " + deleteWhere + " ORDER BY id LIMIT 1 OFFSET ?"
		del = "DELETE FROM bench_item WHERE id > ? AND id <= ? AND " + deleteWhere
	)
	find, err := r.stmt(ctx, end)
	if err != nil {
		return t, err
	}
	var from int64
	for last := false; !last; {
		through := int64(maxID)
		if err := find.QueryRowContext(ctx, from, r.site.sizes.Batch-1).Scan(&through); errors.Is(err, sql.ErrNoRows) {
			last = true
		} else if err != nil {
			return t, err
		}
		result, err := r.exec(ctx, del, from, through)
		if err := t.affected(result, err); err != nil {
			return t, err
		}
		from = through
	}
	return t, nil
}

// maxID is above every key.
const maxID = 1<<62 - 1

// query calls each for the rows of a prepared query.
func (r *rawSQL) query(ctx context.Context, each func(*sql.Rows) error, query string, args ...any) (err error) {
	stmt, err := r.stmt(ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r *rawSQL) stream(ctx context.Context) (t tally, err error) {
	err = r.query(ctx, func(rows *sql.Rows) error {
		var it Item
		err := scanItem(rows, &it)
		t.add(it.Qty)
		return err
	}, "SELECT "+columns+" FROM bench_item ORDER BY id")
	return t, err
}

func (r *rawSQL) pages(ctx context.Context) (t tally, err error) {
	page := make([]Item, 0, r.site.sizes.Page)
	var last int64
	for {
		page = page[:0]
		err := r.query(ctx, func(rows *sql.Rows) error {
			page = append(page, Item{})
			return scanItem(rows, &page[len(page)-1])
		}, "SELECT "+columns+" FROM bench_item WHERE id > ? ORDER BY id LIMIT ?", last, cap(page))
		if err != nil {
			return t, err
		}
		for i := range page {
			t.add(page[i].Qty)
		}
		if len(page) < cap(page) {
			return t, nil
		}
		last = page[len(page)-1].ID
	}
}

func (r *rawSQL) narrow(ctx context.Context) (t tally, err error) {
	err = r.query(ctx, func(rows *sql.Rows) error {
		var p pair
		err := rows.Scan(&p.ID, &p.Qty)
		t.add(p.Qty)
		return err
	}, "SELECT id, qty FROM bench_item ORDER BY id")
	return t, err
}

func (r *rawSQL) get(ctx context.Context) (t tally, err error) {
	stmt, err := r.stmt(ctx, "SELECT "+columns+" FROM bench_item WHERE id = ?")
	if err != nil {
		return t, err
	}
	for id := range ids(r.site.sizes) {
		var it Item
		if err := scanItem(stmt.QueryRowContext(ctx, id), &it); err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

// getOrCreate looks first and creates what is missing.
func (r *rawSQL) getOrCreate(ctx context.Context) (t tally, err error) {
	find, err := r.stmt(ctx, "SELECT "+columns+" FROM bench_item WHERE sku = ?")
	if err != nil {
		return t, err
	}
	insert := insertValues(1, "")
	for i := range r.site.sizes.Calls {
		want := wanted(i)
		var it Item
		err := scanItem(find.QueryRowContext(ctx, want.SKU), &it)
		if errors.Is(err, sql.ErrNoRows) {
			it = want
			var result sql.Result
			if result, err = r.exec(ctx, insert, insertArgs(nil, &want)...); err == nil {
				it.ID, err = result.LastInsertId()
			}
		}
		if err != nil {
			return t, err
		}
		t.add(it.Qty)
	}
	return t, nil
}

func (r *rawSQL) expression(ctx context.Context) (t tally, err error) {
	result, err := r.conn.ExecContext(ctx, expressionSQL)
	return t, t.affected(result, err)
}

const expressionSQL = "UPDATE bench_item SET qty = qty + 1"
