package table_test

import (
	"context"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// memoryRow is a row of half a kilobyte.
type memoryRow struct {
	ID   int64  `db:"id,pk"`
	Text string `db:"text"`
}

const (
	memoryCount = 60_000
	memoryText  = 500
	// memoryMost is what a loop may hold: a page of 2000 rows twice, in whatever form, and the drivers' buffers. All rows are 30 MB.
	memoryMost = 10 << 20
)

// However many rows there are, a loop over them holds a page at most. Benchmark "memory" does the same with ten million.
func TestStreams_InConstantMemory(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		conn, err := db.Open(t.Context(), d.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.Exec(t.Context(), "CREATE TABLE memory_row (id bigint PRIMARY KEY, text varchar(1000) NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		rows := table.Of[memoryRow](conn)
		text := strings.Repeat("x", memoryText)
		_, err = rows.BulkCreateSeq(t.Context(), func(yield func(memoryRow, error) bool) {
			for i := range int64(memoryCount) {
				if !yield(memoryRow{i + 1, text}, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		const all = "SELECT id, text FROM memory_row ORDER BY id"
		ways := map[string]func(ctx context.Context, step func()) error{
			"by key": func(ctx context.Context, step func()) error { return memoryRead(rows.All(ctx, table.ByKey()), step) },
			"cursor": func(ctx context.Context, step func()) error { return memoryRead(rows.All(ctx, table.Cursor()), step) },
			"direct": func(ctx context.Context, step func()) error { return memoryRead(rows.All(ctx, table.Direct()), step) },
			"direct in a block": func(ctx context.Context, step func()) error {
				return conn.Atomic(ctx, func(ctx context.Context) error { return memoryRead(rows.All(ctx, table.Direct()), step) })
			},
			"fetch many": func(ctx context.Context, step func()) error {
				return memoryRead(rows.FetchMany(ctx, 1000), func() {
					for range 1000 {
						step()
					}
				})
			},
			"values": func(ctx context.Context, step func()) error { return memoryRead(rows.Values().All(ctx), step) },
			"tuples": func(ctx context.Context, step func()) error { return memoryRead(rows.Tuples().All(ctx), step) },
			"column": func(ctx context.Context, step func()) error {
				return memoryRead(table.Column[string](rows, "text").All(ctx), step)
			},
			"raw structs": func(ctx context.Context, step func()) error {
				return memoryRead(table.Raw[memoryRow](conn, all).All(ctx), step)
			},
			"raw maps": func(ctx context.Context, step func()) error {
				return memoryRead(table.Raw[map[string]any](conn, all).All(ctx), step)
			},
		}
		for name, read := range ways {
			t.Run(name, func(t *testing.T) {
				before, most, n := memoryHeld(), uint64(0), 0
				err := read(t.Context(), func() {
					if n++; n%(memoryCount/4) == 0 {
						most = max(most, memoryHeld())
					}
				})
				if err != nil || n != memoryCount {
					t.Fatalf("%d rows of %d, %v", n, memoryCount, err)
				}
				if most > before+memoryMost {
					t.Errorf("the loop held %d kB", (most-before)>>10)
				}
			})
		}
	})
}

func memoryRead[R any](rows iter.Seq2[R, error], step func()) error {
	for _, err := range rows {
		if err != nil {
			return err
		}
		step()
	}
	return nil
}

// memoryHeld is what is in use on the heap.
func memoryHeld() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
