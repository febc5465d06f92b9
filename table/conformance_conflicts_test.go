package table_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func TestConformance_133_IgnoreConflicts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		there := w.added(t, 2)
		rows := append(some(2, 1), one(3))
		rows[0].Qty = 99 // must not be written
		n, err := w.products.BulkCreate(t.Context(), rows, table.IgnoreConflicts())
		noError(t, err)
		if n != 1 {
			t.Errorf("%d rows are said to be added, want 1", n)
		}
		w.wantSent(t, "INSERT")
		stored := w.stored(t)
		if len(stored) != 3 || stored[2].SKU != "p00003" {
			t.Fatalf("stored: %v", stored)
		}
		w.wantStored(t, append(there, stored[2]))
		_, err = w.products.BulkCreate(t.Context(), rows)
		wantIs(t, err, db.ErrUnique)
		w.wantStored(t, stored)
	})
}

// The count is right over several batches, and for a sequence.
func TestConformance_133_IgnoredAreNotCounted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 100)
		n, err := w.products.BatchSize(30).BulkCreate(t.Context(), some(200, 51), table.IgnoreConflicts())
		noError(t, err)
		m, err := w.products.BatchSize(30).BulkCreateSeq(t.Context(), seq(some(300, 1)), table.IgnoreConflicts())
		noError(t, err)
		if n != 150 || m != 50 {
			t.Errorf("%d and %d rows are said to be added, want 150 and 50", n, m)
		}
		if got := w.count(t, "SELECT COUNT(*) FROM product"); got != 300 {
			t.Errorf("%d rows are stored", got)
		}
		// Two rows that conflict with each other.
		n, err = w.products.BulkCreate(t.Context(), []product{one(400), one(401), one(400)}, table.IgnoreConflicts())
		if n != 2 || err != nil {
			t.Errorf("%d rows are said to be added, %v", n, err)
		}
	})
}

// What is no conflict of unique values is an error as ever.
func TestConformance_133_OtherViolations(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		there := w.added(t, 2)
		rows := append(some(2, 2), product{SKU: "negative", Qty: -1})
		_, err := w.products.BulkCreate(t.Context(), rows, table.IgnoreConflicts())
		wantIs(t, err, db.ErrCheck)
		_, err = w.products.BulkCreate(t.Context(), []product{one(5), {SKU: strings.Repeat("x", 21)}}, table.IgnoreConflicts())
		wantIs(t, err, tooLongKind[w.on.Name])
		w.wantStored(t, there)
	})
}

// tooLongKind is what a text is that is longer than its column: SQLite has no such limit but by a CHECK.
var tooLongKind = map[string]db.Kind{
	testdb.NamePostgres: db.ErrData, testdb.NameMariaDB: db.ErrData, testdb.NameSQLite: db.ErrCheck,
}

// refusedConflicts are options that are told before anything is sent.
func TestConformance_134_136_137_RefusedConflicts(t *testing.T) {
	tests := []struct {
		name string
		opts []table.CreateOption
		on   string // empty: every database
	}{
		{"134: ignore and update", []table.CreateOption{table.IgnoreConflicts(), table.UpdateConflicts([]string{"sku"}, "qty")}, ""},
		{"136: no target", []table.CreateOption{table.UpdateConflicts(nil, "qty")}, testdb.NamePostgres},
		{"136: no target", []table.CreateOption{table.UpdateConflicts(nil, "qty")}, testdb.NameSQLite},
		{"137: the key is to be updated", []table.CreateOption{table.UpdateConflicts([]string{"sku"}, "id")}, ""},
		{"137: the key is to be updated", []table.CreateOption{table.UpdateConflicts([]string{"sku"}, "qty", "id")}, ""},
	}
	each(t, func(t *testing.T, w *world) {
		for _, test := range tests {
			if test.on != "" && test.on != w.on.Name {
				continue
			}
			for _, rows := range [][]product{nil, some(3, 1)} {
				_, err := w.products.BulkCreate(t.Context(), rows, test.opts...)
				wantIs(t, err, table.ErrConflictOption)
				_, err = w.products.BulkCreateSeq(t.Context(), seq(rows), test.opts...)
				wantIs(t, err, table.ErrConflictOption)
			}
		}
		w.wantNothingSent(t)
	})
}

// Case 136: Django refuses any target on MySQL, where every unique key sets an upsert off. Here it is refused unless it is the only one that can.
func TestConformance_136_TargetOnMariaDB(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		w.added(t, 2)
		rows := []product{{SKU: "p00001", Qty: 11}, {SKU: "new", Qty: 12}}
		n, err := w.products.BulkCreate(t.Context(), slices.Clone(rows), table.UpdateConflicts(nil, "qty"))
		if n != 2 || err != nil {
			t.Errorf("without a target: %d, %v", n, err)
		}
		if n, err = w.products.Upsert(t.Context(), slices.Clone(rows), []string{"sku"}, "qty"); n != 2 || err != nil {
			t.Errorf("with the only key: %d, %v", n, err)
		}
		before := w.on.Dump(t)
		_, err = w.products.Upsert(t.Context(), rows, []string{"qty"}, "note") // is not unique
		wantIs(t, err, table.ErrConflictOption)
		_, err = w.products.Upsert(t.Context(), rows, []string{"id"}, "qty") // sku is unique too
		wantIs(t, err, table.ErrConflictOption)
		if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
	}, testdb.NameMariaDB)
}

type stock struct {
	Shop int64  `db:"shop,pk"`
	Item string `db:"item,pk"`
	Qty  int64  `db:"qty"`
	Note string `db:"note"`
}

const stockTable = `CREATE TABLE stock (shop bigint NOT NULL, item varchar(20) NOT NULL, qty integer NOT NULL, note varchar(20) NOT NULL, PRIMARY KEY (shop, item))`

func TestConformance_137_TargetIsTheKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setup(t, stockTable)
		items := table.Of[stock](w.DB)
		_, err := items.BulkCreate(t.Context(), []stock{{1, "a", 1, "x"}, {1, "b", 2, "x"}})
		noError(t, err)
		n, err := items.Upsert(t.Context(), []stock{{1, "b", 20, "y"}, {2, "a", 30, "y"}}, []string{"shop", "item"}, "qty")
		noError(t, err)
		if n != 2 {
			t.Errorf("%d rows", n)
		}
		// No columns to update means all but the key's.
		_, err = items.Upsert(t.Context(), []stock{{1, "a", 10, "z"}}, []string{"item", "shop"})
		noError(t, err)
		got, err := items.OrderBy("shop", "item").List(t.Context())
		noError(t, err)
		if diff := cmp.Diff([]stock{{1, "a", 10, "z"}, {1, "b", 20, "x"}, {2, "a", 30, "y"}}, got); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

func TestConformance_138_Upsert(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		there := w.added(t, 2)
		rows := []product{{SKU: "p00002", Qty: 20}, {SKU: "new", Qty: 30, Note: new("n")}, {SKU: "p00001", Qty: 10}}
		n, err := w.products.Upsert(t.Context(), rows, []string{"sku"}, "qty")
		noError(t, err)
		if n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
		w.wantSent(t, "INSERT")
		there[0].Qty, there[1].Qty = 10, 20
		if rows[0].ID != there[1].ID || rows[2].ID != there[0].ID || rows[1].ID == 0 {
			t.Errorf("the keys are %d, %d, %d; want %d, a new one, %d", rows[0].ID, rows[1].ID, rows[2].ID, there[1].ID, there[0].ID)
		}
		w.wantStored(t, append(there, rows[1]))
	})
}

// A target that no unique index covers is the database's error, on MariaDB drover's (case 136).
func TestConformance_139_TargetIsNotUnique(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		there := w.added(t, 2)
		for _, target := range [][]string{{"qty"}, {"sku", "qty"}} {
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
				_, err := w.products.Upsert(ctx, some(3, 1), target, "note")
				if _, own := errAs[*db.Error](err); err == nil || !own && w.on.Name != testdb.NameMariaDB {
					t.Errorf("target %v: %v (%T)", target, err, err)
				}
				_, err = w.products.Count(ctx) // the block goes on
				return err
			}))
		}
		w.wantStored(t, there)
	})
}

// One answer on all databases: refused.
func TestConformance_140_SameKeyTwice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		there := w.added(t, 3)
		rows := []product{one(7), one(2), one(8), one(2)}
		_, err := w.products.Upsert(t.Context(), rows, []string{"sku"}, "qty")
		twice, ok := errAs[*table.DuplicateKeyError](err)
		if !ok {
			t.Fatalf("%v (%T)", err, err)
		}
		if diff := cmp.Diff(table.DuplicateKeyError{Table: "product", Key: "sku p00002", First: 1, Second: 3}, *twice); diff != "" {
			t.Errorf("the error (-want +got):\n%s", diff)
		}
		_, err = w.products.BatchSize(2).Upsert(t.Context(), rows, []string{"sku"}, "qty") // in two batches of one slice
		if _, ok := errAs[*table.DuplicateKeyError](err); !ok {
			t.Errorf("%v (%T)", err, err)
		}
		_, err = w.products.BulkCreateSeq(t.Context(), seq(rows), table.UpdateConflicts([]string{"sku"}, "qty"))
		if _, ok := errAs[*table.DuplicateKeyError](err); !ok {
			t.Errorf("%v (%T)", err, err)
		}
		w.wantStored(t, there)
	})
}

func TestConformance_141_UnknownColumn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, opt := range []table.CreateOption{
			table.UpdateConflicts([]string{"skuu"}, "qty"),
			table.UpdateConflicts([]string{"sku"}, "skuu"),
			table.Assign(table.Set{"skuu": "x"}),
		} {
			for _, rows := range [][]product{nil, some(2, 1)} {
				_, err := w.products.BulkCreate(t.Context(), rows, opt)
				wantColumnError(t, err)
				_, err = w.products.BulkCreateSeq(t.Context(), seq(rows), opt)
				wantColumnError(t, err)
			}
		}
		w.wantNothingSent(t)
	})
}

// wantColumnError checks for the error about the column "skuu", which is nearly sku.
func wantColumnError(t *testing.T, err error) {
	t.Helper()
	got, ok := errAs[*table.ColumnError](err)
	if !ok {
		t.Errorf("%v (%T) is no *ColumnError", err, err)
		return
	}
	if diff := cmp.Diff(table.ColumnError{Table: "product", Column: "skuu", Nearest: "sku"}, *got); diff != "" {
		t.Errorf("the error (-want +got):\n%s", diff)
	}
}

// memoryRows are rows of which all together would show in memory.
const (
	memoryRows  = 9_600
	memoryNote  = 2 << 10
	memoryLimit = 9 << 20 // of the 19 MB that all of them have
)

// highWater is the most live memory above what there was at the beginning.
type highWater struct{ start, most uint64 }

func newHighWater() *highWater { return &highWater{start: liveMemory()} }

func liveMemory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (h *highWater) look() { h.most = max(h.most, liveMemory()) }

func (h *highWater) check(t *testing.T, what string) {
	t.Helper()
	if h.most > h.start+memoryLimit {
		t.Errorf("%s: %d MB were in use, of %d MB of rows", what, (h.most-h.start)>>20, memoryRows*memoryNote>>20)
	}
}

// A source of rows without end is not read first: memory holds a batch.
func TestConformance_142_MemoryOfASequence(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, opts := range map[string][]table.CreateOption{
			"plain":  nil, // PostgreSQL's COPY
			"upsert": {table.UpdateConflicts([]string{"sku"}, "note", "qty")},
		} {
			w.setup(t, "DELETE FROM product")
			h := newHighWater()
			padding := strings.Repeat("x", memoryNote)
			n, err := w.products.BatchSize(500).BulkCreateSeq(t.Context(), func(yield func(product, error) bool) {
				for i := range memoryRows {
					if i%1600 == 1599 {
						h.look()
					}
					note := fmt.Sprintf("%d %s", i, padding)
					if !yield(product{SKU: fmt.Sprintf("s%d", i), Note: &note}, nil) {
						return
					}
				}
			}, opts...)
			noError(t, err)
			if n != memoryRows {
				t.Errorf("%s: %d rows", name, n)
			}
			h.check(t, name)
		}
	})
}
