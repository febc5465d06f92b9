package pgbinary_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pgbinary"
)

// kind is one type with one Go value that is written to it.
type kind struct {
	name   string
	oid    uint32
	draw   func(*rapid.T) any
	append func(buf []byte, v any) ([]byte, error)
	read   func(src []byte) (any, error)
	pgtype func(v any) any // what pgtype encodes in place of v
	loose  bool            // pgtype writes zeros that PostgreSQL leaves out
}

func anyOf[T any](g *rapid.Generator[T]) func(*rapid.T) any {
	return func(t *rapid.T) any { return g.Draw(t, "value") }
}

func result[T any](v T, err error) (any, error) { return v, err }

func same(v any) any { return v }

func integers(name string, oid uint32, g *rapid.Generator[int64], as func(any) any) kind {
	return kind{
		name: name, oid: oid, draw: anyOf(g), pgtype: as,
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendInt(buf, oid, v.(int64)) },
		read:   func(src []byte) (any, error) { return result(pgbinary.Int(oid, src)) },
	}
}

func texts(name string, oid uint32, g *rapid.Generator[string]) kind {
	return kind{
		name: name, oid: oid, draw: anyOf(g), pgtype: same,
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendText(buf, oid, v.(string)) },
		read:   func(src []byte) (any, error) { return result(pgbinary.String(oid, src)) },
	}
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// times draws from the days low to high, counted from 2000-01-01, with a time of day where clock is set.
func times(name string, oid uint32, low, high int, clock bool) kind {
	return kind{
		name: name, oid: oid, pgtype: same,
		draw: func(t *rapid.T) any {
			v := epoch.AddDate(0, 0, rapid.IntRange(low, high).Draw(t, "day"))
			if clock {
				v = v.Add(time.Duration(rapid.Int64Range(0, 86400*1e6-1).Draw(t, "clock")) * time.Microsecond)
			}
			return v
		},
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendTime(buf, oid, v.(time.Time)) },
		read:   func(src []byte) (any, error) { return result(pgbinary.TimeValue(oid, src)) },
	}
}

var (
	text = rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 }))
	word = rapid.StringMatching(`[A-Za-z0-9 äß€😀]{0,40}`)

	// decimals draws the text of a numeric as PostgreSQL prints it.
	decimals = rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 19).Draw(t, "special") == 0 {
			return rapid.SampledFrom([]string{"NaN", "Infinity", "-Infinity", "0", "0.000", "-1"}).Draw(t, "word")
		}
		whole := rapid.StringMatching(`0|[1-9][0-9]{0,30}|[1-9]0{0,40}`).Draw(t, "whole")
		fraction := rapid.StringMatching(`|\.0{0,20}[0-9]{1,20}|\.[0-9]{1,4}0{0,9}`).Draw(t, "fraction")
		sign := ""
		if strings.Trim(whole+fraction, "0.") != "" {
			sign = rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign")
		}
		return sign + whole + fraction
	})
)

func pgNumeric(v any) any {
	var n pgtype.Numeric
	switch s := v.(string); s {
	case "NaN":
		n.NaN = true
	case "Infinity":
		n.InfinityModifier = pgtype.Infinity
	case "-Infinity":
		n.InfinityModifier = pgtype.NegativeInfinity
	default:
		whole, fraction, _ := strings.Cut(s, ".")
		n.Int, _ = new(big.Int).SetString(whole+fraction, 10)
		n.Exp = -int32(len(fraction))
	}
	n.Valid = true
	return n
}

var kinds = []kind{
	{
		name: "bool", oid: pgbinary.Bool, draw: anyOf(rapid.Bool()), pgtype: same,
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendBool(buf, v.(bool)), nil },
		read:   func(src []byte) (any, error) { return result(pgbinary.BoolValue(src)) },
	},
	integers("int2", pgbinary.Int2, rapid.Int64Range(math.MinInt16, math.MaxInt16), same),
	integers("int4", pgbinary.Int4, rapid.Int64Range(math.MinInt32, math.MaxInt32), same),
	integers("int8", pgbinary.Int8, rapid.Int64(), same),
	integers("oid", pgbinary.OID, rapid.Int64Range(0, math.MaxUint32), func(v any) any { return uint32(v.(int64)) }),
	func() kind {
		k := integers("numeric from int64", pgbinary.Numeric, rapid.Int64(), func(v any) any {
			return pgtype.Numeric{Int: big.NewInt(v.(int64)), Valid: true}
		})
		k.loose = true
		return k
	}(),
	{
		name: "int8 from uint64", oid: pgbinary.Int8, draw: anyOf(rapid.Uint64Range(0, math.MaxInt64)), pgtype: same,
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendUint(buf, pgbinary.Int8, v.(uint64)) },
		read: func(src []byte) (any, error) {
			v, err := pgbinary.Int(pgbinary.Int8, src)
			return uint64(v), err
		},
	},
	{
		name: "float4", oid: pgbinary.Float4, draw: anyOf(rapid.Float32()), pgtype: same,
		append: func(buf []byte, v any) ([]byte, error) {
			return pgbinary.AppendFloat(buf, pgbinary.Float4, float64(v.(float32)))
		},
		read: func(src []byte) (any, error) {
			v, err := pgbinary.Float(pgbinary.Float4, src)
			return float32(v), err
		},
	},
	{
		name: "float8", oid: pgbinary.Float8, draw: anyOf(rapid.Float64()), pgtype: same,
		append: func(buf []byte, v any) ([]byte, error) {
			return pgbinary.AppendFloat(buf, pgbinary.Float8, v.(float64))
		},
		read: func(src []byte) (any, error) { return result(pgbinary.Float(pgbinary.Float8, src)) },
	},
	{
		name: "numeric from float64", oid: pgbinary.Numeric, draw: anyOf(rapid.Float64()), loose: true,
		append: func(buf []byte, v any) ([]byte, error) {
			return pgbinary.AppendFloat(buf, pgbinary.Numeric, v.(float64))
		},
		read:   func(src []byte) (any, error) { return result(pgbinary.Float(pgbinary.Numeric, src)) },
		pgtype: func(v any) any { return pgNumeric(strconv.FormatFloat(v.(float64), 'f', -1, 64)) },
	},
	func() kind {
		k := texts("numeric", pgbinary.Numeric, decimals)
		k.pgtype, k.loose = pgNumeric, true
		return k
	}(),
	texts("text", pgbinary.Text, text),
	texts("varchar", pgbinary.Varchar, text),
	texts("bpchar", pgbinary.BPChar, text),
	texts("name", pgbinary.Name, rapid.StringN(0, 15, 63).Filter(func(s string) bool { return !strings.Contains(s, "\x00") })),
	texts("xml", pgbinary.XML, rapid.Map(word, func(s string) string { return "<a>" + s + "</a>" })),
	texts("json", pgbinary.JSON, rapid.Map(rapid.String(), func(s string) string {
		b, _ := json.Marshal(map[string]any{s: []any{1.5, nil, s}})
		return string(b)
	})),
	texts("jsonb", pgbinary.JSONB, rapid.Map(word, func(s string) string { return `{"a": [1.50, null, "` + s + `"]}` })),
	func() kind {
		k := texts("char", pgbinary.Char, rapid.StringMatching(`[ -~]?`))
		k.pgtype = func(v any) any { return (v.(string) + "\x00")[0] }
		return k
	}(),
	{
		name: "bytea", oid: pgbinary.Bytea, draw: anyOf(rapid.SliceOf(rapid.Byte())), pgtype: same,
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendBytes(buf, pgbinary.Bytea, v.([]byte)) },
		read:   func(src []byte) (any, error) { return result(pgbinary.Bytes(pgbinary.Bytea, src)) },
	},
	{
		name: "text from bytes", oid: pgbinary.Text, pgtype: same,
		draw:   func(t *rapid.T) any { return []byte(text.Draw(t, "value")) },
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendBytes(buf, pgbinary.Text, v.([]byte)) },
		read:   func(src []byte) (any, error) { return result(pgbinary.Bytes(pgbinary.Text, src)) },
	},
	{
		name: "uuid", oid: pgbinary.UUID, pgtype: same,
		draw: func(t *rapid.T) any {
			return [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "value"))
		},
		append: func(buf []byte, v any) ([]byte, error) { return pgbinary.AppendUUID(buf, v.([16]byte)), nil },
		read:   func(src []byte) (any, error) { return result(pgbinary.UUIDValue(src)) },
	},
	times("date", pgbinary.Date, -2451545, 2145031948, false),
	times("timestamp", pgbinary.Timestamp, -2451545, 106751982, true),
	times("timestamptz", pgbinary.Timestamptz, -2451545, 106751982, true),
	func() kind {
		k := times("time", pgbinary.Time, 0, 0, true)
		k.pgtype = func(v any) any {
			return pgtype.Time{Microseconds: v.(time.Time).Sub(epoch).Microseconds(), Valid: true}
		}
		return k
	}(),
}
