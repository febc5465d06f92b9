// Program individual computes a new value for each row, and writes a page of rows with one statement.
//
// In Django this is "Bulk Update with Individual Changes": iterator(), a list, and bulk_update() when it is full. What
// differs: FetchMany gives the pages, so there is no list to fill and no rest to forget. It goes on behind the last key, so
// rows that no longer match once they are written are not skipped and not read twice. Each page is committed by itself: after
// Ctrl-C or a failure the same command goes on where it was.
//
//	go run ./examples/batch/individual setup
//	go run ./examples/batch/individual label --batch-size 2 --dry-run
//	go run ./examples/batch/individual label --batch-size 2
package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("individual") // works on DATABASE_URL, or on the SQLite file individual.db
	app.Add(setup(), label())
	app.Main()
}

// Product is a row of example_products.
type Product struct {
	ID    int64   `db:"id,pk"`
	Name  string  `db:"name"`
	Cents int64   `db:"cents"`
	Label *string `db:"label"` // NULL: to be made
}

var labelled = table.Col[Product, string]("label")

func label() *drover.Command {
	return &drover.Command{
		Name:    "label",
		Short:   "Make the labels of products that have none",
		Options: drover.Options{DryRun: true, BatchSize: 1000},
		Run: func(ctx context.Context, c *drover.Call) error {
			products := table.Of[Product](c.DB(), table.Name("example_products"))
			var done int64
			for page, err := range products.Filter(labelled.IsNull()).FetchMany(ctx, c.BatchSize()) {
				if err != nil {
					return err
				}
				if err := c.StopErr("%d products labelled", done); err != nil {
					return err
				}
				for i := range page {
					text := fmt.Sprintf("%s %d.%02d", page[i].Name, page[i].Cents/100, page[i].Cents%100)
					page[i].Label = &text
				}
				n, err := products.BulkUpdate(ctx, page, "label")
				if err != nil {
					return err
				}
				done += n
				c.Did(drover.Updated, "%d products...", done)
			}
			c.Did(drover.Updated, "%d products", done)
			return nil
		},
	}
}
