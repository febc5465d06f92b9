package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_books, with three books",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_books (
					id INTEGER PRIMARY KEY, title VARCHAR(100) NOT NULL, status VARCHAR(20) NOT NULL, pages INTEGER NOT NULL,
					summary TEXT NOT NULL)`,
				`DELETE FROM example_books`,
				`INSERT INTO example_books (id, title, status, pages, summary) VALUES
					(1, 'Ants', 'printed', 120, 'They are small.'), (2, 'Bees', 'printed', 80, 'They make honey.'),
					(3, 'Crows', 'draft', 200, 'They are clever.')`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 3 books")
			return nil
		},
	}
}
