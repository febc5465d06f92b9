package pgbinary_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/pgbinary"
)

func TestAppend(t *testing.T) {
	type appender func(buf []byte) ([]byte, error)
	integer := func(oid uint32, v int64) appender {
		return func(buf []byte) ([]byte, error) { return pgbinary.AppendInt(buf, oid, v) }
	}
	unsigned := func(oid uint32, v uint64) appender {
		return func(buf []byte) ([]byte, error) { return pgbinary.AppendUint(buf, oid, v) }
	}
	float := func(oid uint32, v float64) appender {
		return func(buf []byte) ([]byte, error) { return pgbinary.AppendFloat(buf, oid, v) }
	}
	text := func(oid uint32, v string) appender {
		return func(buf []byte) ([]byte, error) { return pgbinary.AppendText(buf, oid, v) }
	}
	raw := func(oid uint32, v string) appender {
		return func(buf []byte) ([]byte, error) { return pgbinary.AppendBytes(buf, oid, []byte(v)) }
	}
	at := func(oid uint32, v time.Time) appender {
		return func(buf []byte) ([]byte, error) { return pgbinary.AppendTime(buf, oid, v) }
	}
	const outOfRange, syntax, unsupported = "range", "syntax", "unsupported"
	east := time.FixedZone("east", 5*3600)

	tests := []struct {
		name string
		do   appender
		want string // the value in hex, or the error
	}{
		{"int2 high", integer(pgbinary.Int2, math.MaxInt16), "7fff"},
		{"int2 low", integer(pgbinary.Int2, math.MinInt16), "8000"},
		{"int2 too high", integer(pgbinary.Int2, math.MaxInt16+1), outOfRange},
		{"int2 too low", integer(pgbinary.Int2, math.MinInt16-1), outOfRange},
		{"int4 low", integer(pgbinary.Int4, math.MinInt32), "80000000"},
		{"int4 too high", integer(pgbinary.Int4, math.MaxInt32+1), outOfRange},
		{"int4 too low", integer(pgbinary.Int4, math.MinInt32-1), outOfRange},
		{"int8 low", integer(pgbinary.Int8, math.MinInt64), "8000000000000000"},
		{"oid high", integer(pgbinary.OID, math.MaxUint32), "ffffffff"},
		{"oid too high", integer(pgbinary.OID, math.MaxUint32+1), outOfRange},
		{"oid negative", integer(pgbinary.OID, -1), outOfRange},
		{"float4 exact", integer(pgbinary.Float4, -1<<40), "d3800000"},
		{"float4 not exact", integer(pgbinary.Float4, 1<<24+1), outOfRange},
		{"float8 exact", integer(pgbinary.Float8, math.MinInt64), "c3e0000000000000"},
		{"float8 not exact", integer(pgbinary.Float8, math.MaxInt64), outOfRange},
		{"numeric low", integer(pgbinary.Numeric, math.MinInt64), "0005000440000000039a0d2c0170156516b0"},
		{"int for text", integer(pgbinary.Text, 1), unsupported},
		{"negative int for text", integer(pgbinary.Text, -1), unsupported},
		{"int for nothing", integer(99999, 1), unsupported},
		{"uint8 high", unsigned(pgbinary.Int8, math.MaxInt64), "7fffffffffffffff"},
		{"uint8 too high", unsigned(pgbinary.Int8, math.MaxInt64+1), outOfRange},
		{"uint numeric", unsigned(pgbinary.Numeric, math.MaxUint64), "000500040000000007341a5802e103bb064f"},
		{"uint float8 exact", unsigned(pgbinary.Float8, 1<<63), "43e0000000000000"},
		{"uint float8 not exact", unsigned(pgbinary.Float8, math.MaxUint64), outOfRange},
		{"uint for text", unsigned(pgbinary.Text, math.MaxUint64), unsupported},
		{"float4", float(pgbinary.Float4, 0.1), "3dcccccd"},
		{"float4 infinity", float(pgbinary.Float4, math.Inf(-1)), "ff800000"},
		{"float4 overflow", float(pgbinary.Float4, 1e39), outOfRange},
		{"float4 underflow", float(pgbinary.Float4, 1e-50), outOfRange},
		{"float8 for int", float(pgbinary.Int8, 1), unsupported},
		{"numeric NaN", float(pgbinary.Numeric, math.NaN()), "00000000c0000000"},
		{"numeric infinity", float(pgbinary.Numeric, math.Inf(1)), "00000000d0000000"},
		{"numeric -infinity", float(pgbinary.Numeric, math.Inf(-1)), "00000000f0000000"},
		{"numeric -0", float(pgbinary.Numeric, math.Copysign(0, -1)), "0000000000000000"},
		{"numeric 0.1", float(pgbinary.Numeric, 0.1), "0001ffff0000000103e8"},
		{"text", text(pgbinary.Text, "añ"), "61c3b1"},
		{"text empty", text(pgbinary.Text, ""), ""},
		{"text NUL", text(pgbinary.Text, "a\x00"), syntax},
		{"varchar not UTF-8", text(pgbinary.Varchar, "a\xff"), syntax},
		{"json NUL", text(pgbinary.JSON, "\"\x00\""), syntax},
		{"jsonb", text(pgbinary.JSONB, "1"), "0131"},
		{"jsonb not UTF-8", text(pgbinary.JSONB, "\xff"), syntax},
		{"name", text(pgbinary.Name, strings.Repeat("a", 63)), strings.Repeat("61", 63)},
		{"name too long", text(pgbinary.Name, strings.Repeat("a", 64)), outOfRange},
		{"char", text(pgbinary.Char, "a"), "61"},
		{"char empty", text(pgbinary.Char, ""), "00"},
		{"char octal", text(pgbinary.Char, `\377`), "ff"},
		{"char bad octal", text(pgbinary.Char, `\400`), syntax},
		{"char too long", text(pgbinary.Char, "ab"), syntax},
		{"string for int", text(pgbinary.Int4, "1"), unsupported},
		{"string for unknown", text(pgbinary.Unknown, "1"), unsupported},
		{"uuid", text(pgbinary.UUID, "a0EEbc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "a0eebc999c0b4ef8bb6d6bb9bd380a11"},
		{"uuid bad", text(pgbinary.UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g"), syntax},
		{"bytea", raw(pgbinary.Bytea, "\x00\xff"), "00ff"},
		{"text bytes", raw(pgbinary.Text, "a"), "61"},
		{"text bytes NUL", raw(pgbinary.Text, "\x00"), syntax},
		{"text bytes not UTF-8", raw(pgbinary.Text, "\xed\xa0\x80"), syntax},
		{"jsonb bytes", raw(pgbinary.JSONB, "1"), "0131"},
		{"name bytes too long", raw(pgbinary.Name, strings.Repeat("a", 64)), outOfRange},
		{"bytes for uuid", raw(pgbinary.UUID, strings.Repeat("a", 16)), unsupported},
		{"date before 1970", at(pgbinary.Date, time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)), "ffffd532"},
		{"date of UTC", at(pgbinary.Date, time.Date(2000, 1, 2, 1, 0, 0, 0, east)), "00000000"},
		{"date first", at(pgbinary.Date, time.Date(-4713, 11, 24, 0, 0, 0, 0, time.UTC)), "ffda97a7"},
		{"date too early", at(pgbinary.Date, time.Date(-4713, 11, 23, 23, 0, 0, 0, time.UTC)), outOfRange},
		{"date last", at(pgbinary.Date, time.Date(5874897, 12, 31, 23, 0, 0, 0, time.UTC)), "7fda970c"},
		{"date too late", at(pgbinary.Date, time.Date(5874898, 1, 1, 0, 0, 0, 0, time.UTC)), outOfRange},
		{"timestamp of UTC", at(pgbinary.Timestamp, time.Date(2000, 1, 1, 5, 0, 0, 1999, east)), "0000000000000001"},
		{"timestamp cut down", at(pgbinary.Timestamp, time.Date(1999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)), "ffffffffffffffff"},
		{"timestamptz first", at(pgbinary.Timestamptz, time.Date(-4713, 11, 24, 0, 0, 0, 0, time.UTC)), "fd0f7cc1411fa000"},
		{"timestamptz too early", at(pgbinary.Timestamptz, time.Date(-4713, 11, 23, 23, 59, 59, 999_999_999, time.UTC)), outOfRange},
		{"timestamptz last", at(pgbinary.Timestamptz, time.Date(294276, 12, 31, 23, 59, 59, 999_999_999, time.UTC)), "7fffff5bb3b29fff"},
		{"timestamptz too late", at(pgbinary.Timestamptz, time.Date(294277, 1, 1, 0, 0, 0, 0, time.UTC)), outOfRange},
		{"timestamp far too early", at(pgbinary.Timestamp, time.Unix(math.MinInt64, 0)), outOfRange},
		{"timestamp far too late", at(pgbinary.Timestamp, time.Unix(math.MaxInt64, 0)), outOfRange},
		{"date far too early", at(pgbinary.Date, time.Unix(math.MinInt64, 0)), outOfRange},
		{"time of UTC", at(pgbinary.Time, time.Date(1969, 1, 1, 4, 59, 59, 0, east)), "000000141dc81dc0"},
		{"time for text", at(pgbinary.Text, time.Now()), unsupported},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			buf, err := test.do([]byte("x"))
			got := fmt.Sprintf("%x", buf[1:])
			if err != nil {
				if len(buf) != 1 {
					t.Errorf("the buffer is %q after an error", buf)
				}
				got = fmt.Sprintf("%v", err)
				if _, ok := errors.AsType[*pgbinary.RangeError](err); ok {
					got = outOfRange
				} else if _, ok := errors.AsType[*pgbinary.SyntaxError](err); ok {
					got = syntax
				} else if errors.Is(err, pgbinary.ErrUnsupported) {
					got = unsupported
				}
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	_, tooLarge := pgbinary.AppendInt(nil, pgbinary.Int2, 70000)
	_, tooLong := pgbinary.AppendText(nil, pgbinary.Numeric, strings.Repeat("9", 200_000))
	_, invalid := pgbinary.AppendText(nil, pgbinary.Text, "añ\xff")
	_, badUUID := pgbinary.AppendText(nil, pgbinary.UUID, "1-2")
	_, unsupported := pgbinary.AppendText(nil, 600, "(1,2)")
	_, short := pgbinary.Int(pgbinary.Int4, make([]byte, 3))
	_, infinite := pgbinary.TimeValue(pgbinary.Date, []byte{0x80, 0, 0, 0})
	var got []string
	for _, err := range []error{tooLarge, tooLong, invalid, badUUID, unsupported, short, infinite} {
		got = append(got, err.Error())
	}
	want := []string{
		"value 70000 is out of range for type int2",
		`value "` + strings.Repeat("9", 60) + `…" is out of range for type numeric`,
		"invalid text for type text: invalid UTF-8 at byte 3",
		`invalid text for type uuid: "1-2"`,
		"a string and type with OID 600: no binary format",
		"invalid binary value of type int4: 3 bytes in place of 4",
		"read a date: -infinity is no time.Time",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(infinite, pgbinary.ErrInfinity) {
		t.Errorf("%v is not ErrInfinity", infinite)
	}
}

// TestUUID_AsPostgresReads compares the notations with the server's.
func TestUUID_AsPostgresReads(t *testing.T) {
	pg := connect(t)
	for _, in := range []string{
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
		"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "{a0eebc999c0b4ef8bb6d6bb9bd380a11}", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
		"", "{", "{}", "a0eebc99", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-", " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0-eebc999c0b4ef8bb6d6bb9bd380a11",
		"a0ee--bc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
	} {
		rows, refused := query(t, t, pg, "SELECT $1::text::uuid, $1::text::uuid::text", pgbinary.Text, []byte(in))
		got, err := pgbinary.AppendText(nil, pgbinary.UUID, in)
		if (err != nil) != (refused != nil) {
			t.Errorf("%q: error %v, for PostgreSQL %v", in, err, refused)
		}
		if err != nil || refused != nil {
			continue
		}
		text, err := pgbinary.String(pgbinary.UUID, got)
		if err != nil || string(got) != string(rows[0][0]) || text != string(rows[0][1]) {
			t.Errorf("%q is %x, read as %s, %v", in, got, text, err)
		}
	}
}
