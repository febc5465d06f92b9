package sqltext

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNamed(t *testing.T) {
	tests := []struct {
		name     string
		syntaxes []Syntax
		text     string
		want     string
		names    []string
	}{
		{"none", everywhere, "a = 1", "a = 1", nil},
		{"none, but a colon", everywhere, "a = ':b' AND c = ?", "a = ':b' AND c = ?", nil},
		{"names", everywhere, "a = :a AND b IN (:bs) OR c>:a", "a = ? AND b IN (?) OR c>?", []string{"a", "bs", "a"}},
		{"statement", everywhere, "SELECT :x, a FROM t WHERE b=:b_1 LIMIT :n OFFSET:m", "SELECT ?, a FROM t WHERE b=? LIMIT ? OFFSET?", []string{"x", "b_1", "n", "m"}},
		{"letters beyond ASCII", everywhere, "a = :größe", "a = ?", []string{"größe"}},
		{"in strings and comments", everywhere, "':a' /* :b */ = :c -- :d\n", "':a' /* :b */ = ? -- :d\n", []string{"c"}},
		{"after a comment", everywhere, "a = /* b */ :c", "a = /* b */ ?", []string{"c"}},
		{"followed by a cast or operator", []Syntax{Postgres, MySQL}, ":a||:b", "?||?", []string{"a", "b"}},

		{"postgres: cast", []Syntax{Postgres}, "a::int = :a::int", "a::int = ?::int", []string{"a"}},
		{"postgres: assignment", []Syntax{Postgres}, "f(a := :a, b => :b)", "f(a := ?, b => ?)", []string{"a", "b"}},
		{"postgres: slices", []Syntax{Postgres}, "a[1:2] = b[x:y] AND c[:n] = d[f(x):y] AND e.\"f\"[t.g:h] = :i", "a[1:2] = b[x:y] AND c[:n] = d[f(x):y] AND e.\"f\"[t.g:h] = ?", []string{"i"}},
		{"postgres: slice of a column named array", []Syntax{Postgres}, "t.array[:n] = :n", "t.array[:n] = ?", []string{"n"}},
		{"postgres: names in brackets", []Syntax{Postgres}, "ARRAY[:a, :b] || ARRAY[[:c],[:d]] || e[1 : :f] || e[(:g):(:h)]", "ARRAY[?, ?] || ARRAY[[?],[?]] || e[1 : ?] || e[(?):(?)]", []string{"a", "b", "c", "d", "f", "g", "h"}},
		{"postgres: JSON", []Syntax{Postgres}, "JSON_OBJECT('k':v, l:w, 'm': :m, t.when:x)", "JSON_OBJECT('k':v, l:w, 'm': ?, t.when:x)", []string{"m"}},
		{"postgres: time zone", []Syntax{Postgres}, "a AT TIME ZONE :z > JSON_OBJECT(zone:v)", "a AT TIME ZONE ? > JSON_OBJECT(zone:v)", []string{"z"}},
		{"postgres: jsonb operators", []Syntax{Postgres}, "a ? :a AND b ?| :b AND c ?? :c AND d ?:d", "a ?? ? AND b ??| ? AND c ?? ? AND d ???", []string{"a", "b", "c", "d"}},
		{"postgres: name before an operator", []Syntax{Postgres}, ":a?b AND :c??b", "? ??b AND ? ??b", []string{"a", "c"}},
		{"postgres: strings", []Syntax{Postgres}, `E'\':a' $$:b$$ || :c`, `E'\':a' $$:b$$ || ?`, []string{"c"}},
		{"mysql: strings and names", []Syntax{MySQL}, "\":a\" = `:b` AND c = :d # :e", "\":a\" = `:b` AND c = ? # :e", []string{"d"}},
		{"mysql: interval", []Syntax{MySQL}, "NOW() - INTERVAL :n DAY", "NOW() - INTERVAL ? DAY", []string{"n"}},
		{"sqlite: other parameters", []Syntax{SQLite}, "[:a] = $b OR c = @c OR d = :d OR e = :e::f(:g)", "[:a] = $b OR c = @c OR d = ? OR e = :e::f(:g)", []string{"d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.syntaxes {
				got, names, err := Named(s, tt.text)
				if err != nil {
					t.Errorf("Named(%q) = %v (%+v)", tt.text, err, s)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("Named(%q) (-want +got):\n%s(%+v)", tt.text, diff, s)
				}
				if diff := cmp.Diff(tt.names, names); diff != "" {
					t.Errorf("names of %q (-want +got):\n%s(%+v)", tt.text, diff, s)
				}
			}
		})
	}
}

func TestNamed_Error(t *testing.T) {
	tests := []struct {
		name     string
		syntaxes []Syntax
		text     string
		want     error
	}{
		{"mixed", everywhere, "a = :a AND b = ?", ErrMixedNames},
		{"mixed the other way round", everywhere, "a IN (?) AND b = :b", ErrMixedNames},
		{"sqlite: with numbers", []Syntax{SQLite}, "a = :a AND b = ?2", ErrMixedNames},
		{"mysql: question mark after an operand", []Syntax{MySQL, SQLite}, "a ? :b", ErrMixedNames},
		{"open string", everywhere, ":a '", ErrUnterminatedString},
		{"open comment", everywhere, ":a /*", ErrUnterminatedComment},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.syntaxes {
				if got, names, err := Named(s, tt.text); !errors.Is(err, tt.want) {
					t.Errorf("Named(%q) = %q, %q, %v; want %v (%+v)", tt.text, got, names, err, tt.want, s)
				}
			}
		})
	}
}

func TestNamed_AllocatesNothing(t *testing.T) {
	for _, text := range []string{"a = ? AND b IN (?)", "a::int = ? AND b[1:2] = ':c'"} {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = Named(Postgres, text) }); n != 0 {
			t.Errorf("Named(%q) allocates %v times, want 0", text, n)
		}
	}
}
