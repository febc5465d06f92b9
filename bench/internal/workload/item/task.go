package item

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/drover-dev/drover/internal/testdb"
)

// Sizes are the numbers of rows.
type Sizes struct {
	Rows    int // of the table for most tasks, and created
	Updates int
	Stream  int // of the table that is streamed
	Memory  int // of the table that is streamed to see the memory
	Gets    int
	Calls   int // of get-or-create, and rows of the upsert
	Batch   int // rows of a statement
	Page    int // rows of a page
}

// streamed is the number of rows of a table to be streamed.
func (z Sizes) streamed(of state) int {
	if of == huge {
		return z.Memory
	}
	return z.Stream
}

// Check finds sizes that the workloads cannot have.
func (z Sizes) Check() error {
	switch {
	case min(z.Rows, z.Updates, z.Stream, z.Memory, z.Gets, z.Calls, z.Batch, z.Page) < 1:
		return errors.New("all sizes must be positive")
	case z.Updates > z.Rows || z.Calls > z.Rows:
		return errors.New("no more rows can be updated or called for than there are items")
	case z.Batch > 3640:
		return errors.New("a batch of more than 3640 rows has more parameters than SQLite takes")
	}
	return nil
}

// state is what the table holds before a run.
type state int

const (
	empty state = iota
	filled
	long
	huge
)

// task is one kind of work on the table.
type task struct {
	name  string // by which -run finds it
	title func(z Sizes) string
	table state
	// writes says that the table must be made anew after each run.
	writes bool
	// undo are statements that take back what a run did, where that is quicker than making the table anew.
	undo []string
	// short marks what takes microseconds a call: measured on one CPU.
	short bool
	rows  func(z Sizes) int
	// own says that only drover does it, and only when it is asked for by name.
	own bool
	// tally is what a side must tell; nil for the number of rows alone.
	tally func(z Sizes) tally
	// after is what the table must hold after a run, in the order of sku; nil for what it held before.
	after func(z Sizes) iter.Seq[Item]
	goal  func(database string) float64
	// most is the memory that drover may grow by, in bytes; 0 for any.
	most float64
}

// The tasks.
var (
	create = &task{
		name: "create", title: titled("create %d, ids read back, one transaction", func(z Sizes) int { return z.Rows }),
		table: empty, writes: true, rows: func(z Sizes) int { return z.Rows }, after: made,
		tally: func(z Sizes) (t tally) {
			for i := range z.Rows {
				t.created(int64(i)+1, qtyOf(i))
			}
			return t
		},
		goal: func(database string) float64 {
			if database == testdb.NamePostgres {
				return 1.10
			}
			return 1.15
		},
	}
	createBlind = &task{
		name: "create-noids", title: titled("create %d without ids, one transaction", func(z Sizes) int { return z.Rows }),
		table: empty, writes: true, rows: func(z Sizes) int { return z.Rows }, after: made, goal: atMost(1.15),
	}
	update = &task{
		name: "update", title: titled("update %d, two columns, one transaction", func(z Sizes) int { return z.Updates }),
		table: filled, writes: true, rows: func(z Sizes) int { return z.Updates }, goal: atMost(1.15),
		after: func(z Sizes) iter.Seq[Item] {
			return rowsOf(z.Rows, func(i int) (Item, bool) {
				if i < z.Updates {
					return updated(i), true
				}
				return row(i), true
			})
		},
	}
	remove = &task{
		name: "delete", title: titled("delete %d by a condition, each batch committed", deletes),
		table: filled, writes: true, rows: deletes, goal: atMost(1.15),
		after: func(z Sizes) iter.Seq[Item] {
			return rowsOf(z.Rows, func(i int) (Item, bool) {
				it := row(i)
				return it, it.Qty >= deleteBelow
			})
		},
	}
	stream = &task{
		name: "stream", title: titled("stream %d as structs, one query", func(z Sizes) int { return z.Stream }),
		table: long, rows: func(z Sizes) int { return z.Stream }, tally: streamed,
		goal: func(database string) float64 {
			if database == testdb.NamePostgres {
				return 1.05
			}
			return 1.10
		},
	}
	pages = &task{
		name: "stream-pages", title: titled("stream %d as structs, pages by key", func(z Sizes) int { return z.Stream }),
		table: long, rows: func(z Sizes) int { return z.Stream }, tally: streamed, goal: atMost(1.10),
	}
	narrow = &task{
		name: "stream-columns", title: titled("stream %d, two columns", func(z Sizes) int { return z.Stream }),
		table: long, rows: func(z Sizes) int { return z.Stream }, tally: streamed, goal: atMost(1.15),
	}
	get = &task{
		name: "get", title: titled("get by id, %d times", func(z Sizes) int { return z.Gets }),
		table: filled, short: true, rows: func(z Sizes) int { return z.Gets }, goal: atMost(1.15),
		tally: func(z Sizes) (t tally) {
			for id := range ids(z) {
				t.add(qtyOf(int(id) - 1))
			}
			return t
		},
	}
	getOrCreate = &task{
		name: "get-or-create", title: titled("get or create %d, autocommit", func(z Sizes) int { return z.Calls }),
		table: filled, writes: true, short: true, rows: func(z Sizes) int { return z.Calls }, goal: atMost(1.15),
		undo: []string{`DELETE FROM bench_item WHERE sku LIKE 'NEW-%'`},
		tally: func(z Sizes) (t tally) {
			for i := range z.Calls {
				t.add(qtyOf(i))
			}
			return t
		},
		after: func(z Sizes) iter.Seq[Item] { return withNew(z, wanted, row) },
	}
	expression = &task{
		name: "expression", title: titled("update %d by an expression, one statement", func(z Sizes) int { return z.Rows }),
		table: filled, writes: true, rows: func(z Sizes) int { return z.Rows }, goal: atMost(1.15),
		after: func(z Sizes) iter.Seq[Item] {
			return rowsOf(z.Rows, func(i int) (Item, bool) {
				it := row(i)
				it.Qty++
				return it, true
			})
		},
	}
	upsert = &task{
		name: "upsert", title: titled("upsert %d, half new, each batch committed", func(z Sizes) int { return z.Calls }),
		table: filled, writes: true, rows: func(z Sizes) int { return z.Calls }, goal: atMost(1.15),
		undo: []string{
			`DELETE FROM bench_item WHERE sku LIKE 'NEW-%'`,
			`UPDATE bench_item SET qty = qty - 1, note = substr(note, 2) WHERE note LIKE 'u%'`,
		},
		after: func(z Sizes) iter.Seq[Item] { return withNew(z, upserted, upserted) },
	}
)

// memory is every way of reading a table that is much larger than memory should be.
var memory = &task{
	name: "memory", title: titled("stream %d in constant memory", func(z Sizes) int { return z.Memory }),
	table: huge, own: true, rows: func(z Sizes) int { return z.Memory }, goal: atMost(0), most: 64 << 20,
	tally: func(z Sizes) tally { return streamedOf(z.Memory) },
}

var tasks = []*task{create, createBlind, update, remove, expression, upsert, stream, pages, narrow, get, getOrCreate, memory}

func titled(format string, n func(Sizes) int) func(Sizes) string {
	return func(z Sizes) string { return fmt.Sprintf(format, n(z)) }
}

func atMost(ratio float64) func(string) float64 { return func(string) float64 { return ratio } }

// expected is the tally of a right run.
func (k *task) expected(z Sizes) tally {
	if k.tally == nil {
		return tally{rows: int64(k.rows(z))}
	}
	return k.tally(z)
}

// holds is what the table must hold after a run.
func (k *task) holds(z Sizes) iter.Seq[Item] {
	switch {
	case k.after != nil:
		return k.after(z)
	case k.table == long:
		return rowsOf(z.Stream, func(i int) (Item, bool) { return row(i), true })
	case k.table == huge:
		return rowsOf(z.Memory, func(i int) (Item, bool) { return row(i), true })
	}
	return made(z)
}

func made(z Sizes) iter.Seq[Item] {
	return rowsOf(z.Rows, func(i int) (Item, bool) { return row(i), true })
}

func rowsOf(n int, build func(i int) (Item, bool)) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for i := range n {
			if it, ok := build(i); ok && !yield(it) {
				return
			}
		}
	}
}

// withNew is the table after calls for even rows, which were there, and odd ones, which were not.
func withNew(z Sizes, odd, even func(i int) Item) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for i := 1; i < z.Calls; i += 2 {
			if !yield(odd(i)) {
				return
			}
		}
		for i := range z.Rows {
			it := row(i)
			if i < z.Calls && i%2 == 0 {
				it = even(i)
			}
			if !yield(it) {
				return
			}
		}
	}
}

// deleteBelow is the condition of the delete: half of the rows have a smaller qty.
const (
	deleteBelow = 500
	deleteWhere = "qty < 500"
)

func deletes(z Sizes) (n int) {
	for i := range z.Rows {
		if qtyOf(i) < deleteBelow {
			n++
		}
	}
	return n
}

func streamed(z Sizes) tally { return streamedOf(z.Stream) }

func streamedOf(n int) (t tally) {
	for i := range n {
		t.add(qtyOf(i))
	}
	return t
}

// ids are the keys to get, the same for every side.
func ids(z Sizes) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		random := rand.New(rand.NewPCG(1, 2))
		for range z.Gets {
			if !yield(random.Int64N(int64(z.Rows)) + 1) {
				return
			}
		}
	}
}
