// Program savepoints undoes a part of a transaction and commits the rest.
//
// In Django this is "Nested Transactions (Savepoints)": transaction.atomic() inside transaction.atomic(). What differs: the
// inner block's error is a value to look at, so only the failure that is expected is passed over. A database error that
// somebody swallows does not slip through either: the block is rolled back and the error returned.
//
//	go run ./examples/transaction/savepoints add    # "first" and "third" are added
package main

import (
	"context"
	"errors"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

func main() {
	app := drover.New("savepoints") // works on DATABASE_URL, or on the SQLite file savepoints.db
	app.Add(add())
	app.Main()
}

func add() *drover.Command {
	return &drover.Command{
		Name:  "add",
		Short: "Add three items, of which the second goes wrong",
		Run: func(ctx context.Context, c *drover.Call) error {
			conn := c.DB()
			if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS example_items (name VARCHAR(100) PRIMARY KEY)"); err != nil {
				return err
			}
			if err := conn.Atomic(ctx, func(ctx context.Context) error { return addThree(ctx, c) }); err != nil {
				return err
			}
			c.Success("Added first and third")
			return nil
		},
	}
}

var errOops = errors.New("oops")

func addThree(ctx context.Context, c *drover.Call) error {
	conn := c.DB()
	if err := conn.Exec(ctx, "DELETE FROM example_items"); err != nil { // so that the program can be run again
		return err
	}
	if err := insert(ctx, conn, "first"); err != nil {
		return err
	}
	err := conn.Atomic(ctx, func(ctx context.Context) error { // SAVEPOINT
		if err := insert(ctx, conn, "second"); err != nil {
			return err
		}
		return errOops // ROLLBACK TO SAVEPOINT: "second" is gone, "first" is not
	})
	switch {
	case errors.Is(err, errOops):
		c.Warning("second is left out: %v", err)
	case err != nil:
		return err
	}
	return insert(ctx, conn, "third")
}

func insert(ctx context.Context, conn *db.DB, name string) error {
	return conn.Exec(ctx, "INSERT INTO example_items (name) VALUES (?)", name)
}
