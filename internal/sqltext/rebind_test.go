package sqltext

import (
	"errors"
	"strings"
	"testing"
)

func TestRebind(t *testing.T) {
	tests := []struct {
		name   string
		syntax Syntax
		query  string
		want   string
		n      int
	}{
		{"none", Postgres, "SELECT 1", "SELECT 1", 0},
		{"two", Postgres, "UPDATE t SET a = ? WHERE b=?", "UPDATE t SET a = $1 WHERE b=$2", 2},
		{"list", Postgres, "(?,?,?)", "($1,$2,$3)", 3},
		{"more than nine", Postgres, strings.Repeat("?,", 11), "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,", 11},
		{"cast", Postgres, "?::int", "$1::int", 1},
		{"in strings, names and comments", Postgres, `'?' "?" E'\'?' $$?$$ /*?/*?*/?*/ ? --?` + "\n?", `'?' "?" E'\'?' $$?$$ /*?/*?*/?*/ $1 --?` + "\n$2", 2},
		{"jsonb operators", Postgres, "a ?? ? AND b ??| ? AND c ??& ?", "a ? $1 AND b ?| $2 AND c ?& $3", 3},
		{"escapes side by side", Postgres, "???? ???", "?? ?$1", 1},
		{"escape alone, with parameters of its own", Postgres, "a ?? $1", "a ? $1", 0},
		{"parameters of its own", Postgres, "a = $1", "a = $1", 0},
		{"before an operator", Postgres, "?||?", "$1||$2", 2},
		{"beside a word", Postgres, "LIMIT?OFFSET?", "LIMIT $1 OFFSET $2", 2},
		{"beside a number", Postgres, "?1", "$1 1", 1},
		{"only in a string", Postgres, "'?'", "'?'", 0},
		{"mysql", MySQL, "a = ? AND b = '?' AND c = ? # ?", "a = ? AND b = '?' AND c = ? # ?", 2},
		{"mysql: escaped quote", MySQL, `a = '\'?' AND b = ?`, `a = '\'?' AND b = ?`, 1},
		{"sqlite", SQLite, "a = ? AND [?] = ?", "a = ? AND [?] = ?", 2},
		{"sqlite: numbers", SQLite, "?3 ? ?2", "?3 ? ?2", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, n, err := Rebind(tt.syntax, tt.query)
			if err != nil || got != tt.want || n != tt.n {
				t.Errorf("Rebind(%q) = %q, %d, %v; want %q, %d", tt.query, got, n, err, tt.want, tt.n)
			}
		})
	}
}

func TestRebind_Error(t *testing.T) {
	tests := []struct {
		name   string
		syntax Syntax
		query  string
		want   error
	}{
		{"mixed", Postgres, "a = ? AND b = $1", ErrMixedPlaceholders},
		{"open string", Postgres, "? '", ErrUnterminatedString},
		{"open name", Postgres, `? "`, ErrUnterminatedIdent},
		{"open comment", MySQL, "? /*", ErrUnterminatedComment},
		{"sqlite: number", SQLite, "?99999999999999999999", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, n, err := Rebind(tt.syntax, tt.query)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || got != "" && tt.syntax.Placeholder == Dollar {
				t.Errorf("Rebind(%q) = %q, %d, %v; want %v", tt.query, got, n, err, tt.want)
			}
		})
	}
}

func TestRebind_AllocatesNothing(t *testing.T) {
	for name, query := range map[string]string{"no placeholder": "SELECT a FROM t WHERE b = 'c'", "placeholders": "SELECT a FROM t WHERE b = ?"} {
		s := Postgres
		if name == "placeholders" {
			s = MySQL
		}
		if n := testing.AllocsPerRun(100, func() { _, _, _ = Rebind(s, query) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

// FuzzRebind checks that the tokens of the result are those of the query, but
// for the placeholders, the escapes and the spaces set beside placeholders.
func FuzzRebind(f *testing.F) {
	for _, query := range hostile {
		f.Add(query)
	}
	f.Add("a ??| ? AND b = 'x?' -- ?")
	f.Fuzz(func(t *testing.T, query string) {
		for name, s := range syntaxes() {
			got, n, err := Rebind(s, query)
			if err != nil {
				continue
			}
			if s.Placeholder != Dollar {
				if got != query {
					t.Fatalf("%s: Rebind(%q) = %q", name, query, got)
				}
				continue
			}
			want, wantN := expectRebound(s, query)
			if n != wantN {
				t.Fatalf("%s: Rebind(%q) found %d placeholders, want %d", name, query, n, wantN)
			}
			var tokens []string
			for token := range Tokens(s, got) {
				tokens = append(tokens, token.Text)
			}
			if strings.Join(tokens, "") != got {
				t.Fatalf("%s: tokens of %q", name, got)
			}
			// The spaces that Rebind has set are the only difference.
			if i := matchSpaced(want, tokens); i >= 0 {
				t.Fatalf("%s: Rebind(%q) = %q, differs at token %d: %q, want %q", name, query, got, i, tokens, want)
			}
			if n > 0 {
				if again, m, err := Rebind(s, got); err == nil && (m != 0 || again != got) && !strings.Contains(query, "??") {
					t.Fatalf("%s: Rebind(%q) = %q, %d", name, got, again, m)
				}
			}
		}
	})
}

// expectRebound returns the tokens that the rebound query is to have.
func expectRebound(s Syntax, query string) (tokens []string, n int) {
	for token := range Tokens(s, query) {
		last := len(tokens) - 1
		switch {
		case token.Kind != QuestionMark:
			tokens = append(tokens, token.Text)
		case last >= 0 && tokens[last] == "\x00$":
			tokens[last] = "?"
			n--
		default:
			tokens = append(tokens, "\x00$") // a placeholder, unless another ? follows
			n++
		}
	}
	number := 0
	for i, text := range tokens {
		if text == "\x00$" {
			number++
			tokens[i] = "$" + itoa(number)
		}
	}
	return tokens, n
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// matchSpaced returns the index of the first of got that is neither as in want
// nor a single space beside a parameter, or -1.
func matchSpaced(want, got []string) int {
	w := 0
	for i, text := range got {
		switch {
		case w < len(want) && want[w] == text:
			w++
		case text == " " && (i > 0 && strings.HasPrefix(got[i-1], "$") || i+1 < len(got) && strings.HasPrefix(got[i+1], "$")):
		default:
			return i
		}
	}
	if w < len(want) {
		return len(got)
	}
	return -1
}

func BenchmarkRebind(b *testing.B) {
	const query = "UPDATE accounts SET balance = balance - ?, updated_at = ? WHERE id = ? AND balance >= ?"
	for _, bb := range []struct {
		name   string
		syntax Syntax
		query  string
	}{
		{"none", Postgres, strings.ReplaceAll(query, "?", "1")},
		{"dollar", Postgres, query},
		{"question", MySQL, query},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = Rebind(bb.syntax, bb.query)
			}
		})
	}
}
