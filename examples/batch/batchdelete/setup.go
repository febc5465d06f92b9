package main

import (
	"context"

	"github.com/drover-dev/drover"
)

// setup makes a table to try the command on. It is a command of its own because a dry run must not make tables.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_records, with seven obsolete records and three others",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_records (
					id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, status VARCHAR(20) NOT NULL)`,
				`DELETE FROM example_records`,
				`INSERT INTO example_records (id, name, status) VALUES
					(1, 'ledger 2016', 'obsolete'), (2, 'ledger 2017', 'obsolete'), (3, 'ledger 2018', 'obsolete'),
					(4, 'ledger 2019', 'obsolete'), (5, 'ledger 2020', 'obsolete'), (6, 'ledger 2021', 'obsolete'),
					(7, 'ledger 2022', 'obsolete'), (8, 'ledger 2023', 'active'), (9, 'ledger 2024', 'active'),
					(10, 'ledger 2025', 'draft')`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 10 records")
			return nil
		},
	}
}
