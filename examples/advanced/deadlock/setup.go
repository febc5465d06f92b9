package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_accounts, with 3 accounts",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_accounts (id BIGINT PRIMARY KEY, amount BIGINT NOT NULL)`,
				`DELETE FROM example_accounts`,
				`INSERT INTO example_accounts VALUES (1, 100), (2, 100), (3, 100)`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created %d accounts", 3)
			return nil
		},
	}
}
