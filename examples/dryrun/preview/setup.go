package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on. It is a command of its own because a dry run must not make tables.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_prices, with three prices",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_prices (name VARCHAR(100) PRIMARY KEY, cents INTEGER NOT NULL)`,
				`DELETE FROM example_prices`,
				`INSERT INTO example_prices (name, cents) VALUES ('apple', 100), ('bread', 250), ('candle', 400)`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 3 prices")
			return nil
		},
	}
}
