package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on. It is a command of its own because a dry run must not make tables.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_products, with five products without a label and one with",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_products (
					id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, cents BIGINT NOT NULL, label VARCHAR(200))`,
				`DELETE FROM example_products`,
				`INSERT INTO example_products (id, name, cents, label) VALUES
					(1, 'apple', 45, NULL), (2, 'bread', 320, NULL), (3, 'candle', 199, 'candle, red'),
					(4, 'dates', 700, NULL), (5, 'eggs', 405, NULL), (6, 'figs', 610, NULL)`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 6 products")
			return nil
		},
	}
}
