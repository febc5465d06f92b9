package drover_test

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

// Any command can be run dry: what it does is rolled back, and what would have changed is printed. The command itself
// need not know.
func ExampleOptions_dryRun() {
	ctx := context.Background()
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "CREATE TABLE items (id INTEGER PRIMARY KEY, status TEXT)"); err != nil {
		fmt.Println(err)
		return
	}
	if err := conn.Exec(ctx, "INSERT INTO items (status) VALUES ('new'), ('obsolete'), ('obsolete')"); err != nil {
		fmt.Println(err)
		return
	}

	app := drover.New("manage")
	app.Add(&drover.Command{
		Name:    "purge-obsolete",
		Options: drover.Options{DryRun: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			n, err := c.DB().ExecRows(ctx, "DELETE FROM items WHERE status = ?", "obsolete")
			if err != nil {
				return err
			}
			c.Did(drover.Deleted, "%d items", n)
			return nil
		},
	})
	for _, args := range [][]string{{"--dry-run", "-v0"}, {"--dry-run"}, nil} {
		res, err := app.CallWith(ctx, drover.CallOptions{Databases: []*db.DB{conn}}, "purge-obsolete", args...)
		if err != nil {
			fmt.Println(err)
		}
		fmt.Print("$ ", args, "\n", res.Stdout)
	}
	// Output:
	// $ [--dry-run -v0]
	// Would delete 2 rows in 1 table on default. Nothing was changed.
	// $ [--dry-run]
	// Would delete 2 items
	//
	// Dry run on default (:memory:), rolled back:
	//   table      inserted       updated       deleted
	//   items             0             0             2
	//
	// Would delete 2 rows in 1 table on default. Nothing was changed.
	// $ []
	// Deleted 2 items
}
