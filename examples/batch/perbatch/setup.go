package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes an empty table to try the command on. It is a command of its own because a dry run must not make tables.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the empty table example_readings",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_readings (
					id BIGINT PRIMARY KEY, sensor VARCHAR(20) NOT NULL, tenths INTEGER NOT NULL)`,
				`DELETE FROM example_readings`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created an empty table")
			return nil
		},
	}
}
