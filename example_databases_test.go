package drover_test

import (
	"context"
	"fmt"
	"os"

	"github.com/drover-dev/drover"
)

// A command with EachDatabase is run once for each database that is named, and tells at the end how it went on each.
func Example_severalDatabases() {
	app := drover.New("manage")
	app.Add(&drover.Command{
		Name:    "count",
		Short:   "Count the events",
		Options: drover.Options{EachDatabase: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			if c.DB().Alias() == "west" {
				return drover.Errorf("there are no events")
			}
			c.Success("Counted %d events", 1204)
			return nil
		},
	})
	code := app.Run(context.Background(), drover.Env{
		Args:    []string{"count", "--all-databases"},
		Environ: []string{"DATABASE_URL=sqlite::memory:", "DATABASE_URL_EAST=sqlite::memory:", "DATABASE_URL_WEST=sqlite::memory:"},
		Stdout:  os.Stdout,
	})
	fmt.Println("exit code", code)
	// Output:
	// Database default (1 of 3)
	// Counted 1,204 events
	//
	// Database east (2 of 3)
	// Counted 1,204 events
	//
	// Database west (3 of 3)
	//
	// Databases
	//   default   OK          Counted 1,204 events
	//   east      OK          Counted 1,204 events
	//   west      FAILED      there are no events
	// 2 of 3 databases succeeded.
	// exit code 1
}
