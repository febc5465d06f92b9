package sqltext

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckCondition_Accepts(t *testing.T) {
	tests := []struct {
		name     string
		syntaxes []Syntax
		where    string
	}{
		{"no argument", everywhere, "age > 30"},
		{"placeholders", everywhere, "status = ? AND id IN (?) AND NOT (a BETWEEN ? AND ?)"},
		{"placeholder alone", everywhere, "?"},
		{"in a subquery", everywhere, "id IN (SELECT id FROM u WHERE x = ? ORDER BY y LIMIT ?)"},
		{"names", everywhere, "status = :status AND id IN (:ids) AND (a > :a OR b LIKE :b ESCAPE :c)"},
		{"names that are keywords", everywhere, "a = :limit AND b = (:select) AND c < :order"},
		{"names after keywords", everywhere, "CASE WHEN :a THEN :b ELSE :c END = 1 AND d IS NOT DISTINCT FROM :d"},
		{"question mark in a string", everywhere, "a = '?' AND b = ':c'"},
		{"both kinds, which Named refuses", everywhere, "a = ? AND b = :b"},

		{"postgres: jsonb operators", []Syntax{Postgres}, "a ?? ? AND b ??| ? AND c ??& ARRAY['d']"},
		{"postgres: jsonb operators with names", []Syntax{Postgres}, "a ? :a AND b ?| :b AND c ?? :c"},
		{"postgres: casts, slices and JSON", []Syntax{Postgres}, "a::int = ?::int AND b[1:n] = c[:n] AND b[:n] = :b AND JSON_OBJECT('k':v, l:w) IS NOT NULL"},
		{"postgres: names in brackets", []Syntax{Postgres}, "a = ARRAY[:a, :b] AND b = ARRAY[[:c],[:d]] AND c[1 : :n] = d[(:n):(:m)]"},
		{"postgres: backslash that changes nothing", []Syntax{Postgres}, `a ~ '\d+' AND b = ?`},
		{"mysql: names without regard to the place", []Syntax{MySQL}, "a < NOW() - INTERVAL :n DAY AND a REGEXP :r"},
		{"mysql: settings of the server", []Syntax{MySQL}, "a = @@session.time_zone AND b = ?"},
		{"mysql: strings", []Syntax{MySQL}, `a = "b?" AND c = 'd\n' AND e = ?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.syntaxes {
				if err := CheckCondition(s, tt.where); err != nil {
					t.Errorf("CheckCondition(%q) = %v (%+v)", tt.where, err, s)
				}
			}
		})
	}
}

func TestCheckCondition_Refuses(t *testing.T) {
	const kind = "the condition contains a placeholder of another kind than ? and :name"
	tests := []struct {
		name     string
		syntaxes []Syntax
		where    string
		want     string
	}{
		{"empty", everywhere, "", "the condition is empty"},
		{"escape", everywhere, "a = ?) OR (b = ?", `the condition closes a parenthesis that it did not open (at character 6: ") OR (b = ?")`},
		{"open parenthesis", everywhere, "a IN (?", `the condition opens a parenthesis that it does not close (at character 6: "(?")`},
		{"comma", everywhere, "?, ?", `the condition contains a comma outside parentheses (at character 2: ", ?")`},
		{"semicolon", everywhere, "a = ?;", `the condition contains a semicolon (at character 6: ";")`},
		{"comment", everywhere, "a = ? -- b", `the condition contains a comment (at character 7: "-- b")`},
		{"order", everywhere, "a = ? ORDER BY b", `the condition goes beyond an expression with the word ORDER (at character 7: "ORDER BY b")`},
		{"order after a name", everywhere, "a = :a ORDER BY b", `the condition goes beyond an expression with the word ORDER (at character 8: "ORDER BY b")`},
		{"name that is none", []Syntax{Postgres, MySQL}, "a = : ORDER", `the condition goes beyond an expression with the word ORDER (at character 7: "ORDER")`},
		{"name of digits", everywhere, "a = :1", kind + ` (at character 5: ":1")`},
		{"number", []Syntax{Postgres}, "a = $1", kind + ` (at character 5: "$1")`},
		{"sqlite: number", []Syntax{SQLite}, "a = ?1", kind + ` (at character 5: "?1")`},
		{"sqlite: other names", []Syntax{SQLite}, "a = $b", kind + ` (at character 5: "$b")`},
		{"sqlite: name with @", []Syntax{SQLite}, "a = @b", kind + ` (at character 5: "@b")`},
		{"sqlite: name with a suffix", []Syntax{SQLite}, "a = :b::c(')", kind + ` (at character 5: ":b::c(')")`},
		{"mysql: variable", []Syntax{MySQL}, "a = @b", `the condition contains a variable of the session (at character 5: "@b")`},
		{"mysql: name that begins with a dollar", []Syntax{MySQL}, "a = :$b", kind + ` (at character 5: ":$b")`},
		{
			"mysql: escaped quote",
			[]Syntax{MySQL},
			`a = 'O\'Brien' AND b = ?`,
			`the condition has a backslash or quote whose meaning depends on a setting of the session (at character 5: "'O\\'Brien' AND b = ?")`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.syntaxes {
				err := CheckCondition(s, tt.where)
				if err == nil {
					t.Errorf("CheckCondition(%q) = nil, want %q (%+v)", tt.where, tt.want, s)
					continue
				}
				if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
					t.Errorf("CheckCondition(%q) (-want +got):\n%s", tt.where, diff)
				}
			}
		})
	}
}

// A text that is safe either way, but has its placeholders in other places.
func TestCheckCondition_SessionMovesPlaceholders(t *testing.T) {
	const where = `a = 'b\'' OR c = ? OR ''\'' = 'd'`
	for _, s := range []Syntax{Postgres, MySQL} {
		if err := CheckCondition(s, where); err == nil {
			t.Errorf("CheckCondition(%q) = nil (%+v)", where, s)
		}
	}
}
