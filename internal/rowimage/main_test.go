package rowimage_test

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// world is one database with the table t: drover's handle on it, and the plain driver beside it.
type world struct {
	*db.DB
	t      *testing.T
	log    *db.QueryLog
	on     testdb.Database
	raw    *sql.DB
	table  *dialect.Table
	images *rowimage.Table
}

// newWorld runs the statements, which make the table t.
func newWorld(t *testing.T, d testdb.Database, statements ...string) *world {
	t.Helper()
	log := db.NewQueryLog(100, slog.New(slog.DiscardHandler))
	conn, err := db.Open(t.Context(), d.URL, db.Intercept(log.Intercept))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := &world{DB: conn, t: t, log: log, on: d, raw: d.RawDB(t)}
	w.exec(statements...)
	w.describe()
	return w
}

// describe reads the catalogue, again after a change of the table.
func (w *world) describe() {
	w.t.Helper()
	var err error
	if w.table, err = w.Dialect().Table(w.t.Context(), w, "t"); err != nil {
		w.t.Fatal(err)
	}
	if len(w.table.Keys) == 0 {
		w.t.Fatal("the table has no key")
	}
	if w.images, err = rowimage.New(w.Dialect(), w.table, w.table.Keys[0]); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(statements ...string) {
	w.t.Helper()
	for _, s := range statements {
		if _, err := w.raw.ExecContext(w.t.Context(), s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

// block runs fn in a block, as the batches of a run do.
func (w *world) block(fn func(ctx context.Context) error) {
	w.t.Helper()
	if err := w.Atomic(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// all reads the table's rows in a block of their own.
func (w *world) all(lock bool) (rows []rowimage.Row) {
	w.t.Helper()
	w.block(func(ctx context.Context) (err error) {
		rows, err = w.images.Read(ctx, w.DB, "", nil, lock)
		return err
	})
	return rows
}

func (w *world) byKey(keys []keyset.Values) (rows []rowimage.Row) {
	w.t.Helper()
	w.block(func(ctx context.Context) (err error) {
		rows, err = w.images.ReadKeys(ctx, w.DB, keys, true)
		return err
	})
	return rows
}

func keysOf(rows []rowimage.Row) []keyset.Values {
	keys := make([]keyset.Values, len(rows))
	for i, row := range rows {
		keys[i] = row.Key
	}
	return keys
}

// stored sends the rows through their text.
func (w *world) stored(rows []rowimage.Row, columns ...string) []rowimage.Row {
	w.t.Helper()
	back := make([]rowimage.Row, len(rows))
	for i, row := range rows {
		text, err := w.images.Encode(row, columns...)
		if err != nil {
			w.t.Fatal(err)
		}
		if back[i], err = w.images.Decode(text); err != nil {
			w.t.Fatalf("%s: %v", text, err)
		}
		if len(columns) == 0 && !rowimage.Equal(row, back[i]) {
			w.t.Fatalf("decoded differently: %s\n%#v\n%#v", text, row, back[i])
		}
	}
	return back
}
