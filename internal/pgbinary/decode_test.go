package pgbinary_test

import (
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pgbinary"
)

func TestString(t *testing.T) {
	tests := []struct {
		name string
		oid  uint32
		src  string // in hex
		want string // empty for an error
	}{
		{"true", pgbinary.Bool, "01", "true"},
		{"false", pgbinary.Bool, "00", "false"},
		{"int2", pgbinary.Int2, "ffff", "-1"},
		{"oid", pgbinary.OID, "ffffffff", "4294967295"},
		{"text", pgbinary.Text, "61c3b1", "añ"},
		{"unknown", pgbinary.Unknown, "61", "a"},
		{"jsonb", pgbinary.JSONB, "017b7d", "{}"},
		{"jsonb of another version", pgbinary.JSONB, "027b7d", ""},
		{"jsonb empty", pgbinary.JSONB, "", ""},
		{"uuid", pgbinary.UUID, "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"char", pgbinary.Char, "61", "a"},
		{"char high", pgbinary.Char, "c8", `\310`},
		{"date", pgbinary.Date, "00000001", "2000-01-02"},
		{"date BC", pgbinary.Date, "ffda97a7", "-4713-11-24"},
		{"date infinity", pgbinary.Date, "7fffffff", "infinity"},
		{"date out of range", pgbinary.Date, "7ffffffe", ""},
		{"timestamp", pgbinary.Timestamp, "0000000000000001", "2000-01-01T00:00:00.000001"},
		{"timestamp -infinity", pgbinary.Timestamp, "8000000000000000", "-infinity"},
		{"timestamp out of range", pgbinary.Timestamp, "8000000000000001", ""},
		{"timestamptz", pgbinary.Timestamptz, "ffffffffffffffff", "1999-12-31T23:59:59.999999Z"},
		{"timestamptz last", pgbinary.Timestamptz, "7fffff5bb3b29fff", "294276-12-31T23:59:59.999999Z"},
		{"time", pgbinary.Time, "0000000000000000", "00:00:00"},
		{"time last", pgbinary.Time, "000000141dd76000", "24:00:00"},
		{"time out of range", pgbinary.Time, "000000141dd76001", ""},
		{"time negative", pgbinary.Time, "ffffffffffffffff", ""},
		{"numeric short", pgbinary.Numeric, "00000000000000", ""},
		{"numeric truncated", pgbinary.Numeric, "0001000000000000", ""},
		{"numeric odd", pgbinary.Numeric, "000100000000000000", ""},
		{"numeric too long", pgbinary.Numeric, "00000000000000000001", ""},
		{"numeric bad sign", pgbinary.Numeric, "00010000800000000001", ""},
		{"numeric bad digit", pgbinary.Numeric, "00010000000000002710", ""},
		{"numeric bad scale", pgbinary.Numeric, "00010000000040000001", ""},
		{"bytea", pgbinary.Bytea, "00", ""},
		{"point", 600, "00", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src, err := hex.DecodeString(test.src)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pgbinary.String(test.oid, src)
			if got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// TestString_AsPostgresReadsAndPrints compares floats with the server's text, and lets it read the dates and times.
func TestString_AsPostgresReadsAndPrints(t *testing.T) {
	pg := connect(t)
	for _, k := range kinds {
		name, _ := pgbinary.TypeName(k.oid)
		printed := k.oid == pgbinary.Float4 || k.oid == pgbinary.Float8 || k.oid == pgbinary.Numeric || k.oid == pgbinary.UUID ||
			k.oid == pgbinary.OID || k.oid == pgbinary.Int8 || k.oid == pgbinary.Bool
		isTime := k.oid == pgbinary.Date || k.oid == pgbinary.Time || k.oid == pgbinary.Timestamp || k.oid == pgbinary.Timestamptz
		if !printed && !isTime {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				src := encode(rt, k, k.draw(rt))
				got, err := pgbinary.String(k.oid, src)
				if err != nil {
					rt.Fatalf("%v", err)
				}
				if isTime {
					if got[0] == '-' || len(got) > 4 && got[:4] == "0000" {
						return // PostgreSQL wants BC
					}
					rows, err := query(t, rt, pg, "SELECT $1::text::"+name, pgbinary.Text, []byte(got))
					if err != nil || string(rows[0][0]) != string(src) {
						rt.Fatalf("%q is read as %x, %v, want %x", got, rows, err, src)
					}
					return
				}
				rows, err := query(t, rt, pg, "SELECT $1::"+name+"::text", k.oid, src)
				if err != nil || !sameText(k.oid, got, string(rows[0][0])) {
					rt.Fatalf("%q is %q for PostgreSQL, %v", got, rows, err)
				}
			})
		})
	}
	for _, v := range []float64{
		0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, 0.1, 1e-4, 1e-5, 123456, 1234567, 999999, 1e6, 1e14,
		123456789012345, 1e15, 1234567890123456, 1.5e300, 3e38, 1e-40,
	} {
		for _, oid := range []uint32{pgbinary.Float4, pgbinary.Float8} {
			src, err := pgbinary.AppendFloat(nil, oid, v)
			if err != nil {
				continue
			}
			name, _ := pgbinary.TypeName(oid)
			rows, err := query(t, t, pg, "SELECT $1::"+name+"::text", oid, src)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := pgbinary.String(oid, src); err != nil || got != string(rows[0][0]) {
				t.Errorf("%v as %s is %q, %v, want %q", v, name, got, err, rows[0][0])
			}
		}
	}
}

// sameText reports whether two notations are the same, or of the same float and PostgreSQL's is no shorter: see floatText.
func sameText(oid uint32, got, postgres string) bool {
	size := map[uint32]int{pgbinary.Float4: 32, pgbinary.Float8: 64}[oid]
	if size == 0 || len(got) > len(postgres) {
		return got == postgres
	}
	x, err1 := strconv.ParseFloat(got, size)
	y, err2 := strconv.ParseFloat(postgres, size)
	return err1 == nil && err2 == nil && x == y
}

func TestTimeValue(t *testing.T) {
	for _, src := range [][]byte{{0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0}} {
		if v, err := pgbinary.TimeValue(pgbinary.Date, src); !errors.Is(err, pgbinary.ErrInfinity) {
			t.Errorf("%x is %v, %v", src, v, err)
		}
		for _, oid := range []uint32{pgbinary.Timestamp, pgbinary.Timestamptz} {
			low := src[3]
			long := append(append([]byte{}, src...), low, low, low, low)
			if v, err := pgbinary.TimeValue(oid, long); !errors.Is(err, pgbinary.ErrInfinity) {
				t.Errorf("%x is %v, %v", long, v, err)
			}
		}
	}
	midnight := []byte{0, 0, 0, 0x14, 0x1d, 0xd7, 0x60, 0}
	if v, err := pgbinary.TimeValue(pgbinary.Time, midnight); err == nil {
		t.Errorf("24:00:00 is %v", v)
	}
	if v, err := pgbinary.TimeValue(pgbinary.Int8, midnight); !errors.Is(err, pgbinary.ErrUnsupported) {
		t.Errorf("an int8 is %v, %v", v, err)
	}
	v, err := pgbinary.TimeValue(pgbinary.Timestamptz, make([]byte, 8))
	if err != nil || v.Location() != time.UTC {
		t.Errorf("%v is not in UTC, %v", v, err)
	}
}

func TestBytes(t *testing.T) {
	for _, oid := range types {
		src := []byte("\x01a")
		got, err := pgbinary.Bytes(oid, src)
		if err != nil {
			if !errors.Is(err, pgbinary.ErrUnsupported) {
				t.Errorf("%d: %v", oid, err)
			}
			continue
		}
		src[1] = 'b'
		if got[len(got)-1] != 'a' {
			t.Errorf("%d: the value is no copy", oid)
		}
		if empty, err := pgbinary.Bytes(oid, nil); oid != pgbinary.JSONB && (empty == nil || len(empty) != 0 || err != nil) {
			t.Errorf("%d: an empty value is %v, %v", oid, empty, err)
		}
	}
}

// FuzzDecode checks that no bytes make a decoder panic, and that what was read can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, size := range []int{0, 1, 2, 3, 4, 7, 8, 9, 10, 16, 17} {
		f.Add(make([]byte, size))
	}
	f.Add([]byte("\x00\x02\x00\x00\x40\x00\x00\x02\x00\x0c\x13\x88"))
	f.Add([]byte("\x00\x01\x7f\xff\x40\x00\x3f\xff\x00\x0c"))
	f.Add([]byte("\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, oid := range append([]uint32{0, 600, math.MaxUint32}, types...) {
			if !pgbinary.CanDecode(oid) {
				if _, err := pgbinary.String(oid, src); !errors.Is(err, pgbinary.ErrUnsupported) {
					t.Errorf("type %d: %v", oid, err)
				}
			}
			decode(t, oid, src)
		}
		if v, err := pgbinary.BoolValue(src); (err == nil) != (len(src) == 1) {
			t.Errorf("bool %v, %v", v, err)
		}
		if v, err := pgbinary.UUIDValue(src); (err == nil) != (len(src) == 16) || err == nil && string(v[:]) != string(src) {
			t.Errorf("uuid %v, %v", v, err)
		}
	})
}

func decode(t *testing.T, oid uint32, src []byte) {
	if v, err := pgbinary.Int(oid, src); err == nil {
		buf, err := pgbinary.AppendInt(nil, oid, v)
		if again, err2 := pgbinary.Int(oid, buf); err != nil || err2 != nil || again != v {
			t.Errorf("type %d: %d, then %d, %v, %v", oid, v, again, err, err2)
		}
	}
	if v, err := pgbinary.Float(oid, src); err == nil {
		buf, err := pgbinary.AppendFloat(nil, oid, v)
		if errors.Is(err, pgbinary.ErrUnsupported) {
			return // an integer's
		}
		if again, err2 := pgbinary.Float(oid, buf); err != nil || err2 != nil || again != v && !math.IsNaN(v) {
			t.Errorf("type %d: %v, then %v, %v, %v", oid, v, again, err, err2)
		}
	}
	if v, err := pgbinary.TimeValue(oid, src); err == nil {
		if buf, err := pgbinary.AppendTime(nil, oid, v); err != nil || string(buf) != string(src) {
			t.Errorf("type %d: %v is %x, then %x, %v", oid, v, src, buf, err)
		}
	}
	if v, err := pgbinary.String(oid, src); err == nil {
		buf, err := pgbinary.AppendText(nil, oid, v)
		if err == nil {
			if again, err := pgbinary.String(oid, buf); err != nil || again != v {
				t.Errorf("type %d: %q, then %q, %v", oid, v, again, err)
			}
		} else if oid == pgbinary.Numeric && len(v) < 131072 {
			t.Errorf("numeric %q: %v", v, err)
		}
	}
	if v, err := pgbinary.Bytes(oid, src); err == nil && v == nil {
		t.Errorf("type %d: nil", oid)
	}
}
