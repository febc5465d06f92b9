package table_test

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// half has only one of the two methods.
type half struct{ s string }

func (h *half) Scan(any) error { h.s = "x"; return nil }

type otherHalf struct{ s string }

func (h otherHalf) Value() (driver.Value, error) { return h.s, nil }

type inner struct{ A int64 }

// The wrong mappings. Each is a sentence that says which field, and what to do.
type (
	noFields struct{ _ int }
	skipped  struct {
		A int `db:"-"`
	}
	badOption struct {
		ID int64 `db:"id,primary"`
	}
	pointerIn  struct{ *inner }
	channel    struct{ C chan int }
	function   struct{ F func() }
	mapping    struct{ M map[string]int }
	structure  struct{ S inner }
	scansOnly  struct{ H half }
	valuesOnly struct{ H otherHalf }
	nestedList struct{ L [][]int64 }
	complexed  struct{ C complex128 }
	twice      struct {
		Name  string
		Other string `db:"name"`
	}
	twiceEmbedded struct {
		inner
		B int64 `db:"a"`
	}
	computedKey struct {
		ID int64 `db:"id,pk,generated"`
	}
	withList struct {
		ID   int64
		Tags []string
	}
)

func newError[T any](opts ...table.Option) func(conn *db.DB) error {
	return func(conn *db.DB) error {
		_, err := table.New[T](conn, opts...)
		return err
	}
}

func TestRefusals_Mapping(t *testing.T) {
	tests := []struct {
		name string
		make func(conn *db.DB) error
		want string
	}{
		{"no struct", newError[int](), "type int cannot be a row: it is no struct"},
		{"a pointer", newError[*product](), "type *table_test.product cannot be a row: it is no struct"},
		{"no fields", newError[noFields](), "type table_test.noFields cannot be a row: it has no exported fields that could be columns"},
		{"all skipped", newError[skipped](), "type table_test.skipped cannot be a row: it has no exported fields that could be columns"},
		{"unknown option", newError[badOption](), `field ID of type table_test.badOption cannot be a column: its tag has the unknown option "primary"; there are pk, auto, generated, omitzero and json`},
		{"embedded pointer", newError[pointerIn](), "field inner of type table_test.pointerIn cannot be a column: an embedded pointer may be nil; embed the struct itself"},
		{"a channel", newError[channel](), `field C of type table_test.channel cannot be a column: a column cannot have the type chan int; mark the field json to store it as a document, or "-" to leave it out`},
		{"a function", newError[function](), `field F of type table_test.function cannot be a column: a column cannot have the type func(); mark the field json to store it as a document, or "-" to leave it out`},
		{"a map", newError[mapping](), `field M of type table_test.mapping cannot be a column: a column cannot have the type map[string]int; mark the field json to store it as a document, or "-" to leave it out`},
		{"a struct", newError[structure](), `field S of type table_test.structure cannot be a column: a column cannot have the type table_test.inner; mark the field json to store it as a document, or "-" to leave it out`},
		{"a complex number", newError[complexed](), `field C of type table_test.complexed cannot be a column: a column cannot have the type complex128; mark the field json to store it as a document, or "-" to leave it out`},
		{"Scan without Value", newError[scansOnly](), "field H of type table_test.scansOnly cannot be a column: its type table_test.half has only one of the methods Scan and Value; it needs both"},
		{"Value without Scan", newError[valuesOnly](), "field H of type table_test.valuesOnly cannot be a column: its type table_test.otherHalf has only one of the methods Scan and Value; it needs both"},
		{"a list of lists", newError[nestedList](), "field L of type table_test.nestedList cannot be a column: an array of arrays is not supported; mark the field json to store it as a document"},
		{"a column twice", newError[twice](), `field Other of type table_test.twice cannot be a column: the column "name" is the field Name already`},
		{"an embedded column twice", newError[twiceEmbedded](), `field B of type table_test.twiceEmbedded cannot be a column: the column "a" is the field inner.A already`},
		{"a computed key", newError[computedKey](), "field ID of type table_test.computedKey cannot be a column: a computed column cannot be the key by which rows are written; mark the key auto"},
		{"three names", newError[product](table.Name("a.b.c")), `type table_test.product cannot be a row: table name "a.b.c": more than a schema and a table`},
		{"an open quote", newError[product](table.Name(`"a`)), `type table_test.product cannot be a row: table name "\"a": no closing "`},
		{"an empty part", newError[product](table.Name("a.")), `type table_test.product cannot be a row: table name "a.": an empty part`},
		{"text after a quote", newError[product](table.Name(`"a"b`)), `type table_test.product cannot be a row: table name "\"a\"b": text after the closing "`},
	}
	each(t, func(t *testing.T, w *world) {
		for _, test := range tests {
			err := test.make(w.DB)
			if _, ok := errAs[*table.MappingError](err); !ok {
				t.Errorf("%s: %v (%T) is no *MappingError", test.name, err, err)
				continue
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
		if _, ok := recovered(func() { table.Of[channel](w.DB) }).(*table.MappingError); !ok {
			t.Error("Of does not panic with a *MappingError")
		}
		w.wantNothingSent(t)
	})
}

func TestRefusals_ArraysAreOfPostgreSQL(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, err := table.New[withList](w.DB)
		if w.isPostgres() {
			noError(t, err)
			other := newWorld(t, testdb.Fresh(t, testdb.NameSQLite))
			_, err = table.Of[withList](w.DB).Using(other.DB).List(t.Context())
			if _, ok := errAs[*table.MappingError](err); !ok {
				t.Errorf("on SQLite: %v (%T)", err, err)
			}
			return
		}
		name := w.Dialect().Name()
		want := "field Tags of type table_test.withList cannot be a column: " + name + " has no arrays; mark the field json to store it as a document"
		if _, ok := errAs[*table.MappingError](err); !ok || err.Error() != want {
			t.Errorf("%v (%T), want %s", err, err, want)
		}
	})
}

func TestRefusals_Projections(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, err := range map[string]error{
			"Column":       drop(table.Column[chan int](w.products, "qty").List(t.Context())),
			"Into":         drop(table.Into[channel](w.products).List(t.Context())),
			"Raw":          drop(table.Raw[channel](w.DB, "SELECT 1 AS c").List(t.Context())),
			"Raw, a value": drop(read(table.Raw[func()](w.DB, "SELECT 1 AS c").All(t.Context()))),
		} {
			if _, ok := errAs[*table.MappingError](err); !ok {
				t.Errorf("%s: %v (%T)", name, err, err)
			}
		}
		if err := drop(w.products.Values("sku", "sku").List(t.Context())); err == nil {
			t.Error("a column is read twice into a map")
		}
		w.wantNothingSent(t)
	})
}

func TestRefusals_Col(t *testing.T) {
	tests := []struct {
		name string
		make func()
		want string
	}{
		{"unknown", func() { table.Col[product, string]("skuu") }, `type table_test.product cannot be a row: it has no column "skuu"; did you mean "sku"?`},
		{"wrong type", func() { table.Col[product, int32]("qty") }, "field Qty of type table_test.product cannot be a column: its type is int64, and Col was told int32"},
		{"wrong pointer", func() { table.Col[product, time.Time]("note") }, "field Note of type table_test.product cannot be a column: its type is *string, and Col was told time.Time"},
		{"bad type", func() { table.Col[channel, chan int]("c") }, `field C of type table_test.channel cannot be a column: a column cannot have the type chan int; mark the field json to store it as a document, or "-" to leave it out`},
	}
	for _, test := range tests {
		err, ok := recovered(test.make).(*table.MappingError)
		if !ok {
			t.Errorf("%s: no panic with a *MappingError", test.name)
			continue
		}
		if diff := cmp.Diff(test.want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

type keyless struct {
	SKU string `db:"sku"`
	Qty int64  `db:"qty"`
}

func TestRefusals_WithoutKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		items := table.Of[keyless](w.DB, table.Name("product"))
		rows := []keyless{{"a", 1}, {"b", 2}}
		for name, err := range map[string]error{
			"BulkUpdate":    drop(items.BulkUpdate(t.Context(), rows, "qty")),
			"Save":          items.Save(t.Context(), &rows[0], "qty"),
			"BulkDelete":    drop(items.BulkDelete(t.Context(), rows)),
			"DeleteBatches": drop(items.DeleteBatches(t.Context(), 1)),
			"InBulk":        drop(table.InBulk(t.Context(), items, []int64{1})),
			"Last":          drop(items.Last(t.Context())),
		} {
			wantIs(t, err, table.ErrNoKey)
			if err == nil {
				t.Error(name)
			}
		}
		if _, err := read(items.All(t.Context(), table.ByKey())); err == nil {
			t.Error("ByKey reads without a key")
		}
		w.wantNothingSent(t)
		n, err := items.BulkCreate(t.Context(), rows)
		if n != 2 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		got, err := read(items.OrderBy("sku").All(t.Context()))
		if diff := cmp.Diff(rows, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
