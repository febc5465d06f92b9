package keyset_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/testdb"
)

// Whatever the keys, the parts hold each matching row once, and equally many of them where the number of rows is right.
func TestCut_EqualParts(t *testing.T) {
	text := rapid.Custom(func(rt *rapid.T) any {
		return rapid.StringOfN(rapid.SampledFrom([]rune(`aAbBzZéÉß_-'"\%?09Ωж`)), 1, 3, -1).Draw(rt, "text")
	})
	skewed := rapid.Custom(func(rt *rapid.T) any { // most in a corner, some far away
		return rapid.OneOf(rapid.Int64Range(0, 60), rapid.Int64()).Draw(rt, "number")
	})
	few := rapid.Custom(func(rt *rapid.T) any { return rapid.Int64Range(0, 2).Draw(rt, "few") })
	tests := []struct {
		name, create string
		columns      []*rapid.Generator[any]
	}{
		{"skewed numbers", `CREATE TABLE t (n integer, a bigint NOT NULL PRIMARY KEY)`, []*rapid.Generator[any]{skewed}},
		{"text", `CREATE TABLE t (n integer, a varchar(20) NOT NULL PRIMARY KEY)`, []*rapid.Generator[any]{text}},
		{"composite", `CREATE TABLE t (n integer, a bigint NOT NULL, b varchar(20) NOT NULL, c bigint NOT NULL, PRIMARY KEY (c, b, a))`, []*rapid.Generator[any]{few, text, few}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				w := newWalk(t, d, tt.create)
				rapid.Check(t, func(rt *rapid.T) {
					rows := make([][]any, rapid.IntRange(1, 30).Draw(rt, "rows"))
					for i := range rows {
						for _, column := range tt.columns {
							rows[i] = append(rows[i], column.Draw(rt, "value"))
						}
					}
					w.fill(rt, rows)
					limit := rapid.SampledFrom([]int64{1, 2, 60}).Draw(rt, "where")
					where := "n % 3 < ?"
					matching := w.rows(rt, "SELECT n FROM t WHERE "+where, limit)
					if len(matching) == 0 {
						return
					}
					r := keyset.Range{Lower: w.keys.From(), Cursor: w.key(rt, w.keys.First(where), limit), Last: w.key(rt, w.keys.Last(where), limit), Where: where, Args: []any{limit}}
					parts := rapid.IntRange(1, 9).Draw(rt, "parts")
					told := rapid.SampledFrom([]int{len(matching), len(matching), len(matching) / 2, 3 * len(matching)}).Draw(rt, "told")
					ends, err := w.keys.Cut(t.Context(), queryer{w}, r, int64(told), parts)
					if err != nil {
						rt.Fatal(err)
					}
					sizes := w.sizes(rt, r, ends)
					if len(ends) > parts {
						rt.Errorf("%d parts, want at most %d", len(ends), parts)
					}
					if told == len(matching) {
						if len(sizes) != min(parts, len(matching)) || slices.Max(sizes)-slices.Min(sizes) > 1 {
							rt.Errorf("%d rows in %d parts have sizes %v", len(matching), parts, sizes)
						}
					}
				})
			})
		})
	}
}

// sizes counts the rows of each part, and checks that the parts hold the rows of r once each.
func (w *walk) sizes(rt *rapid.T, r keyset.Range, ends []keyset.Values) []int {
	seen := map[int64]int{}
	var sizes []int
	lower, cursor := r.Lower, r.Cursor
	for _, end := range ends {
		got := w.rows(rt, "SELECT n FROM t"+w.keys.Within(lower, r.Where), append(w.keys.Through().Args(lower.Args(nil, cursor), end), r.Args...)...)
		sizes = append(sizes, len(got))
		for _, n := range got {
			seen[n]++
		}
		lower, cursor = w.keys.After(), end
	}
	all := w.rows(rt, "SELECT n FROM t WHERE "+r.Where, r.Args...)
	for _, n := range all {
		if seen[n] != 1 {
			rt.Errorf("row %d is in %d parts", n, seen[n])
		}
	}
	if len(seen) != len(all) {
		rt.Errorf("the parts hold %d rows of %d", len(seen), len(all))
	}
	return sizes
}

// A range behind a cursor is cut without the cursor's own row, and every part but the final one has the size that was worked out.
func TestCut_After(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := newWalk(t, d, `CREATE TABLE t (n integer, a bigint NOT NULL PRIMARY KEY)`)
		for n := range 11 {
			if _, err := w.db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO t VALUES (%d, %d)", n, n*n)); err != nil {
				t.Fatal(err)
			}
		}
		r := keyset.Range{Lower: w.keys.After(), Cursor: keyset.Values{int64(0)}, Last: keyset.Values{int64(100)}}
		for _, tt := range []struct {
			rows int64
			n    int
			want []string
		}{
			{10, 3, []string{"16", "49", "100"}},
			{10, 1, []string{"100"}},
			{10, 0, []string{"100"}},
			{10, 20, []string{"1", "4", "9", "16", "25", "36", "49", "64", "81", "100"}},
			{0, 4, []string{"100"}},
			{1000, 4, []string{"100"}},
		} {
			ends, err := w.keys.Cut(t.Context(), queryer{w}, r, tt.rows, tt.n)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, end := range ends {
				got = append(got, end.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%d rows in %d parts end at %v, want %v", tt.rows, tt.n, got, tt.want)
			}
		}
	})
}

type failing struct{ err error }

func (f failing) Query(context.Context, string, ...any) (*sql.Rows, error) { return nil, f.err }

func TestCut_Error(t *testing.T) {
	k := newKeyset(t, dialects[testdb.NamePostgres], "a")
	broken := errors.New("connection lost")
	r := keyset.Range{Lower: k.From(), Cursor: keyset.Values{int64(1)}, Last: keyset.Values{int64(9)}}
	if ends, err := k.Cut(t.Context(), failing{broken}, r, 9, 2); !errors.Is(err, broken) || ends != nil {
		t.Errorf("ends %v, error %v; want no ends and the cause", ends, err)
	}
}
