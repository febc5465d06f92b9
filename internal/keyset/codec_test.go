package keyset_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/keyset"
)

// The texts are stored in users' databases: a test that needs another text here breaks the resuming and undoing of runs.
func TestEncode_Golden(t *testing.T) {
	berlin, lmt := time.FixedZone("CET", 3600), time.FixedZone("LMT", 3208)
	tests := []struct {
		name   string
		values keyset.Values
		text   string
	}{
		{"none", keyset.Values{}, `[]`},
		{"integers", keyset.Values{int64(17), int64(math.MinInt64), uint64(math.MaxUint64)}, `["i17","i-9223372036854775808","u18446744073709551615"]`},
		{"floats", keyset.Values{1.5, 1e100, 0.1, math.Copysign(0, -1), math.Inf(1), math.Inf(-1)}, `["f1.5","f1e+100","f0.1","f-0","f+Inf","f-Inf"]`},
		{"singles", keyset.Values{float32(0.1), float32(math.Inf(-1))}, `["g0.1","g-Inf"]`},
		{"bools and NULL", keyset.Values{true, false, nil}, `[true,false,null]`},
		{"text", keyset.Values{"eu", "", "é€😀", "a\"b\\c\nd\x7f</>\u2028"}, `["seu","s","sé€😀","sa\"b\\c\u000ad\u007f</>` + "\u2028" + `"]`},
		{"text that is none", keyset.Values{"a\xffb", "\x00"}, `["SYf9i","SAA=="]`},
		{"bytes", keyset.Values{[]byte{0, 0xff}, []byte{}, bytes.Repeat([]byte{1}, 65)}, `["x00ff","x","X` + strings.Repeat("AQEB", 21) + `AQE="]`},
		{"times", keyset.Values{
			time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), time.Date(2026, 2, 3, 4, 5, 6, 123456789, berlin), time.Date(1890, 1, 1, 0, 0, 0, 1000, lmt),
		}, `["t2026-02-03T04:05:06Z","t2026-02-03T04:05:06.123456789+01:00","T-2524524808 1000 3208"]`},
		{"far times", keyset.Values{time.Date(294276, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(-4713, 11, 24, 0, 0, 0, 0, berlin)}, `["T9224318015999 999999000 0","T-210866806800 0 3600"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := keyset.Encode(tt.values)
			if err != nil {
				t.Fatal(err)
			}
			if text != tt.text {
				t.Errorf("text\n got %s\nwant %s", text, tt.text)
			}
			sameValues(t, tt.values, tt.text)
		})
	}
}

// sameValues decodes text and compares values and types, with the offsets of times.
func sameValues(t interface {
	Helper()
	Fatalf(string, ...any)
}, want keyset.Values, text string,
) {
	t.Helper()
	got, err := keyset.Decode(text)
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%s gives %d values, want %d", text, len(got), len(want))
	}
	for i := range want {
		same := false
		switch w := want[i].(type) {
		case float64:
			g, ok := got[i].(float64)
			same = ok && (math.Float64bits(g) == math.Float64bits(w) || math.IsNaN(g) && math.IsNaN(w))
		case float32:
			g, ok := got[i].(float32)
			same = ok && (math.Float32bits(g) == math.Float32bits(w) || g != g && w != w)
		case time.Time:
			g, ok := got[i].(time.Time)
			_, offset := w.Zone()
			_, gotOffset := g.Zone()
			same = ok && g.Equal(w) && offset == gotOffset
		default:
			same = cmp.Equal(want[i], got[i])
		}
		if !same {
			t.Fatalf("value %d of %s is %#v, want %#v", i+1, text, got[i], want[i])
		}
	}
}

func TestEncode_Normalises(t *testing.T) {
	now := time.Now() // with a monotonic reading, in the zone of this machine
	values := keyset.Values{int(-1), int8(-2), int16(-3), int32(-4), uint(1), uint8(2), uint16(3), uint32(4), []byte(nil), math.NaN(), float32(math.NaN()), now}
	text, err := keyset.Encode(values)
	if err != nil {
		t.Fatal(err)
	}
	sameValues(t, keyset.Values{
		int64(-1), int64(-2), int64(-3), int64(-4), uint64(1), uint64(2), uint64(3), uint64(4), []byte{}, math.NaN(), float32(math.NaN()), now,
	}, text)
}

func TestEncode_RefusesUnknownTypes(t *testing.T) {
	for _, value := range []any{struct{}{}, []string{"a"}, new(int), complex(1, 2), time.Second, [16]byte{}} {
		if text, err := keyset.Encode(keyset.Values{int64(1), value}); err == nil || !strings.Contains(err.Error(), "value 2") {
			t.Errorf("%T: text %s, error %v; want an error for value 2", value, text, err)
		}
	}
}

func TestDecode_Malformed(t *testing.T) {
	for _, text := range []string{
		``, `null`, `{}`, `"i1"`, `[`, `[]x`, `["i1"`, `[1]`, `[["i1"]]`, `[""]`, `["17"]`, `["z17"]`, `["i"]`, `["i1.5"]`, `["i9223372036854775808"]`, `["u-1"]`,
		`["fabc"]`, `["f1e999"]`, `["g1e39"]`, `["x0"]`, `["xzz"]`, `["S*"]`, `["X="]`, `["t2026-02-30T00:00:00Z"]`, `["tnow"]`, `["T1 2"]`, `["T1 2 x"]`,
		`["T1 9999999999 0"]`, "[\"s\xff\"]",
	} {
		if v, err := keyset.Decode(text); err == nil {
			t.Errorf("%s gives %#v, want an error", text, v)
		}
	}
}

func TestEncode_RoundTrip(t *testing.T) {
	anyTime := rapid.Custom(func(rt *rapid.T) time.Time {
		offset := rapid.IntRange(-14*3600, 14*3600).Draw(rt, "offset")
		return time.Unix(rapid.Int64Range(-300_000_000_000, 300_000_000_000).Draw(rt, "second"), rapid.Int64Range(0, 999_999_999).Draw(rt, "nano")).
			In(time.FixedZone("", offset))
	})
	value := rapid.OneOf(
		rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Float64().AsAny(), rapid.Float32().AsAny(), rapid.Bool().AsAny(), rapid.String().AsAny(),
		rapid.SliceOfN(rapid.Byte(), 0, 200).AsAny(), anyTime.AsAny(), rapid.Just[any](nil),
		rapid.Custom(func(rt *rapid.T) any { return string(rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes")) }),
	)
	rapid.Check(t, func(rt *rapid.T) {
		values := keyset.Values(rapid.SliceOfN(value, 0, 5).Draw(rt, "values"))
		text, err := keyset.Encode(values)
		if err != nil {
			rt.Fatal(err)
		}
		if !storable(text) {
			rt.Fatalf("%q cannot be stored as a line of text", text)
		}
		sameValues(rt, values, text)
	})
}

func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsAny(text, "\x00\n\r")
}

// Whatever the text, Decode does not panic, and what it accepts is written in one way that reads the same.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`["i17","seu",null,true]`, `["u1","f-0","g1e3","S/w==","x00","XAA==","t2026-02-03T04:05:06.7+01:00","T-2524524808 0 3208","T9224318015999 0 0"]`,
		`["fNaN"]`, `["\ud800"]`, `[1]`, `{"a":`, "[\"s\xff\"]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := keyset.Decode(text)
		if err != nil {
			return
		}
		again, err := keyset.Encode(values)
		if err != nil {
			t.Fatalf("encode what %q gave: %v", text, err)
		}
		if !storable(again) {
			t.Fatalf("%q cannot be stored as a line of text", again)
		}
		sameValues(t, values, again)
	})
}

// Bytes of any kind come back, as text and as bytes.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("eu"), int64(17), 1.5)
	f.Add([]byte{0, 0xff}, int64(-1), math.Inf(1))
	f.Fuzz(func(t *testing.T, b []byte, n int64, x float64) {
		values := keyset.Values{string(b), append([]byte{}, b...), n, uint64(n), x, float32(x)}
		text, err := keyset.Encode(values)
		if err != nil {
			t.Fatal(err)
		}
		if !storable(text) {
			t.Fatalf("%q cannot be stored as a line of text", text)
		}
		sameValues(t, values, text)
	})
}
