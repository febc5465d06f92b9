package join_test

import (
	"context"
	"database/sql"
	"testing"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
	"github.com/uptrace/bun"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// member is one library, used the way its users use it. Which block it takes part in is decided by the context alone.
type member interface {
	// add writes a row.
	add(ctx context.Context, name string) error
	// names reads all rows in the order of their ids.
	names(ctx context.Context) ([]string, error)
	// session reads which connection, and on PostgreSQL which transaction, it is on.
	session(ctx context.Context) (string, error)
}

// members returns every library, and the library in a transaction of its own where it can open one, with handles that were made
// once and before the block wherever the library allows it.
func (f fixture) members(t *testing.T) []namedMember {
	t.Helper()
	members := []namedMember{
		{"database/sql", stdMember{f}},
		{"database/sql in its own transaction", stdTxMember{f}},
		{"sqlc for database/sql", sqlcMember{sqlcQueries{f.conn.DBTX()}, f}},
		{"sqlx", sqlxMember{f}},
		{"sqlx in its own transaction", sqlxTxMember{f}},
		{"bun on a global handle in its own transaction", bunGlobalTxMember{bun.NewDB(f.routed(t), f.bun()), f}},
		{"gorm", gormMember{f.gormDB(t, &gorm.Config{SkipDefaultTransaction: true}), f}},
		{"gorm with a transaction around each write", gormMember{f.gormDB(t, &gorm.Config{}), f}},
		{"gorm in its own transaction", gormTxMember{f.gormDB(t, &gorm.Config{SkipDefaultTransaction: true}), f}},
		{"bun", bunMember{f.bunDB(), f}},
		{"bun in its own transaction", bunTxMember{f}},
		{"ent", entMember{f}},
		{"ent in its own transaction", entTxMember{f}},
	}
	if f.name == testdb.NamePostgres {
		members = append(members,
			namedMember{"pgx", pgxMember{f}},
			namedMember{"pgx in its own transaction", pgxTxMember{f}},
			namedMember{"sqlc for pgx", sqlcPGXMember{sqlcPGXQueries{f.conn.PGXDBTX()}, f}},
		)
	}
	return members
}

type namedMember struct {
	name string
	member
}

// stdMember is code that takes a *sql.DB.
type stdMember struct{ f fixture }

func (m stdMember) add(ctx context.Context, name string) error {
	_, err := m.f.conn.SQL(ctx).ExecContext(ctx, m.f.insert, name)
	return err
}

func (m stdMember) names(ctx context.Context) ([]string, error) {
	return scanNames(m.f.conn.SQL(ctx).QueryContext(ctx, selectNames))
}

func (m stdMember) session(ctx context.Context) (id string, err error) {
	err = m.f.conn.SQL(ctx).QueryRowContext(ctx, m.f.engine.session).Scan(&id)
	return id, err
}

// stdTxMember is code that opens a *sql.Tx.
type stdTxMember struct{ f fixture }

func (m stdTxMember) within(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := m.f.conn.SQL(ctx).BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (m stdTxMember) add(ctx context.Context, name string) error {
	return m.within(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, m.f.insert)
		if err != nil {
			return err
		}
		defer func() { _ = stmt.Close() }()
		_, err = stmt.ExecContext(ctx, name)
		return err
	})
}

func (m stdTxMember) names(ctx context.Context) (names []string, err error) {
	err = m.within(ctx, func(tx *sql.Tx) error {
		names, err = scanNames(tx.QueryContext(ctx, selectNames))
		return err
	})
	return names, err
}

func (m stdTxMember) session(ctx context.Context) (id string, err error) {
	err = m.within(ctx, func(tx *sql.Tx) error { return tx.QueryRowContext(ctx, m.f.engine.session).Scan(&id) })
	return id, err
}

// sqlcDBTX is the interface that sqlc generates for database/sql.
type sqlcDBTX interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// sqlcQueries has the shape of sqlc's generated Queries.
type sqlcQueries struct{ db sqlcDBTX }

func (q sqlcQueries) add(ctx context.Context, insert, name string) error {
	_, err := q.db.ExecContext(ctx, insert, name)
	return err
}

type sqlcMember struct {
	q sqlcQueries
	f fixture
}

func (m sqlcMember) add(ctx context.Context, name string) error {
	return m.q.add(ctx, m.f.insert, name)
}

func (m sqlcMember) names(ctx context.Context) ([]string, error) {
	return scanNames(m.q.db.QueryContext(ctx, selectNames))
}

func (m sqlcMember) session(ctx context.Context) (id string, err error) {
	err = m.q.db.QueryRowContext(ctx, m.f.engine.session).Scan(&id)
	return id, err
}

// sqlxMember wraps the block's *sql.DB.
type sqlxMember struct{ f fixture }

func (m sqlxMember) db(ctx context.Context) *sqlx.DB { return sqlx.NewDb(m.f.conn.SQL(ctx), m.f.sqlx) }

func (m sqlxMember) add(ctx context.Context, name string) error {
	_, err := m.db(ctx).NamedExecContext(ctx, `INSERT INTO item (name) VALUES (:name)`, map[string]any{"name": name})
	return err
}

func (m sqlxMember) names(ctx context.Context) (names []string, err error) {
	err = m.db(ctx).SelectContext(ctx, &names, selectNames)
	return names, err
}

func (m sqlxMember) session(ctx context.Context) (id string, err error) {
	err = m.db(ctx).GetContext(ctx, &id, m.f.engine.session)
	return id, err
}

type sqlxTxMember struct{ f fixture }

func (m sqlxTxMember) within(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	tx, err := sqlx.NewDb(m.f.conn.SQL(ctx), m.f.sqlx).BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (m sqlxTxMember) add(ctx context.Context, name string) error {
	return m.within(ctx, func(tx *sqlx.Tx) error {
		stmt, err := tx.PrepareNamedContext(ctx, `INSERT INTO item (name) VALUES (:name)`)
		if err != nil {
			return err
		}
		defer func() { _ = stmt.Close() }()
		_, err = stmt.ExecContext(ctx, map[string]any{"name": name})
		return err
	})
}

func (m sqlxTxMember) names(ctx context.Context) (names []string, err error) {
	err = m.within(ctx, func(tx *sqlx.Tx) error { return tx.SelectContext(ctx, &names, selectNames) })
	return names, err
}

func (m sqlxTxMember) session(ctx context.Context) (id string, err error) {
	err = m.within(ctx, func(tx *sqlx.Tx) error { return tx.GetContext(ctx, &id, m.f.engine.session) })
	return id, err
}

// gormItem is the table in GORM.
type gormItem struct {
	ID   int64
	Name string
}

func (gormItem) TableName() string { return "item" }

// gormDB makes one global handle over the context-routing connection.
func (f fixture) gormDB(t *testing.T, config *gorm.Config) *gorm.DB {
	t.Helper()
	config.Logger = logger.Discard
	g, err := gorm.Open(f.gorm(f.conn.DBTX()), config)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

type gormMember struct {
	db *gorm.DB
	f  fixture
}

func (m gormMember) add(ctx context.Context, name string) error {
	return m.db.WithContext(ctx).Create(&gormItem{Name: name}).Error
}

func (m gormMember) names(ctx context.Context) (names []string, err error) {
	err = m.db.WithContext(ctx).Model(&gormItem{}).Order("id").Pluck("name", &names).Error
	return names, err
}

func (m gormMember) session(ctx context.Context) (id string, err error) {
	err = m.db.WithContext(ctx).Raw(m.f.engine.session).Scan(&id).Error
	return id, err
}

type gormTxMember struct {
	db *gorm.DB
	f  fixture
}

func (m gormTxMember) within(ctx context.Context, fn func(m gormMember) error) error {
	return m.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return fn(gormMember{tx, m.f}) })
}

func (m gormTxMember) add(ctx context.Context, name string) error {
	return m.within(ctx, func(m gormMember) error { return m.add(ctx, name) })
}

func (m gormTxMember) names(ctx context.Context) (names []string, err error) {
	err = m.within(ctx, func(m gormMember) error {
		names, err = m.names(ctx)
		return err
	})
	return names, err
}

func (m gormTxMember) session(ctx context.Context) (id string, err error) {
	err = m.within(ctx, func(m gormMember) error {
		id, err = m.session(ctx)
		return err
	})
	return id, err
}

// bunItem is the table in bun.
type bunItem struct {
	bun.BaseModel `bun:"table:item"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

// resolver sends bun's queries to the block of their context.
type resolver struct{ conn *db.DB }

var _ bun.ConnResolver = resolver{}

func (r resolver) ResolveConn(ctx context.Context, _ bun.Query) bun.IConn { return r.conn.SQL(ctx) }
func (r resolver) Close() error                                           { return nil }

// bunDB makes one global handle.
func (f fixture) bunDB() *bun.DB {
	return bun.NewDB(f.conn.SQL(context.Background()), f.bun(), bun.WithConnResolver(resolver{f.conn}))
}

type bunMember struct {
	db bun.IDB
	f  fixture
}

func (m bunMember) add(ctx context.Context, name string) error {
	_, err := m.db.NewInsert().Model(&bunItem{Name: name}).Exec(ctx)
	return err
}

func (m bunMember) names(ctx context.Context) (names []string, err error) {
	err = m.db.NewSelect().Model((*bunItem)(nil)).Column("name").Order("id").Scan(ctx, &names)
	return names, err
}

func (m bunMember) session(ctx context.Context) (id string, err error) {
	err = m.db.NewRaw(m.f.engine.session).Scan(ctx, &id)
	return id, err
}

// bunTxMember makes a handle of the block for bun's own transactions, for which bun asks no resolver.
type bunTxMember struct{ f fixture }

func (m bunTxMember) within(ctx context.Context, fn func(ctx context.Context, m bunMember) error) error {
	return bun.NewDB(m.f.conn.SQL(ctx), m.f.bun()).RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return fn(ctx, bunMember{tx, m.f})
	})
}

func (m bunTxMember) add(ctx context.Context, name string) error {
	return m.within(ctx, func(ctx context.Context, m bunMember) error { return m.add(ctx, name) })
}

func (m bunTxMember) names(ctx context.Context) (names []string, err error) {
	err = m.within(ctx, func(ctx context.Context, m bunMember) error {
		names, err = m.names(ctx)
		return err
	})
	return names, err
}

func (m bunTxMember) session(ctx context.Context) (id string, err error) {
	err = m.within(ctx, func(ctx context.Context, m bunMember) error {
		id, err = m.session(ctx)
		return err
	})
	return id, err
}

// bunGlobalTxMember has one handle for its lifetime, on the routing *sql.DB: bun's transactions join by their context.
type bunGlobalTxMember struct {
	db *bun.DB
	f  fixture
}

// routed returns the *sql.DB that goes by the context.
func (f fixture) routed(t *testing.T) *sql.DB {
	t.Helper()
	pool, err := f.conn.DBTX().GetDBConn()
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func (m bunGlobalTxMember) within(ctx context.Context, fn func(ctx context.Context, m bunMember) error) error {
	return m.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return fn(ctx, bunMember{tx, m.f}) })
}

func (m bunGlobalTxMember) add(ctx context.Context, name string) error {
	return m.within(ctx, func(ctx context.Context, m bunMember) error { return m.add(ctx, name) })
}

func (m bunGlobalTxMember) names(ctx context.Context) (names []string, err error) {
	err = m.within(ctx, func(ctx context.Context, m bunMember) error {
		names, err = m.names(ctx)
		return err
	})
	return names, err
}

func (m bunGlobalTxMember) session(ctx context.Context) (id string, err error) {
	err = m.within(ctx, func(ctx context.Context, m bunMember) error {
		id, err = m.session(ctx)
		return err
	})
	return id, err
}

// entMember uses ent's driver and statement builder, which are what ent's generated clients run on:
// ent.NewClient(ent.Driver(entsql.OpenDB(dialect, conn.SQL(ctx)))).
type entMember struct{ f fixture }

// entRunner is what ent's Driver and Tx have in common.
type entRunner interface {
	Exec(ctx context.Context, query string, args, v any) error
	Query(ctx context.Context, query string, args, v any) error
}

func (f fixture) entDriver(ctx context.Context) *entsql.Driver {
	return entsql.OpenDB(f.ent, f.conn.SQL(ctx))
}

func (m entMember) add(ctx context.Context, name string) error {
	return m.f.entAdd(ctx, m.f.entDriver(ctx), name)
}

func (f fixture) entAdd(ctx context.Context, on entRunner, name string) error {
	query, args := entsql.Dialect(f.ent).Insert("item").Columns("name").Values(name).Query()
	var result sql.Result
	return on.Exec(ctx, query, args, &result)
}

func (m entMember) names(ctx context.Context) ([]string, error) {
	return m.f.entNames(ctx, m.f.entDriver(ctx))
}

func (f fixture) entNames(ctx context.Context, on entRunner) (names []string, err error) {
	item := entsql.Table("item")
	query, args := entsql.Dialect(f.ent).Select("name").From(item).OrderBy("id").Query()
	err = f.entScan(ctx, on, query, args, &names)
	return names, err
}

func (f fixture) entScan(ctx context.Context, on entRunner, query string, args []any, dest any) error {
	var rows entsql.Rows
	if err := on.Query(ctx, query, args, &rows); err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	return entsql.ScanSlice(rows, dest)
}

func (m entMember) session(ctx context.Context) (string, error) {
	return m.f.entSession(ctx, m.f.entDriver(ctx))
}

func (f fixture) entSession(ctx context.Context, on entRunner) (string, error) {
	var ids []string
	if err := f.entScan(ctx, on, f.engine.session, []any{}, &ids); err != nil {
		return "", err
	}
	return ids[0], nil
}

type entTxMember struct{ f fixture }

func (m entTxMember) within(ctx context.Context, fn func(tx entRunner) error) error {
	tx, err := m.f.entDriver(ctx).Tx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (m entTxMember) add(ctx context.Context, name string) error {
	return m.within(ctx, func(tx entRunner) error { return m.f.entAdd(ctx, tx, name) })
}

func (m entTxMember) names(ctx context.Context) (names []string, err error) {
	err = m.within(ctx, func(tx entRunner) error {
		names, err = m.f.entNames(ctx, tx)
		return err
	})
	return names, err
}

func (m entTxMember) session(ctx context.Context) (id string, err error) {
	err = m.within(ctx, func(tx entRunner) error {
		id, err = m.f.entSession(ctx, tx)
		return err
	})
	return id, err
}

// pgxMember is native pgx code.
type pgxMember struct{ f fixture }

func (m pgxMember) add(ctx context.Context, name string) error {
	tx, err := m.f.conn.PGX(ctx)
	if err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"item"}, []string{"name"}, pgx.CopyFromRows([][]any{{name}}))
	return err
}

func (m pgxMember) names(ctx context.Context) ([]string, error) {
	tx, err := m.f.conn.PGX(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, selectNames)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (m pgxMember) session(ctx context.Context) (id string, err error) {
	tx, err := m.f.conn.PGX(ctx)
	if err != nil {
		return "", err
	}
	err = tx.QueryRow(ctx, m.f.engine.session).Scan(&id)
	return id, err
}

// pgxTxMember opens a transaction with pgx.BeginFunc, which is a savepoint here.
type pgxTxMember struct{ f fixture }

func (m pgxTxMember) within(ctx context.Context, fn func(tx pgx.Tx) error) error {
	block, err := m.f.conn.PGX(ctx)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, block, fn)
}

func (m pgxTxMember) add(ctx context.Context, name string) error {
	return m.within(ctx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(m.f.insert, name)
		return tx.SendBatch(ctx, batch).Close()
	})
}

func (m pgxTxMember) names(ctx context.Context) (names []string, err error) {
	err = m.within(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, selectNames)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, err
}

func (m pgxTxMember) session(ctx context.Context) (id string, err error) {
	err = m.within(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, m.f.engine.session).Scan(&id) })
	return id, err
}

// sqlcPGXDBTX is the interface that sqlc generates for pgx, with :copyfrom and :batch queries.
type sqlcPGXDBTX interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	CopyFrom(ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource) (int64, error)
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

type sqlcPGXQueries struct{ db sqlcPGXDBTX }

type sqlcPGXMember struct {
	q sqlcPGXQueries
	f fixture
}

func (m sqlcPGXMember) add(ctx context.Context, name string) error {
	_, err := m.q.db.Exec(ctx, m.f.insert, name)
	return err
}

func (m sqlcPGXMember) names(ctx context.Context) ([]string, error) {
	rows, err := m.q.db.Query(ctx, selectNames)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func (m sqlcPGXMember) session(ctx context.Context) (id string, err error) {
	err = m.q.db.QueryRow(ctx, m.f.engine.session).Scan(&id)
	return id, err
}
