// Program perbatch adds the rows of a data source in batches and commits each batch by itself.
//
// In Django this is "Transaction Per Batch": transaction.atomic() around each bulk_create(). What differs: it is one word,
// TransactionPerBatch, and the number of rows that are committed comes back beside the error, so the command can say where
// to go on. Ctrl-C ends the source between two rows: the batches before it stay.
//
//	go run ./examples/batch/perbatch setup
//	go run ./examples/batch/perbatch add --from 1001 --to 1010
//	go run ./examples/batch/perbatch add --from 1 --to 2500 --batch-size 400    # fails at 1001; 1 to 800 stay
//	go run ./examples/batch/perbatch add --from 801 --to 1000
package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("perbatch") // works on DATABASE_URL, or on the SQLite file perbatch.db
	app.Add(setup(), add())
	app.Main()
}

// Reading is a row of example_readings.
type Reading struct {
	ID     int64  `db:"id,pk"`
	Sensor string `db:"sensor"`
	Tenths int32  `db:"tenths"`
}

func add() *drover.Command {
	var from, to int64
	return &drover.Command{
		Name:    "add",
		Short:   "Add readings, each batch for itself",
		Options: drover.Options{DryRun: true, BatchSize: 1000},
		Flags: func(f *pflag.FlagSet) {
			f.Int64Var(&from, "from", 1, "first `number`")
			f.Int64Var(&to, "to", 2500, "last `number`")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			readings := table.Of[Reading](c.DB(), table.Name("example_readings")).
				BatchSize(c.BatchSize()).
				TransactionPerBatch().
				Observe(func(p table.Progress) { c.Did(drover.Created, "%d readings...", p.Rows) })
			n, err := readings.BulkCreateSeq(ctx, source(c, from, to))
			if err != nil {
				return drover.Errorf("%w", err).Try("%d readings of this run are kept; go on with --from %v", n, from+n)
			}
			c.Did(drover.Created, "%d readings", n)
			return nil
		},
	}
}

// source makes the rows one by one, until the command should stop. A real one reads a file or a service.
func source(c *drover.Call, from, to int64) iter.Seq2[Reading, error] {
	return func(yield func(Reading, error) bool) {
		for id := from; id <= to; id++ {
			r := Reading{ID: id, Sensor: fmt.Sprintf("sensor %d", id%7), Tenths: int32(180 + id%40)}
			if !yield(r, c.StopErr("reading %d was not reached", id)) {
				return
			}
		}
	}
}
