// Program atomic adds all of its items or none of them.
//
// In Django this is "Atomic Transactions": with transaction.atomic(). What differs: the block is a function. An error that
// it returns (or a panic) rolls back, as an exception does in Django; nil commits. The transaction travels in the context,
// so a statement takes part when it gets the block's ctx, not because it runs between the lines.
//
//	go run ./examples/transaction/atomic add first second third
//	go run ./examples/transaction/atomic add fourth first fifth    # fails at "first"; "fourth" is gone too
package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
)

func main() {
	app := drover.New("atomic") // works on DATABASE_URL, or on the SQLite file atomic.db
	app.Add(add())
	app.Main()
}

func add() *drover.Command {
	return &drover.Command{
		Name:  "add",
		Short: "Add items, all or none",
		Args:  drover.Args{Usage: "NAME..."},
		Run: func(ctx context.Context, c *drover.Call) error {
			conn := c.DB()
			if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS example_items (name VARCHAR(100) PRIMARY KEY)"); err != nil {
				return err
			}
			err := conn.Atomic(ctx, func(ctx context.Context) error { // this ctx, which hides the outer one, is in the block
				for _, name := range c.Args() {
					if err := conn.Exec(ctx, "INSERT INTO example_items (name) VALUES (?)", name); err != nil {
						return fmt.Errorf("add %q: %w", name, err) // ROLLBACK: no item is added
					}
				}
				return nil // COMMIT
			})
			if err != nil {
				return err
			}
			c.Success("Added %d items", len(c.Args()))
			return nil
		},
	}
}
