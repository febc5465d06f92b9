package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_players, with 1,000 players",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_players (
					id BIGINT PRIMARY KEY, wins BIGINT NOT NULL, games BIGINT NOT NULL, score BIGINT NOT NULL, runs BIGINT NOT NULL)`,
				`DELETE FROM example_players`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			rows := make([]Player, 1000)
			for i := range rows {
				id := int64(i + 1)
				rows[i] = Player{ID: id, Wins: id % 7, Games: 10}
			}
			rows[549].Games = 0
			n, err := players(c.DB()).BulkCreate(ctx, rows)
			if err != nil {
				return err
			}
			c.Success("Created %d players", n)
			return nil
		},
	}
}

// mend corrects the row that the command stops at.
func mend() *drover.Command {
	return &drover.Command{
		Name:  "mend",
		Short: "Give the player without games some",
		Run: func(ctx context.Context, c *drover.Call) error {
			n, err := c.DB().ExecRows(ctx, "UPDATE example_players SET games = 10 WHERE games = 0")
			if err != nil {
				return err
			}
			c.Did(drover.Updated, "%d players", n)
			return nil
		},
	}
}
