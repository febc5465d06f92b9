package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes the tables to try the command on: both on each database, though each is used on one.
func setup() *drover.Command {
	return &drover.Command{
		Name:    "setup",
		Short:   "Make the tables example_customers and example_subscriptions",
		Options: drover.Options{EachDatabase: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`DROP TABLE IF EXISTS example_customers`,
				`DROP TABLE IF EXISTS example_subscriptions`,
				`CREATE TABLE example_customers (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL)`,
				`CREATE TABLE example_subscriptions (customer_id BIGINT NOT NULL PRIMARY KEY)`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 2 tables on %s", c.DB().Alias())
			return nil
		},
	}
}
