package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on. It is a command of its own because a dry run must not make tables.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_articles, with three pending articles, two active ones and a draft",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_articles (
					id INTEGER PRIMARY KEY, title VARCHAR(100) NOT NULL, status VARCHAR(20) NOT NULL, views BIGINT NOT NULL,
					processed_at TIMESTAMP NULL)`,
				`DELETE FROM example_articles`,
				`INSERT INTO example_articles (id, title, status, views) VALUES
					(1, 'ants', 'pending', 0), (2, 'bees', 'pending', 0), (3, 'crows', 'active', 7),
					(4, 'deer', 'pending', 0), (5, 'eels', 'active', 41), (6, 'foxes', 'draft', 0)`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 6 articles")
			return nil
		},
	}
}
