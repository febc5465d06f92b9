package pgbinary_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/drover-dev/drover/internal/pgbinary"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 890_123_000, time.UTC)

// encoders are the hot encoders, each with what pgtype encodes beside it.
var encoders = []struct {
	name   string
	oid    uint32
	value  any
	append func(buf []byte) ([]byte, error)
}{
	{"int8", pgbinary.Int8, int64(1234567), func(buf []byte) ([]byte, error) { return pgbinary.AppendInt(buf, pgbinary.Int8, 1234567) }},
	{"int8 from uint64", pgbinary.Int8, uint64(1234567), func(buf []byte) ([]byte, error) {
		return pgbinary.AppendUint(buf, pgbinary.Int8, 1234567)
	}},
	{"numeric from int", pgbinary.Numeric, int64(1234567), func(buf []byte) ([]byte, error) {
		return pgbinary.AppendInt(buf, pgbinary.Numeric, 1234567)
	}},
	{"numeric from float", pgbinary.Numeric, 12345.67, func(buf []byte) ([]byte, error) {
		return pgbinary.AppendFloat(buf, pgbinary.Numeric, 12345.67)
	}},
	{"numeric from text", pgbinary.Numeric, pgNumeric("12345.6700"), func(buf []byte) ([]byte, error) {
		return pgbinary.AppendText(buf, pgbinary.Numeric, "12345.6700")
	}},
	{"float8", pgbinary.Float8, 12345.67, func(buf []byte) ([]byte, error) { return pgbinary.AppendFloat(buf, pgbinary.Float8, 12345.67) }},
	{"bool", pgbinary.Bool, true, func(buf []byte) ([]byte, error) { return pgbinary.AppendBool(buf, true), nil }},
	{"text", pgbinary.Text, "some words, größer", func(buf []byte) ([]byte, error) {
		return pgbinary.AppendText(buf, pgbinary.Text, "some words, größer")
	}},
	{"jsonb", pgbinary.JSONB, `{"a": 1}`, func(buf []byte) ([]byte, error) { return pgbinary.AppendText(buf, pgbinary.JSONB, `{"a": 1}`) }},
	{"bytea", pgbinary.Bytea, blob, func(buf []byte) ([]byte, error) { return pgbinary.AppendBytes(buf, pgbinary.Bytea, blob) }},
	{"timestamptz", pgbinary.Timestamptz, now, func(buf []byte) ([]byte, error) { return pgbinary.AppendTime(buf, pgbinary.Timestamptz, now) }},
	{"date", pgbinary.Date, now, func(buf []byte) ([]byte, error) { return pgbinary.AppendTime(buf, pgbinary.Date, now) }},
	{"uuid", pgbinary.UUID, id, func(buf []byte) ([]byte, error) { return pgbinary.AppendUUID(buf, id), nil }},
	{"uuid from text", pgbinary.UUID, nil, func(buf []byte) ([]byte, error) {
		return pgbinary.AppendText(buf, pgbinary.UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
	}},
}

var (
	blob = make([]byte, 100)
	id   = [16]byte{1, 2, 3}
)

// decoders are those that must not allocate.
var decoders = []struct {
	name string
	src  []byte
	read func(src []byte) error
}{
	{"int4", appended(pgbinary.AppendInt(nil, pgbinary.Int4, 1234567)), func(src []byte) error { return ignore(pgbinary.Int(pgbinary.Int4, src)) }},
	{"int8", appended(pgbinary.AppendInt(nil, pgbinary.Int8, 1234567)), func(src []byte) error { return ignore(pgbinary.Int(pgbinary.Int8, src)) }},
	{"int from numeric", appended(pgbinary.AppendInt(nil, pgbinary.Numeric, 1234567)), func(src []byte) error {
		return ignore(pgbinary.Int(pgbinary.Numeric, src))
	}},
	{"float8", appended(pgbinary.AppendFloat(nil, pgbinary.Float8, 1.5)), func(src []byte) error {
		return ignore(pgbinary.Float(pgbinary.Float8, src))
	}},
	{"float from numeric", appended(pgbinary.AppendFloat(nil, pgbinary.Numeric, 12345.67)), func(src []byte) error {
		return ignore(pgbinary.Float(pgbinary.Numeric, src))
	}},
	{"float from long numeric", appended(pgbinary.AppendText(nil, pgbinary.Numeric, "-12345678.901234567891")), func(src []byte) error {
		return ignore(pgbinary.Float(pgbinary.Numeric, src))
	}},
	{"bool", []byte{1}, func(src []byte) error { return ignore(pgbinary.BoolValue(src)) }},
	{"uuid", id[:], func(src []byte) error { return ignore(pgbinary.UUIDValue(src)) }},
	{"timestamptz", appended(pgbinary.AppendTime(nil, pgbinary.Timestamptz, now)), func(src []byte) error {
		return ignore(pgbinary.TimeValue(pgbinary.Timestamptz, src))
	}},
	{"date", appended(pgbinary.AppendTime(nil, pgbinary.Date, now)), func(src []byte) error {
		return ignore(pgbinary.TimeValue(pgbinary.Date, src))
	}},
}

func ignore[T any](_ T, err error) error { return err }

func appended(buf []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return buf
}

func TestAllocations(t *testing.T) {
	for _, e := range encoders {
		buf := make([]byte, 0, 1000)
		if n := testing.AllocsPerRun(100, func() { buf = appended(e.append(buf[:0])) }); n != 0 {
			t.Errorf("append %s: %v allocations", e.name, n)
		}
	}
	for _, d := range decoders {
		var err error
		if n := testing.AllocsPerRun(100, func() { err = d.read(d.src) }); n != 0 || err != nil {
			t.Errorf("read %s: %v allocations, %v", d.name, n, err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	m := pgtype.NewMap()
	for _, e := range encoders {
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 1000)
			for b.Loop() {
				buf = appended(e.append(buf[:0]))
			}
		})
		if e.value == nil {
			continue // pgtype sends it as text
		}
		b.Run(e.name+" by pgtype", func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 1000)
			for b.Loop() {
				buf = appended(m.Encode(e.oid, pgtype.BinaryFormatCode, e.value, buf[:0]))
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, d := range decoders {
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := d.read(d.src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkString(b *testing.B) {
	for _, e := range encoders {
		src := appended(e.append(nil))
		if e.oid == pgbinary.Bytea {
			continue
		}
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := ignore(pgbinary.String(e.oid, src)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
