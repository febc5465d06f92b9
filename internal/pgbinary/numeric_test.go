package pgbinary_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pgbinary"
)

var numericTests = []struct {
	in   string
	want string // as PostgreSQL prints it, empty for an error
	hex  string // the encoded value, where it is worth being told
}{
	{in: "0", want: "0", hex: "0000000000000000"},
	{in: "-0.00", want: "0.00", hex: "0000000000000002"},
	{in: "1", want: "1", hex: "00010000000000000001"},
	{in: "10000", want: "10000", hex: "00010001000000000001"},
	{in: "12.50", want: "12.50", hex: "0002000000000002000c1388"},
	{in: "-1e5", want: "-100000", hex: "0001000140000000000a"},
	{in: "1e-5", want: "0.00001", hex: "0001fffe0000000503e8"},
	{in: "0.0001", want: "0.0001", hex: "0001ffff000000040001"},
	{in: "100000000.00010000", want: "100000000.00010000", hex: "00040002000000080001000000000001"},
	{in: "1.5e1", want: "15"},
	{in: "1.5e3", want: "1500"},
	{in: "1.50E+0", want: "1.50"},
	{in: ".5", want: "0.5"},
	{in: "5.", want: "5"},
	{in: "+7", want: "7"},
	{in: " \t\n\v\f\r-7.1 \n", want: "-7.1"},
	{in: "000123.4500", want: "123.4500"},
	{in: "0e-7", want: "0.0000000"},
	{in: "0e1000000", want: "0"},
	{in: "0e-16383", want: "0." + strings.Repeat("0", 16383)},
	{in: "0e-16384"},
	{in: "1e-16383", want: "0." + strings.Repeat("0", 16382) + "1"},
	{in: "1e-16384"},
	{in: "1e131071", want: "1" + strings.Repeat("0", 131071)},
	{in: "1e131072"},
	{in: "1e1073741823"},
	{in: "1e99999999999999999999"},
	{in: "1e-99999999999999999999"},
	{in: strings.Repeat("9", 131072), want: strings.Repeat("9", 131072)},
	{in: strings.Repeat("9", 131073)},
	{in: "0." + strings.Repeat("9", 16383), want: "0." + strings.Repeat("9", 16383)},
	{in: "0." + strings.Repeat("9", 16384)},
	{in: "123456789012345678901234567890.123456789012345678901234567890", want: "123456789012345678901234567890.123456789012345678901234567890"},
	{in: "NaN", want: "NaN", hex: "00000000c0000000"},
	{in: " nan ", want: "NaN"},
	{in: "-NaN"},
	{in: "Infinity", want: "Infinity", hex: "00000000d0000000"}, // PostgreSQL itself sends the scale 32
	{in: "+inf", want: "Infinity"},
	{in: "-INFINITY", want: "-Infinity", hex: "00000000f0000000"},
	{in: "infinity5"},
	{in: ""},
	{in: " "},
	{in: "."},
	{in: "-"},
	{in: "- 1"},
	{in: "1 2"},
	{in: "1.2.3"},
	{in: "e5"},
	{in: "1e"},
	{in: "1e+"},
	{in: "1e5.0"},
	{in: "1e5x"},
	{in: "1e99999999999999x"},
	{in: "1x"},
	{in: "١"},
}

func TestNumeric(t *testing.T) {
	for _, test := range numericTests {
		t.Run(fmt.Sprintf("%.40s", test.in), func(t *testing.T) {
			src, err := pgbinary.AppendText([]byte("x"), pgbinary.Numeric, test.in)
			if test.want == "" {
				if string(src) != "x" {
					t.Errorf("the buffer is %q after an error", src)
				}
				_, syntax := errors.AsType[*pgbinary.SyntaxError](err)
				_, out := errors.AsType[*pgbinary.RangeError](err)
				if !syntax && !out {
					t.Errorf("error %v (%T)", err, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%x", src[1:]); test.hex != "" && got != test.hex {
				t.Errorf("got  %s\nwant %s", got, test.hex)
			}
			if got, err := pgbinary.String(pgbinary.Numeric, src[1:]); err != nil || got != test.want {
				t.Errorf("read %s, %v, want %s", got, err, test.want)
			}
		})
	}
}

// TestNumeric_AsPostgresReads compares with the server: what it takes, what it prints, and what it refuses.
func TestNumeric_AsPostgresReads(t *testing.T) {
	pg := connect(t)
	for _, test := range numericTests {
		got, err := castNumeric(t, t, pg, test.in)
		if (err != nil) != (test.want == "") || got != test.want {
			t.Errorf("PostgreSQL reads %.40q as %.40s, %v", test.in, got, err)
		}
	}
	notation := rapid.StringMatching(`[ \t]?[+-]?[0-9]{0,9}(\.[0-9]{0,9})?([eE][+-]?[0-9]{1,3})?[ x]?`)
	rapid.Check(t, func(rt *rapid.T) {
		in := notation.Draw(rt, "text")
		want, refused := castNumeric(t, rt, pg, in)
		src, err := pgbinary.AppendText(nil, pgbinary.Numeric, in)
		if (err != nil) != (refused != nil) {
			rt.Fatalf("%q: error %v, for PostgreSQL %v", in, err, refused)
		}
		if err != nil {
			return
		}
		if got, err := pgbinary.String(pgbinary.Numeric, src); err != nil || got != want {
			rt.Fatalf("%q: read %s, %v, want %s", in, got, err, want)
		}
	})
}

// castNumeric returns what the server makes of the text of a numeric.
func castNumeric(t *testing.T, f failer, pg *pgconn.PgConn, in string) (string, error) {
	rows, err := query(t, f, pg, "SELECT $1::text::numeric::text", pgbinary.Text, []byte(in))
	if err != nil {
		return "", err
	}
	return string(rows[0][0]), nil
}

// TestNumeric_AsPostgresPrints sends headers and digits that no encoder makes: zeros at the ends, digits that the scale
// hides, a weight without digits.
func TestNumeric_AsPostgresPrints(t *testing.T) {
	pg := connect(t)
	digit := rapid.SampledFrom([]uint16{0, 0, 1, 10, 1234, 5000, 9999})
	rapid.Check(t, func(rt *rapid.T) {
		digits := rapid.SliceOfN(digit, 0, 5).Draw(rt, "digits")
		header := []uint16{
			uint16(len(digits)), uint16(rapid.IntRange(-4, 6).Draw(rt, "weight")),
			rapid.SampledFrom([]uint16{0, 0x4000, 0xC000, 0xD000, 0xF000}).Draw(rt, "sign"),
			uint16(rapid.IntRange(0, 20).Draw(rt, "scale")),
		}
		var src []byte
		for _, v := range append(header, digits...) {
			src = append(src, byte(v>>8), byte(v))
		}
		rows, err := query(t, rt, pg, "SELECT $1::numeric, ($1::numeric)::text", pgbinary.Numeric, src)
		if err != nil {
			rt.Fatalf("%v", err)
		}
		for _, src := range [][]byte{src, rows[0][0]} {
			if got, err := pgbinary.String(pgbinary.Numeric, src); err != nil || got != string(rows[0][1]) {
				rt.Fatalf("%x is %q, %v, want %q", src, got, err, rows[0][1])
			}
		}
	})
}

func TestNumeric_IntAndFloat(t *testing.T) {
	tests := []struct {
		in      string
		integer int64
		ok      bool
		float   float64
	}{
		{"0.00", 0, true, 0},
		{"12.00", 12, true, 12},
		{"12.5", 0, false, 12.5},
		{"-0.5", 0, false, -0.5},
		{"9223372036854775807", math.MaxInt64, true, 1 << 63},
		{"9223372036854775808", 0, false, 1 << 63},
		{"-9223372036854775808", math.MinInt64, true, -1 << 63},
		{"-9223372036854775809", 0, false, -1 << 63},
		{"18446744073709551616", 0, false, 1 << 64},
		{"99999999999999999999", 0, false, 1e20},
		{"100000000000000000000", 0, false, 1e20},
		{"1e17", 1e17, true, 1e17},
		{"0.1", 0, false, 0.1},
		{"9007199254740993", 1<<53 + 1, true, 1 << 53},
		{"9007199254740993e3", (1<<53 + 1) * 1000, true, 9007199254740993e3},
		{"900719925474.0993", 0, false, 900719925474.0993},
		{"1801439850948.1983", 0, false, 1801439850948.1983},
		{"1e-400", 0, false, 0},
		{"5e-324", 0, false, 5e-324},
		{"1.7976931348623157e308", 0, false, math.MaxFloat64},
		{"1e309", 0, false, math.NaN()}, // out of range
		{"-1e309", 0, false, math.NaN()},
		{"Infinity", 0, false, math.Inf(1)},
		{"-Infinity", 0, false, math.Inf(-1)},
	}
	for _, test := range tests {
		src, err := pgbinary.AppendText(nil, pgbinary.Numeric, test.in)
		if err != nil {
			t.Fatal(err)
		}
		integer, err := pgbinary.Int(pgbinary.Numeric, src)
		if _, out := errors.AsType[*pgbinary.RangeError](err); integer != test.integer || (err == nil) != test.ok || (err != nil) != out {
			t.Errorf("Int of %s is %d, %v", test.in, integer, err)
		}
		float, err := pgbinary.Float(pgbinary.Numeric, src)
		if math.IsNaN(test.float) {
			if _, out := errors.AsType[*pgbinary.RangeError](err); !out {
				t.Errorf("Float of %s is %v, %v", test.in, float, err)
			}
		} else if float != test.float || err != nil {
			t.Errorf("Float of %s is %v, %v", test.in, float, err)
		}
	}
	src, err := pgbinary.AppendText(nil, pgbinary.Numeric, "NaN")
	if err != nil {
		t.Fatal(err)
	}
	if float, err := pgbinary.Float(pgbinary.Numeric, src); err != nil || !math.IsNaN(float) {
		t.Errorf("Float of NaN is %v, %v", float, err)
	}
	if _, err := pgbinary.Int(pgbinary.Numeric, src); err == nil {
		t.Error("NaN is an integer")
	}
}

// TestNumeric_FloatIsTheNearest draws around the limits of what one floating-point operation rounds correctly: mantissas
// of up to four digits to the base 10000, and powers of ten up to 22.
func TestNumeric_FloatIsTheNearest(t *testing.T) {
	mantissa := rapid.OneOf(rapid.Uint64Range(1, 9999_9999_9999_9999), rapid.Uint64Range(9000_0000_0000_0000, 9999_9999_9999_9999))
	rapid.Check(t, func(t *rapid.T) {
		exponent := 4 * rapid.IntRange(-8, 8).Draw(t, "exponent")
		for _, m := range rapid.SliceOfN(mantissa, 50, 50).Draw(t, "mantissas") {
			in := fmt.Sprintf("-%de%d", m, exponent)
			want, err := strconv.ParseFloat(in, 64)
			if err != nil {
				t.Fatalf("%v", err)
			}
			src, err := pgbinary.AppendText(nil, pgbinary.Numeric, in)
			if err != nil {
				t.Fatalf("%v", err)
			}
			if got, err := pgbinary.Float(pgbinary.Numeric, src); err != nil || got != want {
				t.Fatalf("%s is %v, %v, want %v", in, got, err, want)
			}
		}
	})
}

var notation = regexp.MustCompile(`^[ \t\n\v\f\r]*([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?[ \t\n\v\f\r]*$`)

// FuzzNumeric checks parsing, encoding and decoding against big.Rat, strconv and pgtype.
func FuzzNumeric(f *testing.F) {
	for _, test := range numericTests {
		if len(test.in) < 1000 {
			f.Add(test.in)
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		src, err := pgbinary.AppendText(nil, pgbinary.Numeric, in)
		parts := notation.FindStringSubmatch(in)
		if parts == nil || parts[2]+parts[3] == "" {
			special := regexp.MustCompile(`(?i)^[ \t\n\v\f\r]*(nan|[+-]?inf(inity)?)[ \t\n\v\f\r]*$`)
			if (err == nil) != special.MatchString(in) {
				t.Fatalf("%q: error %v", in, err)
			}
			return
		}
		digits, fraction := parts[2]+parts[3], len(parts[3])
		exponent := 0
		if parts[4] != "" {
			var tooLong error
			if exponent, tooLong = strconv.Atoi(parts[4]); tooLong != nil || max(exponent, -exponent) > 200_000 {
				if err == nil && (strings.Trim(digits, "0") != "" || exponent < 0) {
					t.Fatalf("%q has no error", in)
				}
				return
			}
		}
		scale := max(0, fraction-exponent)
		size := len(strings.TrimLeft(digits, "0")) - fraction + exponent // digits in front of the point
		zero := strings.Trim(digits, "0") == ""
		if out := scale > 16383 || !zero && size > 131072; out != (err != nil) {
			t.Fatalf("%q: error %v with %d digits and scale %d", in, err, size, scale)
		}
		if err != nil {
			return
		}

		want, ok := new(big.Rat).SetString(parts[1] + digits + "e" + strconv.Itoa(exponent-fraction))
		if !ok {
			t.Fatalf("%q is no big.Rat", in)
		}
		text, err := pgbinary.String(pgbinary.Numeric, src)
		if err != nil || text != want.FloatString(scale) {
			t.Fatalf("%q is read as %q, %v, want %q", in, text, err, want.FloatString(scale))
		}
		wantPgtype(t, src, want)

		integer, err := pgbinary.Int(pgbinary.Numeric, src)
		if isInt := want.IsInt() && want.Num().IsInt64(); isInt != (err == nil) || isInt && integer != want.Num().Int64() {
			t.Fatalf("%q is read as %d, %v", in, integer, err)
		}
		wantFloat, out := strconv.ParseFloat(text, 64)
		float, err := pgbinary.Float(pgbinary.Numeric, src)
		if (out != nil) != (err != nil) || err == nil && float != wantFloat {
			t.Fatalf("%q is read as %v, %v, want %v", in, float, err, wantFloat)
		}
	})
}

// wantPgtype checks that pgtype reads src as want.
func wantPgtype(t *testing.T, src []byte, want *big.Rat) {
	t.Helper()
	var n pgtype.Numeric
	if err := pgtype.NewMap().Scan(pgbinary.Numeric, pgtype.BinaryFormatCode, src, &n); err != nil {
		t.Fatalf("pgtype: %v", err)
	}
	got, ok := new(big.Rat).SetString(n.Int.String() + "e" + strconv.Itoa(int(n.Exp)))
	if !ok || got.Cmp(want) != 0 {
		t.Fatalf("pgtype reads %v e%d, want %v", n.Int, n.Exp, want)
	}
}
