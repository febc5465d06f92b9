// Program autocommit adds items without a transaction: each statement is committed at once.
//
// In Django this is "Default Behavior": objects.create() three times in handle(). It is the same here: a statement outside
// db.DB.Atomic is a transaction of its own, so what was added before a failure stays. What differs: statements are SQL,
// with ? for a parameter on every database, and each takes the context, which Ctrl-C cancels.
//
//	go run ./examples/transaction/autocommit add first second third
//	go run ./examples/transaction/autocommit add fourth first fifth    # fails at "first"; "fourth" stays
package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
)

func main() {
	app := drover.New("autocommit") // works on DATABASE_URL, or on the SQLite file autocommit.db
	app.Add(add())
	app.Main()
}

func add() *drover.Command {
	return &drover.Command{
		Name:  "add",
		Short: "Add items, each for itself",
		Args:  drover.Args{Usage: "NAME..."},
		Run: func(ctx context.Context, c *drover.Call) error {
			conn := c.DB()
			if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS example_items (name VARCHAR(100) PRIMARY KEY)"); err != nil {
				return err
			}
			for _, name := range c.Args() {
				if err := conn.Exec(ctx, "INSERT INTO example_items (name) VALUES (?)", name); err != nil {
					return fmt.Errorf("add %q: %w", name, err) // the items before this one are in the database
				}
				c.Success("Added %q", name)
			}
			return nil
		},
	}
}
