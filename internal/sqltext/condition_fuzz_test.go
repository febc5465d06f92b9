package sqltext

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// hostileConditions are conditions with arguments in which a placeholder might
// be mistaken for something else. The fuzz targets start from them as well as
// from hostile.
var hostileConditions = []string{
	"a = ? AND b IN (?)", "a NOT IN ( ? ) OR b = ?", "a IN (?", "?) OR (?", "a IN (?))", "a = :a AND b IN (:b)", "a ? :a AND :b?c", ":a??b",
	"a = :a::int", ":a::b(')", ":a:b:c", "a[:b]", "a[1 : :b]", "ARRAY[:a]", "JSON_OBJECT('k':v, l:w)", "a = '?' OR \"?\" = `?` OR c = ?",
	"?'?'?", "?$$?$$", "1?E'\\''", "a ??| ? AND b = ????", "???", "a ??- -?", "/??*?", "?*/", "?-- ?", "a--?", "x'?'?", "?e1?.5", "?:a", "@:a", "::a",
	"a = 'b\\'' OR c = ? OR ''\\'' = 'd'", "a = \"b\\\"\" OR ? OR \"\"\\\"\" = ''", "NOT IN (?)", "t.IN (?)", "t.not IN (?)", "a!IN(?)", "a IN (?) /*! OR 1 */", "IN(:order)",
}

func addConditions(f *testing.F) {
	for i, where := range slices.Concat(hostile, hostileConditions) {
		f.Add(where, uint32(i))
		f.Add(where, ^uint32(i))
	}
}

// fuzzLists makes lists of the arguments as the bits of seed say.
func fuzzLists(seed uint32) func(int) (int, bool) {
	return func(i int) (int, bool) {
		n := [...]int{-1, 0, 1, 9}[seed>>(2*i%32)&3]
		return max(n, 0), n >= 0
	}
}

// prepared makes of a condition what is sent to the database, with the number of
// its arguments. It returns false where that is refused for its arguments.
func prepared(t *testing.T, s Syntax, where string, seed uint32) (rebound string, n int, ok bool) {
	t.Helper()
	text, names, err := Named(s, where)
	if errors.Is(err, ErrMixedNames) {
		return "", 0, false
	}
	if err != nil {
		t.Fatalf("Named(%q) = %v", where, err)
	}
	_, placeholders, err := Rebind(s, text)
	if err != nil {
		t.Fatalf("Rebind(%q), which was %q: %v", text, where, err)
	}
	if names != nil && placeholders != len(names) {
		t.Fatalf("%q has %d placeholders and the names %q", text, placeholders, names)
	}
	e, err := Expand(s, text, fuzzLists(seed), s.Placeholder == Dollar)
	if _, ok := errors.AsType[*ListError](err); ok {
		e, err = Expand(s, text, fuzzLists(0), s.Placeholder == Dollar)
	}
	if err != nil {
		t.Fatalf("Expand(%q) = %v", text, err)
	}
	if e.Placeholders != placeholders {
		t.Fatalf("Expand(%q) counts %d placeholders, Rebind %d", text, e.Placeholders, placeholders)
	}
	rebound, n, err = Rebind(s, e.Text)
	if err != nil || n != marks(e) {
		t.Fatalf("Rebind(%q) = %q, %d, %v; Expand counts %d", e.Text, rebound, n, err, marks(e))
	}
	return rebound, n, true
}

// marks returns the number of placeholders in the text of e.
func marks(e Expansion) int {
	if e.Pieces == nil {
		return e.Placeholders
	}
	n := 0
	for _, p := range e.Pieces {
		n += p.Marks
	}
	return n
}

// FuzzCheckCondition checks that what passes stays in its parentheses, whatever
// Named, Expand and Rebind make of it.
func FuzzCheckCondition(f *testing.F) {
	addConditions(f)
	f.Fuzz(func(t *testing.T, where string, seed uint32) {
		for name, s := range syntaxes() {
			if CheckCondition(s, where) != nil {
				continue
			}
			if err := CheckCondition(s, "("+where+") OR ("+where+")"); err != nil {
				t.Fatalf("%s: %q passes alone and not in parentheses: %v", name, where, err)
			}
			rebound, n, ok := prepared(t, s, where, seed)
			if !ok {
				continue
			}
			if strings.Contains(rebound, "??") && s.Placeholder == Dollar && !strings.Contains(where, "??") {
				t.Fatalf("%s: %q became %q", name, where, rebound)
			}
			checkWrapped(t, name, s, rebound)
			s.sessions(func(other Syntax) bool {
				checkWrapped(t, name+" with other settings", other, rebound)
				return true
			})
			if s.Placeholder == Question {
				continue
			}
			params := 0
			for token := range Tokens(s, rebound) {
				if token.Kind == Param {
					params++
				}
			}
			if params != n {
				t.Fatalf("%s: %q became %q, with %d parameters for %d arguments", name, where, rebound, params, n)
			}
		}
	})
}

// FuzzCheckCondition_Engine is FuzzCheckWhere_Engine with arguments, all NULL.
func FuzzCheckCondition_Engine(f *testing.F) {
	addConditions(f)
	for _, where := range []string{
		"a = ? OR 1", "k IN (?) OR ? IS NULL", "k NOT IN (?)", "coalesce(:a, 1)", "EXISTS (SELECT 1 FROM u WHERE u.k = t.k LIMIT coalesce(?, 1))",
		"? IS ?", "a LIKE ? ESCAPE ? OR a IS NOT :b", "(?, k) NOT IN (SELECT ?, k FROM u)", "[a] COLLATE NOCASE IN (?)",
	} {
		f.Add(where, uint32(1))
		f.Add(where, ^uint32(0))
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, where string, seed uint32) {
		if CheckCondition(SQLite, where) != nil {
			return
		}
		if rebound, n, ok := prepared(t, SQLite, where, seed); ok {
			e.try(t, rebound, make([]any, n)...)
		}
	})
}
