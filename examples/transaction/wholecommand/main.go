// Program wholecommand runs the whole body of a command in one transaction.
//
// In Django this is "Decorator Form": @transaction.atomic above handle(). What differs: Go has no decorators, so Run hands
// the body to db.DB.Atomic. The body knows nothing of it and could be called outside a block, or inside another, as well.
//
//	go run ./examples/transaction/wholecommand add first second third
//	go run ./examples/transaction/wholecommand add fourth first fifth    # fails at "first"; "fourth" is gone too
package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
)

func main() {
	app := drover.New("wholecommand") // works on DATABASE_URL, or on the SQLite file wholecommand.db
	app.Add(add())
	app.Main()
}

func add() *drover.Command {
	return &drover.Command{
		Name:  "add",
		Short: "Add items, all or none",
		Args:  drover.Args{Usage: "NAME..."},
		Run: func(ctx context.Context, c *drover.Call) error {
			// Tables are made outside the block: MySQL and MariaDB commit at a CREATE TABLE, so drover refuses it inside.
			err := c.DB().Exec(ctx, "CREATE TABLE IF NOT EXISTS example_items (name VARCHAR(100) PRIMARY KEY)")
			if err != nil {
				return err
			}
			return c.DB().Atomic(ctx, func(ctx context.Context) error { return addItems(ctx, c) })
		},
	}
}

func addItems(ctx context.Context, c *drover.Call) error {
	for _, name := range c.Args() {
		if err := c.DB().Exec(ctx, "INSERT INTO example_items (name) VALUES (?)", name); err != nil {
			return fmt.Errorf("add %q: %w", name, err)
		}
		c.Detail(2, "Added %q, not committed yet", name) // shown with -v 2
	}
	// What must not be said or done before the COMMIT goes into an on-commit hook, as in Django.
	return c.DB().OnCommit(ctx, func(context.Context) error {
		c.Success("Added %d items", len(c.Args()))
		return nil
	})
}
