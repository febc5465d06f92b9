// Program batchdelete deletes many rows in short transactions.
//
// In Django this is "Batch Delete": a loop that reads ids and deletes them until there are none. What differs: DeleteBatches
// is the loop. It reads no ids, only where a batch ends, and deletes the range; it ends at the key that was the last one when
// it began, so it ends even while others go on adding obsolete rows. For a plan, a confirmation and pauses: drover purge.
//
//	go run ./examples/batch/batchdelete setup
//	go run ./examples/batch/batchdelete delete-obsolete --batch-size 3 --dry-run
//	go run ./examples/batch/batchdelete delete-obsolete --batch-size 3
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("batchdelete") // works on DATABASE_URL, or on the SQLite file batchdelete.db
	app.Add(setup(), deleteObsolete())
	app.Main()
}

// Record is a row of example_records.
type Record struct {
	ID     int64  `db:"id,pk"`
	Name   string `db:"name"`
	Status string `db:"status"`
}

var status = table.Col[Record, string]("status")

func deleteObsolete() *drover.Command {
	return &drover.Command{
		Name:    "delete-obsolete",
		Short:   "Delete obsolete records in batches",
		Options: drover.Options{DryRun: true, BatchSize: 1000},
		Run: func(ctx context.Context, c *drover.Call) error {
			ctx, stop := context.WithCancelCause(ctx)
			defer stop(nil)
			obsolete := table.Of[Record](c.DB(), table.Name("example_records")).
				Observe(func(p table.Progress) {
					c.Did(drover.Deleted, "%d records...", p.Rows)
					if err := c.StopErr("%d records deleted", p.Rows); err != nil {
						stop(err) // Ctrl-C: no further batch
					}
				}).
				Filter(status.Eq("obsolete"))
			n, err := obsolete.DeleteBatches(ctx, c.BatchSize())
			if err != nil {
				return err // the n records are deleted all the same
			}
			c.Did(drover.Deleted, "%d records", n)
			return nil
		},
	}
}
