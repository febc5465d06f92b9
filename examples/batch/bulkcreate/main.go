// Program bulkcreate adds the rows of a data source in batches, all of them or none.
//
// In Django this is "Bulk Create": a list that is filled up to the batch size and handed to bulk_create(). What differs:
// BulkCreateSeq takes the source itself and cuts it, so there is one batch in memory and no second piece of code for the
// last one. All batches are one transaction, and the progress says so; for a transaction per batch see ../perbatch.
//
//	go run ./examples/batch/bulkcreate setup
//	go run ./examples/batch/bulkcreate add --from 1 --to 2500 --batch-size 1000 --dry-run
//	go run ./examples/batch/bulkcreate add --from 1 --to 2500 --batch-size 1000
//	go run ./examples/batch/bulkcreate add --from 2491 --to 2510    # fails: 2491 is there already; nothing is added
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
	app := drover.New("bulkcreate") // works on DATABASE_URL, or on the SQLite file bulkcreate.db
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
		Short:   "Add readings, all or none",
		Options: drover.Options{DryRun: true, BatchSize: 1000},
		Flags: func(f *pflag.FlagSet) {
			f.Int64Var(&from, "from", 1, "first `number`")
			f.Int64Var(&to, "to", 2500, "last `number`")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			readings := table.Of[Reading](c.DB(), table.Name("example_readings")).
				BatchSize(c.BatchSize()).
				Observe(func(p table.Progress) { c.Notice("%d readings sent, not committed yet", p.Rows) })
			n, err := readings.BulkCreateSeq(ctx, source(from, to))
			if err != nil {
				return err
			}
			c.Did(drover.Created, "%d readings", n)
			return nil
		},
	}
}

// source makes the rows one by one. A real one reads a file or a service, and yields the error that ends it.
func source(from, to int64) iter.Seq2[Reading, error] {
	return func(yield func(Reading, error) bool) {
		for id := from; id <= to; id++ {
			r := Reading{ID: id, Sensor: fmt.Sprintf("sensor %d", id%7), Tenths: int32(180 + id%40)}
			if !yield(r, nil) {
				return
			}
		}
	}
}
