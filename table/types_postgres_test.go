package table_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func typesPostgres(column string) typesSQL { return typesSQL{column, "", ""} }

type typesArrays struct {
	ID            int64 `db:"id,pk,auto"`
	Texts, Shorts []string
	Textps        []*string
	Statuses      []typesStatus
	Moods         []typesStatus
	Levels        []typesLevel
	Int64s        []int64
	Int16s        []int16
	Int64ps       []*int64
	Floats        []float64
	Bools         []bool
	Times, Plains []time.Time
	Blobs         [][]byte
	Uuids         []uuid.UUID
	Decimals      []decimal.Decimal
}

func typesArraysGroup() typesGroup[typesArrays] {
	one := uuid.MustParse("00010203-0405-0607-0809-0a0b0c0d0eff")
	at := time.Date(1969, 12, 31, 23, 59, 59, 123456000, time.UTC)
	return typesGroup[typesArrays]{columns: []typesColumn{
		{"Texts", typesPostgres("text[]"), [][]string{{"a", "b,c", `d"e\f`, "", "NULL", "null", " x ", "{}", "é😀\n"}, {}, nil, {""}, typesTexts}, true},
		{"Shorts", typesPostgres("varchar(20)[]"), [][]string{{"a", "b,c"}, nil}, true},
		{"Textps", typesPostgres("text[]"), [][]*string{{new("a"), nil, new("NULL"), new("")}, {}, nil, {nil}}, true},
		{"Statuses", typesPostgres("text[]"), [][]typesStatus{{"new", "it's"}, nil}, true},
		{"Moods", typesPostgres("mood[]"), [][]typesStatus{{"sad", "it's ok", "a,b"}, {}, nil}, true},
		{"Levels", typesPostgres("smallint[]"), [][]typesLevel{{0, 255}, {}, nil}, true},
		{"Int64s", typesPostgres("bigint[]"), [][]int64{{1, math.MinInt64, math.MaxInt64}, {}, nil}, true},
		{"Int16s", typesPostgres("smallint[]"), [][]int16{{1, -2}, {}, nil}, true},
		{"Int64ps", typesPostgres("bigint[]"), [][]*int64{{new(int64(1)), nil}, nil}, true},
		{"Floats", typesPostgres("float8[]"), [][]float64{{0.1, -1e300}, nil}, true},
		{"Bools", typesPostgres("boolean[]"), [][]bool{{true, false}, {}, nil}, true},
		{"Times", typesPostgres("timestamptz[]"), [][]time.Time{{at, time.Unix(0, 0).UTC()}, {}, nil}, true},
		{"Plains", typesPostgres("timestamp[]"), [][]time.Time{{at}, nil}, true},
		{"Blobs", typesPostgres("bytea[]"), [][][]byte{{{0, 255, '\\'}, {}}, nil}, true},
		{"Uuids", typesPostgres("uuid[]"), [][]uuid.UUID{{one, uuid.Nil}, nil}, true},
		{"Decimals", typesPostgres("numeric[]"), [][]decimal.Decimal{{decimal.RequireFromString("1.50")}, nil}, true},
	}}
}

func TestTypes_Arrays(t *testing.T) {
	w := newTypesWorld(t, testdb.Fresh(t, testdb.NamePostgres))
	w.exec(t, "CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'a,b')")
	g := typesArraysGroup()
	g.run(t, w)
	g.refuse(t, w, []typesColumn{
		{field: "Moods", values: [][]typesStatus{{"sad", "glad"}}},
		{field: "Texts", values: [][]string{{"nul \x00 byte"}, {"\xff"}}},
	})
	w.exec(t, "CREATE TABLE matrix (id bigint PRIMARY KEY, texts text[])")
	w.exec(t, "INSERT INTO matrix VALUES (1, '{{a,b},{c,d}}')")
	typesMisread[[]string](t, table.Of[typesArrays](w.DB, table.Name("matrix")), "texts")
}

type typesOwn struct {
	ID                                                   int64 `db:"id,pk,auto"`
	Mood                                                 typesStatus
	Moodp                                                *typesStatus
	Odd                                                  string
	Positive                                             int
	Short, Feeling, Inet, Macaddr, Doc, Xml, Bits        string
	Money, Point, Span, Vector, Name, Many, Spell, Exact string
	Cidr                                                 *string
	Oid                                                  uint32
	Big                                                  decimal.Decimal
	Digits, Citext                                       string
}

// Types that have no binary form here travel as text.
func TestTypes_PostgresOwn(t *testing.T) {
	w := newTypesWorld(t, testdb.Fresh(t, testdb.NamePostgres))
	for _, create := range []string{
		"CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'a,b')", "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
		"CREATE DOMAIN short AS varchar(10) CHECK (VALUE <> 'bad')", "CREATE DOMAIN feeling AS mood", "CREATE SCHEMA other",
		`CREATE TYPE other."Odd Name" AS ENUM ('x', 'y')`,
	} {
		w.exec(t, create)
	}
	citext := "text" // where the server has not the extension
	var available bool
	if err := w.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext')").Scan(&available); err != nil {
		t.Fatal(err)
	}
	if available {
		w.exec(t, "CREATE EXTENSION citext")
		citext = "citext"
	}
	digits := strings.Repeat("1234567890", 50)
	g := typesGroup[typesOwn]{columns: []typesColumn{
		{"Mood", typesPostgres("mood"), []typesStatus{"sad", "it's ok", "a,b", "sad"}, false},
		{"Moodp", typesPostgres("mood"), typesPointers[typesStatus]("sad", "a,b"), false},
		{"Odd", typesPostgres(`other."Odd Name"`), []string{"x", "y"}, false},
		{"Positive", typesPostgres("positive"), []int{1, 2}, false},
		{"Short", typesPostgres("short"), []string{"good", ""}, false},
		{"Feeling", typesPostgres("feeling"), []string{"sad", "a,b"}, true}, // PostgreSQL compares it only after a cast
		{"Inet", typesPostgres("inet"), []string{"192.168.0.1", "10.0.0.0/8", "::1"}, false},
		{"Cidr", typesPostgres("cidr"), []*string{nil, new("10.0.0.0/8")}, false},
		{"Macaddr", typesPostgres("macaddr"), []string{"08:00:2b:01:02:03"}, false},
		{"Doc", typesPostgres("jsonb"), []string{`{"a": 1}`, `"text"`, `null`}, false},
		{"Xml", typesPostgres("xml"), []string{"<a>é</a>"}, true},
		{"Bits", typesPostgres("bit(4)"), []string{"0101"}, false},
		{"Money", typesPostgres("money"), []string{"$1.50"}, false},
		{"Point", typesPostgres("point"), []string{"(1,2)"}, true},
		{"Span", typesPostgres("int4range"), []string{"[1,5)", "empty"}, false},
		{"Vector", typesPostgres("tsvector"), []string{"'a' 'b'"}, false},
		{"Name", typesPostgres("name"), []string{"a"}, false},
		{"Many", typesPostgres("text[]"), []string{`{a,"b,c",NULL}`, "{}"}, true},
		{"Spell", typesPostgres("interval"), []string{"1 day 02:03:04", "-1 years"}, false},
		{"Exact", typesPostgres("numeric"), []string{digits + "." + digits, "-" + digits, "0.00", "NaN", "1.10"}, false},
		{"Oid", typesPostgres("oid"), []uint32{0, 1 << 31}, false},
		{"Big", typesPostgres("numeric"), []decimal.Decimal{decimal.RequireFromString(digits + "." + digits), decimal.RequireFromString("-0.001")}, false},
		{"Digits", typesPostgres("char(3)"), []string{"abc"}, false},
		{"Citext", typesPostgres(citext), []string{"Mixed", "case", ""}, false},
	}}
	g.run(t, w)
	g.refuse(t, w, []typesColumn{
		{field: "Mood", values: []typesStatus{"glad", ""}},
		{field: "Inet", values: []string{"no address"}},
		{field: "Doc", values: []string{"{", ""}},
		{field: "Point", values: []string{"1"}},
		{field: "Short", values: []string{"much too long for it"}},
		{field: "Exact", values: []string{"x"}},
	})
	rows, given := g.table(t, w), g.rows(0)
	given[2].Positive = -3
	for _, opts := range [][]table.CreateOption{nil, {table.NoReadBack()}} {
		_, err := rows.BulkCreate(t.Context(), given, opts...)
		typesRowOf(t, err, 2, db.ErrCheck)
	}
	if _, err := rows.BulkCreate(t.Context(), g.rows(0)); err != nil {
		t.Fatal(err)
	}
	_, err := rows.BulkUpdate(t.Context(), given, "positive")
	typesRowOf(t, err, 2, db.ErrCheck)
}

// infinity is no time.
func TestTypes_PostgresInfinity(t *testing.T) {
	w := newTypesWorld(t, testdb.Fresh(t, testdb.NamePostgres))
	w.exec(t, "CREATE TABLE types_times (id bigint PRIMARY KEY, at timestamptz)")
	w.exec(t, "INSERT INTO types_times VALUES (1, 'infinity')")
	rows := table.Of[typesTimes](w.DB, table.Name("types_times"))
	typesMisread[time.Time](t, rows, "at")
	text, err := table.Column[string](rows, "at").One(t.Context())
	if err != nil || text != "infinity" {
		t.Errorf("as text it is %q, %v", text, err)
	}
}
