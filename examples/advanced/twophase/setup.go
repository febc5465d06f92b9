package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_orders, with 50 orders",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_orders (id BIGINT PRIMARY KEY, pieces BIGINT NOT NULL, status VARCHAR(20) NOT NULL)`,
				`DELETE FROM example_orders`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			rows := make([]Order, 50)
			for i := range rows {
				id := int64(i + 1)
				rows[i] = Order{ID: id, Pieces: id % 20, Status: "pending"}
			}
			n, err := orders(c.DB()).BulkCreate(ctx, rows)
			if err != nil {
				return err
			}
			c.Success("Created %d orders", n)
			return nil
		},
	}
}
