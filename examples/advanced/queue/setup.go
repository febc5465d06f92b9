package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_letters, with 300 letters",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_letters (
					id BIGINT PRIMARY KEY, address VARCHAR(100) NOT NULL, status VARCHAR(20) NOT NULL, sent BIGINT NOT NULL,
					claimed_by VARCHAR(100), claimed_at TIMESTAMP NULL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT)`,
				`DELETE FROM example_letters`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			rows := make([]Letter, 300)
			for i := range rows {
				id := int64(i + 1)
				rows[i] = Letter{ID: id, Address: fmt.Sprintf("%d High Street", id), Status: "pending"}
				if id%100 == 0 {
					rows[i].Address = ""
				}
			}
			n, err := letters(c.DB()).BulkCreate(ctx, rows)
			if err != nil {
				return err
			}
			c.Success("Created %d letters", n)
			return nil
		},
	}
}
