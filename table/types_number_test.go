package table_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// Named types of a program.
type (
	typesStatus string
	typesCents  int64
	typesLevel  uint8
	typesRatio  float64
	typesFlag   bool
	typesBlob   []byte
)

func typesPointers[V any](values ...V) []*V {
	pointers := []*V{nil}
	for _, v := range values {
		pointers = append(pointers, &v)
	}
	return append(pointers, nil)
}

type typesNumbers struct {
	ID                       int64 `db:"id,pk,auto"`
	Bool                     bool
	Flag                     typesFlag
	Boolp                    *bool
	Flagp                    *typesFlag
	Bit                      bool
	Int                      int
	Int8                     int8
	Int16                    int16
	Int32                    int32
	Int64                    int64
	Uint                     uint
	Uint8                    uint8
	Uint16                   uint16
	Uint32                   uint32
	Uint64, Ubig             uint64
	Numeric                  int64
	Cents                    typesCents
	Level                    typesLevel
	Intp                     *int
	Int16p                   *int16
	Int32p                   *int32
	Int64p                   *int64
	Uint32p                  *uint32
	Centsp                   *typesCents
	Levelp                   *typesLevel
	Float64, Fnumeric, Fwide float64
	Float32, Double32        float32
	Ratio                    typesRatio
	Float64p                 *float64
	Float32p                 *float32
	Ratiop                   *typesRatio
}

func typesNumbersOn(w *typesWorld) typesGroup[typesNumbers] {
	small, medium, big := typesSQL{"smallint", "smallint", "integer"}, typesSQL{"integer", "integer", "integer"}, typesSQL{"bigint", "bigint", "integer"}
	boolean, double, single := typesSQL{"boolean", "boolean", "boolean"}, typesSQL{"float8", "double", "real"}, typesSQL{"float4", "float", "real"}
	unsigned := []uint64{0, 1<<63 + 1, math.MaxUint64, math.MaxInt64}
	wide := []float64{math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.NaN()}
	switch w.name {
	case testdb.NameMariaDB:
		wide = []float64{math.MaxFloat64, 2.2250738585072014e-308}
	case testdb.NameSQLite: // which has no larger integers, and for NaN stores NULL
		unsigned, wide = []uint64{0, math.MaxInt64}, wide[:4]
	}
	uints := make([]uint, len(unsigned))
	for i, v := range unsigned {
		uints[i] = uint(v)
	}
	return typesGroup[typesNumbers]{columns: []typesColumn{
		{"Bool", boolean, []bool{true, false}, false},
		{"Flag", boolean, []typesFlag{false, true}, false},
		{"Boolp", boolean, typesPointers(true, false), false},
		{"Flagp", boolean, typesPointers[typesFlag](true, false), false},
		{"Bit", typesSQL{"boolean", "bit(1)", "integer"}, []bool{true, false}, false},
		{"Int", big, []int{0, 1, -1, math.MaxInt, math.MinInt}, false},
		{"Int8", typesSQL{"smallint", "tinyint", "integer"}, []int8{0, math.MaxInt8, math.MinInt8}, false},
		{"Int16", small, []int16{0, math.MaxInt16, math.MinInt16}, false},
		{"Int32", medium, []int32{0, math.MaxInt32, math.MinInt32}, false},
		{"Int64", big, []int64{0, 1<<53 + 1, math.MaxInt64, math.MinInt64}, false},
		{"Uint", typesSQL{"numeric(20)", "bigint unsigned", "integer"}, uints, false},
		{"Uint8", typesSQL{"smallint", "tinyint unsigned", "integer"}, []uint8{0, math.MaxUint8}, false},
		{"Uint16", typesSQL{"integer", "smallint unsigned", "integer"}, []uint16{0, math.MaxUint16}, false},
		{"Uint32", typesSQL{"bigint", "integer unsigned", "integer"}, []uint32{0, math.MaxUint32}, false},
		{"Uint64", typesSQL{"numeric(20)", "bigint unsigned", "integer"}, unsigned, false},
		{"Ubig", big, []uint64{0, math.MaxInt64}, false},
		{"Numeric", typesSQL{"numeric(30)", "decimal(30)", "integer"}, []int64{0, math.MaxInt64, math.MinInt64}, false},
		{"Cents", big, []typesCents{0, -5, math.MaxInt64}, false},
		{"Level", small, []typesLevel{0, 255}, false},
		{"Intp", big, typesPointers(0, math.MaxInt), false},
		{"Int16p", small, typesPointers[int16](0, math.MinInt16), false},
		{"Int32p", medium, typesPointers[int32](0, math.MinInt32), false},
		{"Int64p", big, typesPointers[int64](0, math.MinInt64), false},
		{"Uint32p", big, typesPointers[uint32](0, math.MaxUint32), false},
		{"Centsp", big, typesPointers[typesCents](0, -5), false},
		{"Levelp", small, typesPointers[typesLevel](0, 255), false},
		{"Float64", double, []float64{0, 0.1, -1.0 / 3, 1e-300, 123456789.123456789, math.MaxFloat64, -math.MaxFloat64, 2.2250738585072014e-308}, false},
		{"Fnumeric", typesSQL{"numeric", "double", "real"}, []float64{0, 0.1, 1.0 / 3, 1e20, -1e-10}, false},
		{"Fwide", double, wide, false},
		{"Float32", single, []float32{0, 0.1, 1.0 / 3, 16777217, 0.12345679, math.MaxFloat32, -math.MaxFloat32, 1.17549435e-38}, true},
		{"Double32", double, []float32{0, 0.1, 1.0 / 3, math.MaxFloat32}, false},
		{"Ratio", double, []typesRatio{0, 0.1}, false},
		{"Float64p", double, typesPointers(0, 0.1), false},
		{"Float32p", single, typesPointers[float32](0, 0.5), false},
		{"Ratiop", double, typesPointers[typesRatio](0, 0.1), false},
	}}
}

func TestTypes_Numbers(t *testing.T) {
	typesEach(t, func(t *testing.T, w *typesWorld) { typesNumbersOn(w).run(t, w) })
}

// A number that its field cannot hold is an error that names the column in every way of reading it.
func TestTypes_FieldsOutOfRange(t *testing.T) {
	typesEach(t, func(t *testing.T, w *typesWorld) {
		g := typesNumbersOn(w)
		rows := g.table(t, w)
		all := slices.DeleteFunc(g.rows(0), func(r typesNumbers) bool { return r.Int64 != math.MinInt64 })[:1]
		all[0].Int64p, all[0].Float64 = nil, 1e300
		if _, err := rows.BulkCreate(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		typesMisread[int8](t, rows, "int64")
		typesMisread[uint64](t, rows, "int64")
		typesMisread[bool](t, rows, "int64")
		typesMisread[float32](t, rows, "float64")
		typesMisread[int8](t, rows, "float64")
		typesMisread[int8](t, rows, "int64p") // NULL
		typesMisread[bool](t, rows, "int64p")
	})
}

// typesMisread reads a column into a type that cannot hold what is in it.
func typesMisread[V, T any](t *testing.T, rows table.Table[T], column string) {
	t.Helper()
	values := table.Column[V](rows, column)
	_, err := values.List(t.Context())
	errs := map[string]error{"list": err}
	for way, opt := range map[string]table.StreamOption{"by key": table.ByKey(), "cursor": table.Cursor(), "direct": table.Direct()} {
		_, errs[way] = propCollect(values.All(t.Context(), opt))
	}
	for way, err := range errs {
		if own, ok := errors.AsType[*table.ValueError](err); !ok || own.Column != column {
			t.Errorf("%s into %T, %s: the error is %v (%T), want a ValueError of the column", column, *new(V), way, err, err)
		}
	}
}
