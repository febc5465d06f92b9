package command

import (
	"context"
	"strings"

	"github.com/drover-dev/drover"
)

// completeTable offers the tables of the database to the shell.
func completeTable(ctx context.Context, c *drover.Call, option, prefix string) []string {
	if option != "table" {
		return nil
	}
	return tableNames(ctx, c, "database", prefix)
}

// tableNames are the tables of the database whose alias an option gives.
func tableNames(ctx context.Context, c *drover.Call, option, prefix string) []string {
	alias, err := c.Flags().GetString(option)
	if err != nil {
		return nil
	}
	conn, err := c.Database(ctx, alias)
	if err != nil {
		return nil
	}
	names, err := conn.Dialect().Tables(ctx, conn)
	if err != nil {
		return nil
	}
	var fitting []string
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			fitting = append(fitting, name)
		}
	}
	return fitting
}
