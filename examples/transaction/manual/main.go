// Program manual begins, commits and rolls back by hand.
//
// In Django this is "Manual Transaction Control": set_autocommit(False), commit(), rollback(). What differs: there is no
// mode of the connection to restore. Begin gives a transaction and a context that is in it, and a deferred Rollback ends
// it on every way out; after Commit it does nothing. Prefer db.DB.Atomic, which cannot be forgotten.
//
//	go run ./examples/transaction/manual add first second third
//	go run ./examples/transaction/manual add fourth first fifth    # fails at "first"; "fourth" is gone too
package main

import (
	"context"

	"github.com/drover-dev/drover"
)

func main() {
	app := drover.New("manual") // works on DATABASE_URL, or on the SQLite file manual.db
	app.Add(add())
	app.Main()
}

func add() *drover.Command {
	return &drover.Command{
		Name:  "add",
		Short: "Add items, all or none",
		Args:  drover.Args{Usage: "NAME..."},
		Run:   addItems,
	}
}

func addItems(ctx context.Context, c *drover.Call) error {
	conn := c.DB()
	if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS example_items (name VARCHAR(100) PRIMARY KEY)"); err != nil {
		return err
	}

	ctx, tx, err := conn.Begin(ctx) // from here on ctx is in the transaction
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // does nothing after Commit

	for _, name := range c.Args() {
		if err := conn.Exec(ctx, "INSERT INTO example_items (name) VALUES (?)", name); err != nil {
			return drover.Errorf("transaction failed: %w", err).Try("none of the %d items was added", len(c.Args()))
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	c.Success("Added %d items", len(c.Args()))
	return nil
}
