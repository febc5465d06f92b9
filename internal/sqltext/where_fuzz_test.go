package sqltext

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
)

// wrap puts a condition where drover puts it.
func wrap(where string) (statement string, start int) {
	const before = "DELETE FROM t WHERE ("
	return before + where + ") AND (k >= 1)", len(before)
}

// checkWrapped fails unless the wrapped condition is cut into tokens as it was
// alone and stays in its parentheses.
func checkWrapped(t *testing.T, name string, s Syntax, where string) {
	t.Helper()
	text, start := wrap(where)
	end := start + len(where)
	l := lexer{syntax: s, text: text}
	depth := 0
	boundary := false
	for {
		token, ok := l.next()
		if !ok {
			break
		}
		switch {
		case token.Unterminated, token.Kind == Illegal, token.is(';'),
			token.Kind >= LineComment && token.Kind <= ExecClose:
			t.Fatalf("%s: %+v in %q", name, token, text)
		case token.is('('):
			depth++
		case token.is(')'):
			depth--
		}
		inside := token.Pos >= start && token.Pos < end
		if inside && depth < 1 {
			t.Fatalf("%s: %q closes the outer parenthesis", name, where)
		}
		if token.Pos == end {
			boundary = token.is(')') && depth == 0
		}
	}
	if !boundary || depth != 0 {
		t.Fatalf("%s: the parenthesis after %q does not close the one before", name, where)
	}
}

func FuzzCheckWhere(f *testing.F) {
	for _, where := range hostile {
		f.Add(where)
	}
	f.Add("a IN (SELECT 1) AND \"b\" = 'c'")
	f.Add("id = 1 OR (a[1:2] = ARRAY[1,2] AND x ?| y)")
	f.Fuzz(func(t *testing.T, where string) {
		for name, s := range syntaxes() {
			if CheckWhere(s, where) != nil {
				continue
			}
			checkWrapped(t, name, s, where)
			s.sessions(func(other Syntax) bool {
				checkWrapped(t, name+" with other settings", other, where)
				return true
			})
			// Parentheses around it and a doubled condition change nothing.
			if err := CheckWhere(s, "("+where+") OR ("+where+")"); err != nil {
				t.Fatalf("%s: %q passes alone and not in parentheses: %v", name, where, err)
			}
		}
	})
}

// FuzzCheckWhere_Engine asks SQLite itself: whatever passes must never delete a
// row that the other half of the statement protects, nor touch another table.
func FuzzCheckWhere_Engine(f *testing.F) {
	for _, where := range hostile {
		f.Add(where)
	}
	for _, where := range []string{
		"1", "k", "k > 0", "a = 'x' OR 1", "k IN (SELECT k FROM u)", "EXISTS (SELECT 1 FROM u WHERE u.k = t.k)",
		"(WITH x AS (SELECT 1 AS y) SELECT y FROM x)", "CASE WHEN 1 THEN 1 END", "[a] = 'x' OR \"a\" IS NULL OR `a` > ''",
		"1 OR 1", "a LIKE '%' ESCAPE '\\'", "k BETWEEN 0 AND 9", "a COLLATE NOCASE = 'X'", "1 IS NOT DISTINCT FROM 1", "replace(a, 'x', 'y') = 'y'",
	} {
		f.Add(where)
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, where string) {
		if CheckWhere(SQLite, where) == nil {
			e.try(t, where)
		}
	})
}

// engine is a SQLite database in which a condition is to do no harm.
type engine struct {
	db   *sql.DB
	rows []string // those that no condition may delete
}

func newEngine(f *testing.F) *engine {
	f.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(f.Context(), `
		CREATE TABLE t (k INTEGER PRIMARY KEY, a TEXT, b TEXT);
		CREATE TABLE u (k INTEGER PRIMARY KEY, c TEXT);
		INSERT INTO t VALUES (1, 'x', 'y'), (2, 'x', 'z'), (3, NULL, NULL);
		INSERT INTO u VALUES (1, 'p'), (2, 'q')`); err != nil {
		f.Fatal(err)
	}
	return &engine{db, rowsOf(f.Context(), f, db, engineDump)}
}

const engineDump = `
	SELECT 't' AS tab, k, coalesce(a, '-') || coalesce(b, '-') FROM t WHERE k <> 1
	UNION ALL SELECT 'u', k, c FROM u
	UNION ALL SELECT type, 0, coalesce(sql, name) FROM sqlite_schema
	ORDER BY 1, 2, 3`

// try runs the condition where drover puts it.
func (e *engine) try(t *testing.T, where string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	tx, err := e.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// What the engine refuses is not the check's concern.
	_, execErr := tx.ExecContext(ctx, "DELETE FROM t WHERE ("+where+") AND (k = 1)", args...)
	got := rowsOf(t.Context(), t, tx, engineDump)
	if err := tx.Rollback(); err != nil {
		t.Fatalf("%q ended the transaction: %v", where, err)
	}
	if diff := cmp.Diff(e.rows, got); diff != "" {
		t.Fatalf("%q changed what it must not (-before +after), error %v:\n%s", where, execErr, diff)
	}
}

func rowsOf(ctx context.Context, t testing.TB, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, query string,
) []string {
	t.Helper()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var tab, text string
		var k int
		if err := rows.Scan(&tab, &k, &text); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(tab, k, text))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
