// Program preview gathers all changes, shows them, and applies them only when it is run without --dry-run.
//
// In Django this is "Dry-Run with Detailed Preview": calculate_updates() and its like, then apply_changes(). What differs:
// the changes are gathered and applied in one block, so they are all applied or none.
//
//	go run ./examples/dryrun/preview setup
//	go run ./examples/dryrun/preview sync-prices --dry-run
//	go run ./examples/dryrun/preview sync-prices
package main

import (
	"context"

	"github.com/drover-dev/drover"
)

func main() {
	app := drover.New("preview") // works on DATABASE_URL, or on the SQLite file preview.db
	app.Add(setup(), syncPrices())
	app.Main()
}

// priceList is what the table shall hold; it holds apple 100, bread 250 and candle 400.
var priceList = map[string]int64{"apple": 120, "bread": 250, "dates": 700}

func syncPrices() *drover.Command {
	return &drover.Command{
		Name:    "sync-prices",
		Short:   "Make the table of prices equal to the price list",
		Options: drover.Options{DryRun: true, PlanOnly: true}, // --dry-run is handled here, by changing nothing
		Run: func(ctx context.Context, c *drover.Call) error {
			var ch *changes
			err := c.DB().Atomic(ctx, func(ctx context.Context) (err error) {
				if ch, err = gather(ctx, c.DB()); err != nil {
					return err
				}
				c.Line("Changes:\n  Creates: %d\n  Updates: %d\n  Deletes: %d", len(ch.creates), len(ch.updates), len(ch.deletes))
				if c.DryRun() {
					return nil
				}
				return ch.apply(ctx, c.DB())
			})
			if err != nil {
				return err
			}
			c.Did(drover.Changed, "%d prices", len(ch.creates)+len(ch.updates)+len(ch.deletes))
			return nil
		},
	}
}
