package sqltext

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lengths is what Expand asks for: the lengths of lists, -1 for a single value.
func lengths(n ...int) func(int) (int, bool) {
	return func(i int) (int, bool) {
		if i >= len(n) || n[i] < 0 {
			return 0, false
		}
		return n[i], true
	}
}

func TestExpand_Elements(t *testing.T) {
	tests := []struct {
		name   string
		text   string
		lists  []int
		want   string
		pieces []Piece
	}{
		{"no placeholder", "a = '?'", nil, "a = '?'", nil},
		{"no list", "a = ? AND b IN (?)", []int{-1, -1}, "a = ? AND b IN (?)", nil},
		{"one", "a IN (?)", []int{1}, "a IN (?)", []Piece{{1, true}}},
		{"three", "a IN (?)", []int{3}, "a IN (?, ?, ?)", []Piece{{3, true}}},
		{"spaces and case", "a not\nin ( ? ) AND b In(?)", []int{2, 3}, "a not\nin ( ?, ? ) AND b In(?, ?, ?)", []Piece{{2, true}, {3, true}}},
		{"between values", "a = ? AND b IN (?) AND c = ?", []int{-1, 2, -1}, "a = ? AND b IN (?, ?) AND c = ?", []Piece{{1, false}, {2, true}, {1, false}}},
		{"exact up to eight", "a IN (?)", []int{8}, "a IN (?" + strings.Repeat(", ?", 7) + ")", []Piece{{8, true}}},
		{"filled up from nine on", "a IN (?)", []int{9}, "a IN (?" + strings.Repeat(", ?", 15) + ")", []Piece{{16, true}}},
		{"filled up at the most", "a IN (?)", []int{4095}, "a IN (?" + strings.Repeat(", ?", 4095) + ")", []Piece{{4096, true}}},
		{"exact beyond", "a IN (?)", []int{4097}, "a IN (?" + strings.Repeat(", ?", 4096) + ")", []Piece{{4097, true}}},
		{"empty", "a = 1 OR a NOT IN (?)", []int{0}, "a = 1 OR a NOT IN (" + emptyRows + ")", []Piece{{0, true}}},
		{"quoted names and subqueries", "(`a`) IN (?) OR a IN (SELECT b FROM u WHERE c IN (?))", []int{1, 2}, "(`a`) IN (?) OR a IN (SELECT b FROM u WHERE c IN (?, ?))", []Piece{{1, true}, {2, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range []Syntax{MySQL, SQLite} {
				got, err := Expand(s, tt.text, lengths(tt.lists...), false)
				want := Expansion{Text: tt.want, Placeholders: len(tt.lists), Pieces: tt.pieces}
				if err != nil {
					t.Errorf("Expand(%q) = %v", tt.text, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Expand(%q) (-want +got):\n%s", tt.text, diff)
				}
			}
		})
	}
}

func TestExpand_Arrays(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		lists []int
		want  string
	}{
		{"no list", "a IN (?)", []int{-1}, "a IN (?)"},
		{"list", "a IN (?)", []int{3}, "a = ANY (?)"},
		{"empty list", "NOT b AND a IN (?)", []int{0}, "NOT b AND a = ANY (?)"},
		{"not in", "a NOT IN (?)", []int{3}, "a <> ALL (?)"},
		{"spaces and case", "a not\nin( ? ) AND \"b\"In(?)", []int{2, 3}, "a <>\nALL( ? ) AND \"b\" = ANY(?)"},
		{"comments", "a NOT/* b */IN -- c\n(?)", []int{2}, "a <>/* b */ ALL -- c\n(?)"},
		{"between values", "a = ? AND b IN (?) AND c = ?", []int{-1, 2, -1}, "a = ? AND b = ANY (?) AND c = ?"},
		{"other places", "a = ANY(?) AND b @> ? AND c IN (?, ?) AND d IN (?::int)", []int{2, 2, 2, 2, 2}, "a = ANY(?) AND b @> ? AND c IN (?, ?) AND d IN (?::int)"},
		{"functions and columns called in", "t.in (?) AND t.not IN (?)", []int{2, 2}, "t.in (?) AND t.not = ANY (?)"},
		{"operators", "a ?? ? AND b IN (??) AND b IN (?)", []int{-1, 2}, "a ?? ? AND b IN (??) AND b = ANY (?)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Expand(Postgres, tt.text, lengths(tt.lists...), true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Expansion{Text: tt.want, Placeholders: len(tt.lists)}, got); diff != "" {
				t.Errorf("Expand(%q) (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestExpand_Impossible(t *testing.T) {
	tests := []struct {
		text  string
		lists []int
		want  bool
	}{
		{"a IN (?)", []int{0}, true},
		{" t.\"a\" in\t( ? ) ", []int{0}, true},
		{`"t" . a IN(?)`, []int{0}, true},
		{"a IN (?)", []int{1}, false},
		{"a NOT IN (?)", []int{0}, false},
		{"NOT a IN (?)", []int{0}, false},
		{"NOT IN (?)", []int{0}, false},
		{"a IN (?) OR b", []int{0}, false},
		{"a IN (?) IS NOT TRUE", []int{0}, false},
		{"s.t.a IN (?)", []int{0}, false},
		{"-a IN (?)", []int{0}, false},
		{"a = ANY (?)", []int{0}, false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := Expand(Postgres, tt.text, lengths(tt.lists...), true)
			if err != nil || got.Impossible != tt.want {
				t.Errorf("Expand(%q) = %+v, %v; want Impossible %v", tt.text, got, err, tt.want)
			}
			if strings.Contains(tt.text, "ANY") {
				return
			}
			got, err = Expand(SQLite, tt.text, lengths(tt.lists...), false)
			if err != nil || got.Impossible != tt.want {
				t.Errorf("Expand(%q) without arrays = %+v, %v; want Impossible %v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestExpand_Error(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		lists []int
		want  string
	}{
		{"comparison", "é = ? AND b = ?", []int{-1, 2}, `argument 2 is a list, and its placeholder does not stand alone in IN (?) (at character 15: "?")`},
		{"beside a value", "a IN (?, ?)", []int{2, -1}, `argument 1 is a list, and its placeholder does not stand alone in IN (?) (at character 7: "?, ?)")`},
		{"in more parentheses", "a IN ((?))", []int{2}, `argument 1 is a list, and its placeholder does not stand alone in IN (?) (at character 8: "?))")`},
		{"any", "a = ANY(?)", []int{0}, `argument 1 is a list, and its placeholder does not stand alone in IN (?) (at character 9: "?)")`},
		{"number after", "a IN (?) AND b = ?1", []int{2}, `argument 1 is a list, and its placeholder does not stand alone in IN (?) (at character 7: "?) AND b = ?1")`},
		{"number before", "a = ?2 AND b IN (?1)", []int{2}, `argument 1 is a list, and its placeholder does not stand alone in IN (?) (at character 18: "?1)")`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Expand(SQLite, tt.text, lengths(tt.lists...), false)
			var le *ListError
			if !errors.As(err, &le) || le.Hint() == "" {
				t.Fatalf("Expand(%q) = %+v, %v; want a *ListError", tt.text, got, err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("Expand(%q) (-want +got):\n%s", tt.text, diff)
			}
		})
	}
	for text, want := range map[string]error{"? '": ErrUnterminatedString, "? /*": ErrUnterminatedComment, "? \"": ErrUnterminatedIdent} {
		if got, err := Expand(SQLite, text, lengths(1), true); !errors.Is(err, want) {
			t.Errorf("Expand(%q) = %+v, %v; want %v", text, got, err, want)
		}
	}
	if got, err := Expand(SQLite, "?99999999999999999999", lengths(), false); err == nil {
		t.Errorf("Expand = %+v, want an error", got)
	}
}

func TestExpand_Numbers(t *testing.T) {
	got, err := Expand(SQLite, "?3 ? ?0", lengths(), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Expansion{Text: "?3 ? ?0", Placeholders: 4}, got); diff != "" {
		t.Errorf("Expand (-want +got):\n%s", diff)
	}
}

func TestExpand_AllocatesNothing(t *testing.T) {
	none := lengths()
	for _, text := range []string{"a = 1", "a = ? AND b IN (?) AND c = ':d'"} {
		for _, s := range everywhere {
			if n := testing.AllocsPerRun(100, func() { _, _ = Expand(s, text, none, s.Placeholder == Dollar) }); n != 0 {
				t.Errorf("Expand(%q) allocates %v times, want 0", text, n)
			}
		}
	}
}

func BenchmarkExpand(b *testing.B) {
	const text = "status = ? AND id IN (?) AND created_at < ?"
	for _, bb := range []struct {
		name   string
		syntax Syntax
		lists  []int
	}{
		{"none", MySQL, nil},
		{"array", Postgres, []int{-1, 1000}},
		{"elements", MySQL, []int{-1, 1000}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			lists := lengths(bb.lists...)
			for b.Loop() {
				_, _ = Expand(bb.syntax, text, lists, bb.syntax.Placeholder == Dollar)
			}
		})
	}
}
