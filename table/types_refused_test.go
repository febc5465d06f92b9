package table_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/drover-dev/drover/internal/testdb"
)

// typesLimits has columns that hold less than their fields.
type typesLimits struct {
	ID                   int64 `db:"id,pk,auto"`
	Small, Medium, Unsig int64
	U32                  uint32
	U64                  uint64
	Tiny                 int
	Single, Fnum, Double float64
	Snum                 string
	Dec                  decimal.Decimal
	Text, Short          string
	Status               typesStatus
	Needed               *string
	At                   time.Time
	Point                typesPoint
}

// What a column cannot hold is an error in every way of writing it.
func TestTypes_Refused(t *testing.T) {
	typesEach(t, func(t *testing.T, w *typesWorld) {
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		number := typesSQL{"numeric(4,2)", "decimal(4,2)", "text"}
		g := typesGroup[typesLimits]{columns: []typesColumn{
			{"Small", typesSQL{"smallint", "smallint", "integer"}, []int64{1, 2, 3, 4}, false},
			{"Medium", typesSQL{"integer", "integer", "integer"}, []int64{1}, false},
			{"Unsig", typesSQL{"bigint", "bigint unsigned", "integer"}, []int64{1}, false},
			{"U32", typesSQL{"integer", "integer", "integer"}, []uint32{1}, false},
			{"U64", typesSQL{"bigint", "bigint", "integer"}, []uint64{1}, false},
			{"Tiny", typesSQL{"smallint", "tinyint", "integer"}, []int{1}, false},
			{"Single", typesSQL{"float4", "float", "real"}, []float64{1}, false},
			{"Fnum", number, []float64{1}, false},
			{"Double", typesSQL{"float8", "double", "real"}, []float64{1}, false},
			{"Snum", number, []string{"99.99"}, false},
			{"Dec", number, []decimal.Decimal{decimal.RequireFromString("99.99")}, false},
			{"Text", typesSQL{"text", "text", "text"}, []string{"fits"}, false},
			{"Short", typesSQL{"varchar(5)", "varchar(5)", "text"}, []string{"fits"}, false},
			{"Status", typesSQL{"varchar(5)", "varchar(5)", "text"}, []typesStatus{"fits"}, false},
			{"Needed", typesSQL{"text NOT NULL DEFAULT 'x'", "varchar(20) NOT NULL DEFAULT 'x'", "text NOT NULL DEFAULT 'x'"}, []*string{new("fits")}, false},
			{"At", typesSQL{"timestamptz", "datetime(6)", "datetime"}, []time.Time{at}, false},
			{"Point", typesSQL{"text", "text", "text"}, []typesPoint{{1, 2}}, false},
		}}
		everywhere := []typesColumn{
			{field: "U64", values: []uint64{math.MaxUint64}},
			{field: "Needed", values: []*string{nil}},
		}
		servers := []typesColumn{
			{field: "Small", values: []int64{math.MaxInt16 + 1, math.MinInt64}},
			{field: "Medium", values: []int64{math.MinInt32 - 1}},
			{field: "U32", values: []uint32{math.MaxUint32}},
			{field: "Single", values: []float64{1e300}},
			{field: "Fnum", values: []float64{100}},
			{field: "Snum", values: []string{"100", "x", ""}},
			{field: "Dec", values: []decimal.Decimal{decimal.RequireFromString("100")}},
			{field: "Text", values: []string{"no UTF-8: \xff"}},
			{field: "Short", values: []string{"much too long"}},
			{field: "Status", values: []typesStatus{"much too long"}},
			{field: "At", values: []time.Time{time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		}
		own := map[string][]typesColumn{
			testdb.NamePostgres: {{field: "Text", values: []string{"nul \x00 byte"}}},
			testdb.NameMariaDB: {
				{field: "Unsig", values: []int64{-1}},
				{field: "Tiny", values: []int{128}},
				{field: "Double", values: []float64{math.Inf(1), math.NaN()}},
				{field: "At", values: []time.Time{time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}},
			},
			testdb.NameSQLite: {{field: "Double", values: []float64{math.NaN()}}}, // which would be stored as NULL
		}
		g.refuse(t, w, append(everywhere, own[w.name]...))
		if w.name != testdb.NameSQLite {
			g.refuse(t, w, servers)
		}
		g.refuse(t, w, []typesColumn{{field: "Point", values: []typesPoint{{-1, 0}}}}) // an error of the value's own
	})
}

// typesTextual has texts for columns of other types, and a time for one of text.
type typesTextual struct {
	ID                                 int64 `db:"id,pk,auto"`
	Number, Date, Clock, Moment, Truth string
	Numberp                            *string
	Said                               time.Time
}

// A text is taken by a column of another type if it is one of its values, whatever the way of writing it.
func TestTypes_TextInOtherColumns(t *testing.T) {
	typesEach(t, func(t *testing.T, w *typesWorld) {
		g := typesGroup[typesTextual]{stored: typesStoredTime, columns: []typesColumn{
			{"Number", typesSQL{"integer", "integer", "integer"}, []string{"1", "-7", "0", "5"}, true},
			{"Numberp", typesSQL{"bigint", "bigint", "integer"}, []*string{nil, new("7")}, true},
			{"Date", typesSQL{"date", "date", "text"}, []string{"2026-01-02"}, true},
			{"Clock", typesSQL{"time", "time(6)", "text"}, []string{"12:34:56.789012", "23:59:59.999999"}, true},
			{"Moment", typesSQL{"timestamptz", "datetime(6)", "text"}, []string{"2026-01-02 03:04:05"}, true},
			{"Truth", typesSQL{"boolean", "varchar(5)", "text"}, []string{"true", "false"}, true},
			{"Said", typesSQL{"text", "varchar(60)", "text"}, []time.Time{time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600))}, true},
		}}
		g.opts = cmp.Options{cmp.FilterPath(func(p cmp.Path) bool { // which each driver writes in its own way
			name := p.Last().String()
			return name == ".Date" || name == ".Moment"
		}, cmp.Comparer(func(a, b string) bool { return len(a) >= 10 && len(b) >= 10 && a[:10] == b[:10] }))}
		g.run(t, w)
		if w.name != testdb.NameSQLite {
			g.refuse(t, w, []typesColumn{
				{field: "Number", values: []string{"one", "99999999999"}},
				{field: "Date", values: []string{"no date", "2026-02-30"}},
			})
		}
	})
}
