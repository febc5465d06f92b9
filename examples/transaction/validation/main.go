// Program validation checks all of its items before it saves the first one.
//
// In Django this is "Rollback on Validation Errors": full_clean() for each object, then bulk_create(), in one atomic block.
// What differs: all mistakes are told at once, not only the first. The check and the insert are in one block, so an item
// that another session adds in between makes the insert fail, and nothing is saved then either.
//
//	go run ./examples/transaction/validation add first second third
//	go run ./examples/transaction/validation add fourth first ""    # two are not valid; nothing is saved
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

func main() {
	app := drover.New("validation") // works on DATABASE_URL, or on the SQLite file validation.db
	app.Add(add())
	app.Main()
}

func add() *drover.Command {
	return &drover.Command{
		Name:  "add",
		Short: "Add items if all of them are valid",
		Args:  drover.Args{Usage: "NAME..."},
		Run: func(ctx context.Context, c *drover.Call) error {
			conn, names := c.DB(), c.Args()
			if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS example_items (name VARCHAR(100) PRIMARY KEY)"); err != nil {
				return err
			}
			err := conn.Atomic(ctx, func(ctx context.Context) error {
				var invalid []error
				for _, name := range names {
					invalid = append(invalid, validate(ctx, conn, name))
				}
				if err := errors.Join(invalid...); err != nil {
					return drover.Errorf("nothing was saved: %w", err)
				}
				for _, name := range names {
					if err := conn.Exec(ctx, "INSERT INTO example_items (name) VALUES (?)", name); err != nil {
						return fmt.Errorf("add %q: %w", name, err)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			c.Success("Added %d items", len(names))
			return nil
		},
	}
}

// validate is the counterpart of full_clean: the rules of the field, and that the name is not taken.
func validate(ctx context.Context, conn *db.DB, name string) error {
	switch {
	case name == "":
		return errors.New("an item has no name")
	case len(name) > 100:
		return fmt.Errorf("%q is longer than 100 bytes", name)
	}
	var taken bool
	query := "SELECT EXISTS (SELECT 1 FROM example_items WHERE name = ?)"
	if err := conn.QueryRow(ctx, query, name).Scan(&taken); err != nil {
		return fmt.Errorf("look for %q: %w", name, err)
	}
	if taken {
		return fmt.Errorf("%q is there already", name)
	}
	return nil
}
