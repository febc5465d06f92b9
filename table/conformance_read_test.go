package table_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func TestConformance_175_InBulk(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 10)
		got, err := table.InBulk(t.Context(), w.products, []int64{rows[3].ID, -5, rows[8].ID, rows[3].ID})
		noError(t, err)
		if diff := cmp.Diff(map[int64]product{rows[3].ID: rows[3], rows[8].ID: rows[8]}, got); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		w.wantSent(t, "SELECT")
		got, err = table.InBulk(t.Context(), w.products.Where("qty > ?", 5), []int64{rows[3].ID, rows[8].ID})
		noError(t, err)
		if diff := cmp.Diff(map[int64]product{rows[8].ID: rows[8]}, got); diff != "" {
			t.Errorf("found with a condition (-want +got):\n%s", diff)
		}
		w.log.Reset()
		got, err = table.InBulk(t.Context(), w.products, []int64{})
		if len(got) != 0 || err != nil {
			t.Errorf("no keys: %v, %v", got, err)
		}
		w.wantNothingSent(t)
		_, err = table.InBulk(t.Context(), w.products.Limit(2), []int64{1})
		wantIs(t, err, table.ErrSliced)
	})
}

// A Go map has no order to keep; more keys than parameters are several queries.
func TestConformance_175_ManyKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 50)
		keys := make([]int64, 70_000)
		for i := range keys {
			keys[i] = int64(i) - 20_000
		}
		got, err := table.InBulk(t.Context(), w.products, keys)
		noError(t, err)
		if len(got) != 50 || got[rows[49].ID].SKU != rows[49].SKU {
			t.Errorf("%d rows found", len(got))
		}
		if n := w.sentOf("SELECT"); n < 2 {
			t.Errorf("%d queries", n)
		}
	})
}

type skuOnly struct {
	ID  int64  `db:"id,pk"`
	SKU string `db:"sku"`
}

// A field of a struct cannot be missing at run time. What is right for case 176 is Into, whose rows do not have the others; Only leaves zeros.
func TestConformance_176_PartialColumns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 2)
		quoted := func(query string) string { return strings.NewReplacer("`", "", `"`, "").Replace(query) }
		for name, test := range map[string]struct {
			q    table.Query[product]
			want product
			sql  string
		}{
			"Only":            {w.products.Only("qty"), product{ID: rows[1].ID, Qty: 2}, "SELECT id, qty FROM"},
			"Defer":           {w.products.Defer("note", "qty"), product{ID: rows[1].ID, SKU: "p00002"}, "SELECT id, sku FROM"},
			"Defer after":     {w.products.Only("qty", "sku").Defer("sku"), product{ID: rows[1].ID, Qty: 2}, "SELECT id, qty FROM"},
			"the key as well": {w.products.Only("id").Defer("id"), product{ID: rows[1].ID}, "SELECT id FROM"},
		} {
			w.log.Reset()
			got, err := test.q.Where("id = ?", rows[1].ID).Get(t.Context())
			noError(t, err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if sent := quoted(w.log.Statements()[0].SQL); !strings.HasPrefix(sent, test.sql) {
				t.Errorf("%s sent %s", name, sent)
			}
		}
		w.log.Reset()
		got, err := table.Into[skuOnly](w.products.OrderBy("id")).List(t.Context())
		noError(t, err)
		if diff := cmp.Diff([]skuOnly{{rows[0].ID, "p00001"}, {rows[1].ID, "p00002"}}, got); diff != "" {
			t.Errorf("Into (-want +got):\n%s", diff)
		}
		if sent := quoted(w.log.Statements()[0].SQL); !strings.HasPrefix(sent, "SELECT id, sku FROM") {
			t.Errorf("Into sent %s", sent)
		}
	})
}

func TestConformance_177_RawIsLazy(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 3)
		s := table.Raw[product](w.DB, "SELECT id, sku, qty, note FROM product WHERE qty > ?", 1)
		all := s.All(t.Context())
		w.wantNothingSent(t)
		for range 2 { // it is sent anew each time
			got, err := read(all)
			if len(got) != 2 || err != nil {
				t.Errorf("%d rows, %v", len(got), err)
			}
		}
	})
}

func TestConformance_177_Raw(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		get := func(query string, args ...any) []product {
			t.Helper()
			got, err := table.Raw[product](w.DB, query, args...).List(t.Context())
			noError(t, err)
			streamed, err := read(table.Raw[product](w.DB, query, args...).All(t.Context()))
			noError(t, err)
			if diff := cmp.Diff(got, streamed); diff != "" {
				t.Errorf("%s: listed and streamed (-listed +streamed):\n%s", query, diff)
			}
			return got
		}
		if diff := cmp.Diff(rows[1:], get("SELECT note, qty, sku, id FROM product WHERE qty > ? ORDER BY id", 1)); diff != "" {
			t.Errorf("columns in another order (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(rows, get("SELECT id, sku, qty, note FROM product WHERE sku LIKE 'p%' AND qty % 10 < 4 ORDER BY id")); diff != "" {
			t.Errorf("percent signs (-want +got):\n%s", diff)
		}
		named := get("SELECT id, sku, qty, note FROM product WHERE qty = :n OR qty + 1 = :n OR sku = :sku ORDER BY id", sql.Named("n", 2), sql.Named("sku", "p00003"))
		if diff := cmp.Diff(rows, named); diff != "" {
			t.Errorf("named parameters (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]product{{ID: rows[0].ID, SKU: "p00001"}}, get("SELECT id, sku FROM product WHERE qty IN (?)", []int64{1, 7})); diff != "" {
			t.Errorf("some columns and a list (-want +got):\n%s", diff)
		}
	})
}

func TestConformance_177_RawRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 3)
		for name, test := range map[string]struct {
			query string
			args  []any
			says  string
			sent  bool
		}{
			"no key":           {"SELECT sku, qty FROM product", nil, `"id"`, true},
			"unknown column":   {"SELECT id, sku AS skuu FROM product", nil, `"skuu"`, true},
			"column twice":     {"SELECT id, sku, sku FROM product", nil, `"sku"`, true},
			"missing argument": {"SELECT id FROM product WHERE id = ? AND qty = ?", []any{1}, "", false},
			"missing name":     {"SELECT id FROM product WHERE id = :id AND qty = :qty", []any{sql.Named("id", 1)}, "qty", false},
			"too many":         {"SELECT id FROM product WHERE id = ?", []any{1, 2}, "", false},
		} {
			w.log.Reset()
			_, err := table.Raw[product](w.DB, test.query, test.args...).List(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := read(table.Raw[product](w.DB, test.query, test.args...).All(t.Context())); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s, streamed: %v", name, err)
			}
			if !test.sent {
				w.wantNothingSent(t)
			}
		}
		w.wantUsable(t)
	})
}

func TestConformance_178_LimitAndOffset(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 3)
		for _, q := range []table.Query[product]{w.products.Limit(-1), w.products.Offset(-1), w.products.Limit(-1).Limit(3)} {
			_, err := q.List(t.Context())
			wantIs(t, err, table.ErrBatchSize)
			_, err = q.Count(t.Context())
			wantIs(t, err, table.ErrBatchSize)
			_, err = read(q.All(t.Context()))
			wantIs(t, err, table.ErrBatchSize)
		}
		none := w.products.Limit(0)
		list, err := none.List(t.Context())
		n, countErr := none.Count(t.Context())
		found, existsErr := none.Exists(t.Context())
		deleted, deleteErr := none.DeleteBatches(t.Context(), 5)
		if err := must(err, countErr, existsErr, deleteErr); err != nil || len(list) > 0 || n != 0 || found || deleted != 0 {
			t.Errorf("limit 0: %v, %d, %v, %d, %v", list, n, found, deleted, err)
		}
		for _, way := range ways {
			got, err := read(none.All(t.Context(), way.opts...))
			if len(got) > 0 || err != nil {
				t.Errorf("limit 0, %s: %v, %v", way.name, got, err)
			}
		}
		for _, opts := range [][]table.StreamOption{{table.PageSize(0)}, {table.PageSize(-1)}} {
			_, err := read(w.products.All(t.Context(), opts...))
			wantIs(t, err, table.ErrBatchSize)
		}
		_, err = read(w.products.FetchMany(t.Context(), 0))
		wantIs(t, err, table.ErrBatchSize)
		w.wantNothingSent(t)
	})
}

// isDriverError finds the driver's own error.
var isDriverError = map[string]func(error) bool{
	testdb.NamePostgres: func(err error) bool { return errors.As(err, new(*pgconn.PgError)) },
	testdb.NameMariaDB:  func(err error) bool { return errors.As(err, new(*mysql.MySQLError)) },
	testdb.NameSQLite:   func(err error) bool { return errors.As(err, new(*sqlite.Error)) },
}

func TestConformance_180_PortableErrors(t *testing.T) {
	codes := map[string][]string{ // unique, check, undefined column
		testdb.NamePostgres: {"23505", "23514", "42703"},
		testdb.NameMariaDB:  {"1062", "4025", "1054"},
		testdb.NameSQLite:   {"2067", "275", "1"},
	}
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 3)
		bad := slices.Clone(rows)
		bad[1].Qty = -1
		tests := []struct {
			name string
			call func() error
			kind db.Kind
			code int
		}{
			{"BulkCreate", func() error { _, err := w.products.BulkCreate(t.Context(), some(3, 3)); return err }, db.ErrUnique, 0},
			{"NoReadBack", func() error {
				_, err := w.products.BulkCreate(t.Context(), some(3, 3), table.NoReadBack())
				return err
			}, db.ErrUnique, 0},
			{"Create", func() error { return w.products.Create(t.Context(), new(one(2))) }, db.ErrUnique, 0},
			{"BulkUpdate", func() error { _, err := w.products.BulkUpdate(t.Context(), bad, "qty"); return err }, db.ErrCheck, 1},
			{"Update", func() error {
				_, err := w.products.Update(t.Context(), table.Set{"qty": -1})
				return err
			}, db.ErrCheck, 1},
			{"List", func() error { _, err := w.products.Where("skuu = 'x'").List(t.Context()); return err }, db.ErrUndefinedColumn, 2},
			{"All", func() error { _, err := read(w.products.Where("skuu = 'x'").All(t.Context())); return err }, db.ErrUndefinedColumn, 2},
			{"Cursor", func() error {
				_, err := read(w.products.Where("skuu = 'x'").All(t.Context(), table.Cursor()))
				return err
			}, db.ErrUndefinedColumn, 2},
			{"Direct", func() error {
				_, err := read(w.products.Where("skuu = 'x'").All(t.Context(), table.Direct()))
				return err
			}, db.ErrUndefinedColumn, 2},
			{"Count", func() error { _, err := w.products.Where("skuu = 'x'").Count(t.Context()); return err }, db.ErrUndefinedColumn, 2},
			{"Delete", func() error { _, err := w.products.Where("skuu = 'x'").Delete(t.Context()); return err }, db.ErrUndefinedColumn, 2},
		}
		for _, test := range tests {
			err := test.call()
			wantIs(t, err, test.kind)
			own, _ := errAs[*db.Error](err)
			if own == nil || own.Code != codes[w.on.Name][test.code] || own.Alias != "default" {
				t.Errorf("%s: %+v of %v", test.name, own, err)
			}
			if !isDriverError[w.on.Name](err) {
				t.Errorf("%s: the driver's error is not in the chain of %v", test.name, err)
			}
			if test.kind == db.ErrUndefinedColumn && !strings.Contains(err.Error(), `did you mean "sku"?`) {
				t.Errorf("%s: %v does not name the nearest column", test.name, err)
			}
		}
		w.wantStored(t, rows)
		w.wantUsable(t)
	})
}

// checked is a row with rules.
type checked struct {
	ID   int64  `db:"id,pk,auto"`
	SKU  string `db:"sku" validate:"required,max=5"`
	Qty  int64  `db:"qty" validate:"gte=0"`
	Note string `db:"note"`
}

// Validate is a rule of the row as a whole.
func (c checked) Validate() error {
	if c.Note == "whole" {
		return errOops
	}
	return nil
}

func TestConformance_181_AllFailuresTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		items := table.Of[checked](w.DB, table.Name("product"))
		rows := []checked{{SKU: "ok"}, {Qty: -1}, {SKU: "too long", Note: "whole"}, {SKU: "fine"}}
		want := []table.Failure{
			{Row: 1, Field: "SKU", Column: "sku", Rule: "required"},
			{Row: 1, Field: "Qty", Column: "qty", Rule: "gte", Param: "0"},
			{Row: 2, Field: "SKU", Column: "sku", Rule: "max", Param: "5"},
			{Row: 2, Rule: "Validate", Message: "oops"},
		}
		calls := map[string]func() error{
			"FullClean":  func() error { return items.FullClean(t.Context(), rows) },
			"BulkCreate": func() error { _, err := items.Validated().BulkCreate(t.Context(), rows); return err },
			"in batches": func() error { _, err := items.Validated().BatchSize(1).BulkCreate(t.Context(), rows); return err },
			"BulkCreateSeq": func() error {
				_, err := items.Validated().BulkCreateSeq(t.Context(), seq(rows))
				return err
			},
			"BulkUpdate": func() error {
				with := slices.Clone(rows)
				for i := range with {
					with[i].ID = int64(i + 1)
				}
				_, err := items.Validated().BulkUpdate(t.Context(), with, "qty")
				return err
			},
		}
		for name, call := range calls {
			w.log.Reset()
			err := call()
			got, ok := errAs[*table.ValidationError](err)
			if !ok {
				t.Errorf("%s: %v (%T)", name, err, err)
				continue
			}
			for i := range got.Failures {
				if got.Failures[i].Rule != "Validate" {
					got.Failures[i].Message = ""
				}
			}
			if diff := cmp.Diff(want, got.Failures); diff != "" {
				t.Errorf("%s: failures (-want +got):\n%s", name, diff)
			}
			if n := w.sentOf("INSERT", "COPY", "UPDATE"); n > 0 {
				t.Errorf("%s: %d writes were sent", name, n)
			}
		}
		w.wantStored(t, nil)
	})
}
