package sqltext

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everywhere is a condition's test for all three databases.
var everywhere = []Syntax{Postgres, MySQL, SQLite}

func TestCheckWhere_Accepts(t *testing.T) {
	tests := []struct {
		name     string
		syntaxes []Syntax
		where    string
	}{
		{"comparison", everywhere, "age > 30"},
		{"spaces and line breaks", everywhere, "\n a = 1\r\n\tAND b = 2 "},
		{"words in a string", everywhere, "a = 'x; DELETE -- /* ) UNION'"},
		{"doubled quote", everywhere, "name = 'O''Brien'"},
		{"letters beyond ASCII", everywhere, "größe = 'naïve – 日本'"},
		{"parentheses", everywhere, "(a = 1 OR (b = 2 AND c IN (1, 2, 3)))"},
		{"case", everywhere, "CASE WHEN a THEN b ELSE c END = 1"},
		{"subquery", everywhere, "id IN (SELECT id FROM u WHERE x = 1 ORDER BY y LIMIT 3 OFFSET 1)"},
		{"exists", everywhere, "NOT EXISTS (SELECT 1 FROM u UNION SELECT 2 FROM v GROUP BY a HAVING b)"},
		{"with in a subquery", everywhere, "id IN (WITH a AS (SELECT 1) SELECT * FROM a)"},
		{"lock in a subquery", []Syntax{Postgres, MySQL}, "id IN (SELECT id FROM q FOR UPDATE)"},
		{"column after a dot", everywhere, "t.order = 1 AND t . limit = 2 AND t.update = 3"},
		{"table before a dot", everywhere, "lock.id = 1"},
		{"words that only contain keywords", everywhere, "updated > deleted_at AND orders = selected AND wherever = 1"},
		{"functions named like verbs", everywhere, "replace(a, 'x', 'y') = 'b' AND INSERT (a, 1, 2, 'c') = 'd' AND (truncate(a, 2) = 1)"},
		{"keyword of a type or function", everywhere, "EXTRACT(YEAR FROM a) = 2020 AND substring(a FROM 1 FOR 2) = 'x'"},
		{"distinct from", []Syntax{Postgres, SQLite}, "a IS NOT DISTINCT FROM b"},
		{"window function", everywhere, "id IN (SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM t)"},

		{"postgres: quoted names", []Syntax{Postgres, SQLite}, `"update" = 1 AND "a"")" = 2`},
		{"postgres: jsonb operators", []Syntax{Postgres}, `a ? 'b' AND a ?| array['c'] AND a ?& array['d'] AND a @> '{}' AND a #>> '{e}' = 'f'`},
		{"postgres: casts and slices", []Syntax{Postgres}, "a::int = 1 AND b[1:2] = c[:n] AND d = ANY(ARRAY[[1,2],[3,4]])"},
		{"postgres: E string", []Syntax{Postgres}, `a = E'it\'s (' AND b ~ '\d+'`},
		{"postgres: dollar quotes", []Syntax{Postgres}, "a = $$it's ;$$ AND b = $x$--$x$"},
		{"postgres: string in lines", []Syntax{Postgres}, "a = 'b'\n'c'"},
		{"postgres: json constructor", []Syntax{Postgres}, "JSON_OBJECT('a':b) IS NOT NULL"},
		{"postgres: non-reserved names inside", []Syntax{Postgres}, "(a = update)"},
		{"mysql: strings", []Syntax{MySQL}, `a = "b" AND c = 'd\\e' AND f = 'g\n'`},
		{"mysql: names", []Syntax{MySQL, SQLite}, "`update` = 1 AND `a``)` = 2"},
		{"mysql: interval and match", []Syntax{MySQL}, "a < NOW() - INTERVAL 3 DAY AND MATCH (b) AGAINST ('c' IN NATURAL LANGUAGE MODE WITH QUERY EXPANSION)"},
		{"mysql: double minus", []Syntax{MySQL}, "a = 1--1"},
		{"mysql: settings of the server", []Syntax{MySQL}, "a = @@session.time_zone AND b = @@version"},
		{"sqlite: bracketed name", []Syntax{SQLite}, "[update] = 1 AND [a'b(] = 2"},
		{"sqlite: backslash", []Syntax{SQLite}, `a = '\'`},
		{"sqlite: json", []Syntax{SQLite}, "a ->> '$.b' = 'c' AND d GLOB '*' AND e = x'00'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.syntaxes {
				if err := CheckWhere(s, tt.where); err != nil {
					t.Errorf("CheckWhere(%q) = %v (%+v)", tt.where, err, s)
				}
			}
		})
	}
}

func TestCheckWhere_Refuses(t *testing.T) {
	tests := []struct {
		name     string
		syntaxes []Syntax
		where    string
		want     string
	}{
		{"empty", everywhere, "", "the condition is empty"},
		{"blank", everywhere, " \n\t", "the condition is empty"},
		{"escape", everywhere, "1=1) OR (1=1", `the condition closes a parenthesis that it did not open (at character 4: ") OR (1=1")`},
		{"characters, not bytes", everywhere, "größe=1) OR (1=1", `the condition closes a parenthesis that it did not open (at character 8: ") OR (1=1")`},
		{"long excerpt", everywhere, "a = 1) OR (bbbbbbbbbbbbbbbbbbbb = 1", `the condition closes a parenthesis that it did not open (at character 6: ") OR (bbbbbbbbbbbbbbbbbb…")`},
		{"open parenthesis", everywhere, "(a = 1", `the condition opens a parenthesis that it does not close (at character 1: "(a = 1")`},
		{"crossed brackets", []Syntax{Postgres}, "(a[1)]", `the condition closes a parenthesis where a bracket is open (at character 5: ")]")`},
		{"closing bracket", everywhere, "a]", `the condition closes a bracket that it did not open (at character 2: "]")`},
		{"open bracket", []Syntax{Postgres, MySQL}, "a[1", `the condition opens a bracket that it does not close (at character 2: "[1")`},
		{"semicolon", everywhere, "a = 1; DROP TABLE t", `the condition contains a semicolon (at character 6: "; DROP TABLE t")`},
		{"comma", everywhere, "a, b", `the condition contains a comma outside parentheses (at character 2: ", b")`},
		{"line comment", everywhere, "a = 1 -- b", `the condition contains a comment (at character 7: "-- b")`},
		{"line comment at the end", everywhere, "a = 1--", `the condition contains a comment (at character 6: "--")`},
		{"line comment without a space", []Syntax{Postgres, SQLite}, "a = 1--1", `the condition contains a comment (at character 6: "--1")`},
		{"block comment", everywhere, "a /**/ = 1", `the condition contains a comment (at character 3: "/**/ = 1")`},
		{"executable comment", everywhere, "a = 1 /*! OR 1=1 */", `the condition contains a comment (at character 7: "/*! OR 1=1 */")`},
		{"mysql: MariaDB's executable comment", []Syntax{MySQL}, "/*M!100100 a */", `the condition contains a comment (at character 1: "/*M!100100 a */")`},
		{"mysql: hash comment", []Syntax{MySQL}, "a = 1 # b", `the condition contains a comment (at character 7: "# b")`},
		{"open comment", everywhere, "a = 1 /* b", `the condition has an unterminated comment (at character 7: "/* b")`},
		{"open string", everywhere, "a = 'b", `the condition has an unterminated string (at character 5: "'b")`},
		{"open name", []Syntax{Postgres, SQLite}, `"a = 1`, `the condition has an unterminated quoted identifier (at character 1: "\"a = 1")`},
		{"NUL", everywhere, "a = 1\x00", `the condition contains a NUL byte (at character 6: "\x00")`},
		{"NUL in a string", everywhere, "a = 'b\x00c'", `the condition contains a NUL byte (at character 7: "\x00c'")`},
		{"invalid UTF-8", everywhere, "é = '\xbf'", `the condition is not valid UTF-8 (at character 6: "\xbf'")`},
		{"backslash", everywhere, `a = 1 \`, `the condition contains a character that SQL has no use for here (at character 7: "\\")`},
		{"braces", everywhere, "{d '2020-01-01'} < a", `the condition contains a character that SQL has no use for here (at character 1: "{d '2020-01-01'} < a")`},

		{"leading WHERE", everywhere, "where a = 1", `the condition contains the word WHERE (at character 1: "where a = 1")`},
		{"order", everywhere, "a = 1 ORDER BY b", `the condition goes beyond an expression with the word ORDER (at character 7: "ORDER BY b")`},
		{"limit", everywhere, "a = 1 limit 5", `the condition goes beyond an expression with the word LIMIT (at character 7: "limit 5")`},
		{"union", everywhere, "a = 1 UNION SELECT 1", `the condition goes beyond an expression with the word UNION (at character 7: "UNION SELECT 1")`},
		{"returning", everywhere, "a = 1 RETURNING *", `the condition goes beyond an expression with the word RETURNING (at character 7: "RETURNING *")`},
		{"for update", everywhere, "a = 1 FOR UPDATE", `the condition goes beyond an expression with the word FOR (at character 7: "FOR UPDATE")`},
		{"procedure", everywhere, "1 procedure analyse()", `the condition goes beyond an expression with the word PROCEDURE (at character 3: "procedure analyse()")`},
		{"into", everywhere, "a = (SELECT 1 INTO b)", `the condition contains the word INTO (at character 15: "INTO b)")`},
		{"select", everywhere, "SELECT 1", `the condition goes beyond an expression with the word SELECT (at character 1: "SELECT 1")`},
		{"with", everywhere, "WITH a AS (SELECT 1) SELECT 1", `the condition begins with the word WITH (at character 1: "WITH a AS (SELECT 1) SEL…")`},
		{"values", everywhere, "values (1)", `the condition begins with the word VALUES (at character 1: "values (1)")`},
		{"statement", everywhere, "drop table t", `the condition contains the statement DROP (at character 1: "drop table t")`},
		{"statement in parentheses", everywhere, "a = ( DELETE FROM t)", `the condition contains the statement DELETE (at character 7: "DELETE FROM t)")`},
		{"statement in brackets", []Syntax{Postgres}, "a = ARRAY[DELETE FROM t]", `the condition contains the statement DELETE (at character 11: "DELETE FROM t]")`},
		{"statement in a common table expression", everywhere, "a IN (WITH b AS (UPDATE t SET a = 1 RETURNING a) SELECT 1)", `the condition contains the statement UPDATE (at character 18: "UPDATE t SET a = 1 RETUR…")`},
		{"statement after a common table expression", everywhere, "a IN (WITH b AS (SELECT 1) DELETE FROM t)", `the condition contains the statement DELETE (at character 28: "DELETE FROM t)")`},
		{"insert as a statement", everywhere, "(INSERT t VALUES (1))", `the condition contains the statement INSERT (at character 2: "INSERT t VALUES (1))")`},
		{"column named like a verb", everywhere, "a = 1 AND copy = 2", `the condition contains the statement COPY (at character 11: "copy = 2")`},

		{"question mark", []Syntax{MySQL, SQLite}, "a = ?", `the condition contains a placeholder, for which there is no argument (at character 5: "?")`},
		{"postgres: parameter", []Syntax{Postgres}, "a = $1", `the condition contains a placeholder, for which there is no argument (at character 5: "$1")`},
		{"named parameter", everywhere, "a = :b", `the condition contains a placeholder, for which there is no argument (at character 5: ":b")`},
		{"sqlite: other parameters", []Syntax{SQLite}, "a = $b", `the condition contains a placeholder, for which there is no argument (at character 5: "$b")`},
		{"mysql: variable", []Syntax{MySQL}, "a = @b", `the condition contains a variable of the session (at character 5: "@b")`},
		{"mysql: quoted variable", []Syntax{MySQL}, "a = @'b'", `the condition contains a variable of the session (at character 5: "@'b'")`},
		{"mysql: name that begins with a dollar", []Syntax{MySQL}, "$$ = 1", `the condition contains a name that begins with $ (at character 1: "$$ = 1")`},

		{"postgres: E string that goes on", []Syntax{Postgres}, "a = E'b'\n'c\\'", `the condition has an unterminated string (at character 10: "'c\\'")`},
		{"postgres: tag in the middle of a word", []Syntax{Postgres}, "a$$) OR (b$$ = 1", `the condition closes a parenthesis that it did not open (at character 4: ") OR (b$$ = 1")`},
		{
			"postgres: backslash before a doubled quote",
			[]Syntax{Postgres},
			`a = 'b\''' OR c = 'd`,
			`the condition has an unterminated string (at character 19: "'d")`,
		},
		{
			"mysql: escaped quote",
			[]Syntax{MySQL},
			`a = 'O\'Brien'`,
			`the condition has a backslash or quote whose meaning depends on a setting of the session (at character 5: "'O\\'Brien'")`,
		},
		{
			"postgres: backslash at the end of a string",
			[]Syntax{Postgres},
			`a = 'b\'`,
			`the condition has a backslash or quote whose meaning depends on a setting of the session (at character 5: "'b\\'")`,
		},
		{
			"postgres: escape with standard_conforming_strings = off",
			[]Syntax{Postgres},
			`a = '\'') OR (1=1) --'`,
			`the condition has a backslash or quote whose meaning depends on a setting of the session (at character 5: "'\\'') OR (1=1) --'")`,
		},
		{
			"mysql: escape with NO_BACKSLASH_ESCAPES",
			[]Syntax{MySQL},
			`a = '\') OR (1=1) -- '`,
			`the condition has a backslash or quote whose meaning depends on a setting of the session (at character 5: "'\\') OR (1=1) -- '")`,
		},
		{
			"mysql: escape with ANSI_QUOTES",
			[]Syntax{MySQL},
			`a = "\" ) OR (1=1) OR ("`,
			`the condition has a backslash or quote whose meaning depends on a setting of the session (at character 5: "\"\\\" ) OR (1=1) OR (\"")`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.syntaxes {
				err := CheckWhere(s, tt.where)
				if err == nil {
					t.Errorf("CheckWhere(%q) = nil, want %q (%+v)", tt.where, tt.want, s)
					continue
				}
				if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
					t.Errorf("CheckWhere(%q) (-want +got):\n%s", tt.where, diff)
				}
			}
		})
	}
}

func TestCheckWhere_Error(t *testing.T) {
	err := CheckWhere(MySQL, "größe > 1 AND WHERE b")
	var we *WhereError
	if !errors.As(err, &we) {
		t.Fatalf("CheckWhere = %T, want *WhereError", err)
	}
	want := &WhereError{
		Offset: 14, Reason: "the condition contains the word WHERE",
		Excerpt: "WHERE b", Advice: "leave the word WHERE out",
	}
	if diff := cmp.Diff(want, we); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if we.Hint() != want.Advice {
		t.Errorf("Hint() = %q, want %q", we.Hint(), want.Advice)
	}
}

// The settings that the caller has read need not be feared.
func TestCheckWhere_KnownSession(t *testing.T) {
	s := MySQL
	s.SessionBackslash, s.SessionDoubleQuote = false, false
	if err := CheckWhere(s, `a = 'O\'Brien' AND b = "c\""`); err != nil {
		t.Errorf("CheckWhere = %v", err)
	}
	s.BackslashEscapes = false
	if err := CheckWhere(s, `a = 'b\'`); err != nil {
		t.Errorf("CheckWhere with NO_BACKSLASH_ESCAPES = %v", err)
	}
}
