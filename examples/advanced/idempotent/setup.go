package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on: it has a customer whose name is out of date.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_customers, with one customer",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`DROP TABLE IF EXISTS example_customers`,
				// each database has its own way to make numbers; here they are left to the command
				`CREATE TABLE example_customers (external_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL)`,
				`INSERT INTO example_customers VALUES (7, 'an old name')`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 1 customer")
			return nil
		},
	}
}
