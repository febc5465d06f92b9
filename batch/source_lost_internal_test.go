package batch

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/datafile"
)

// TestSources_AfterALostAnswer reads a batch whose COMMIT has no answer, then a smaller one in its place, and finds out that the first was committed: the
// next batch begins behind that one.
func TestSources_AfterALostAnswer(t *testing.T) {
	type reader interface {
		preparer
		read(ctx context.Context, conn *db.DB, sh *shard, size int) (page, error)
	}
	path := filepath.Join(t.TempDir(), "f.csv")
	text := "id\n"
	for i := range 9 {
		text += fmt.Sprintf("%d\n", i)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := datafile.Measure(t.Context(), path, datafile.Form{Format: datafile.CSV})
	if err != nil {
		t.Fatal(err)
	}
	numbers := Seq(func(_ context.Context, after int64, first bool) iter.Seq2[int64, error] {
		return func(yield func(int64, error) bool) {
			if !first {
				after++
			}
			for ; after < 9 && yield(after, nil); after++ {
			}
		}
	}, func(n int64) int64 { return n })
	pages := Pages(in, PagesOptions{})
	for name, src := range map[string]source{"pages": pages.source, "seq": numbers.source} {
		t.Run(name, func(t *testing.T) {
			r := src.(reader)
			sh := &shard{}
			sh.Planned, sh.Upper = 9, pages.source.(*pagesSource).upper()
			defer src.(interface{ close() }).close()
			get := func(size int) page {
				t.Helper()
				if err := r.prepare(t.Context(), nil, sh, size); err != nil {
					t.Fatal(err)
				}
				p, err := r.read(t.Context(), nil, sh, size)
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			lost := get(4)
			if again := get(2); again.n != 2 {
				t.Fatalf("%d rows instead of 2", again.n)
			}
			sh.Reached, sh.Read = lost.end, 4
			next := get(2)
			want := map[string]string{"pages": "[4 5]", "seq": "[4 5]"}[name]
			got := fmt.Sprint(next.items)
			if items, ok := next.items.([]*datafile.Page); ok {
				got = fmt.Sprintf("[%s %s]", items[0].Text(0), items[0].Text(1))
			}
			if got != want {
				t.Errorf("the next rows are %s, want %s", got, want)
			}
		})
	}
}
