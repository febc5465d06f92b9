package command

import (
	"context"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
)

// completeWork offers values for the options of a command that works on one table in runs.
func completeWork(ctx context.Context, c *drover.Call, option, prefix string) []string {
	switch option {
	case "table":
		return tableNames(ctx, c, "database", prefix)
	case "column", "columns":
		return columnNames(ctx, c, "database", prefix)
	}
	return completeRun(ctx, c, "database", option, prefix)
}

// completeRun offers the command's own runs for --resume and --retry, of the database whose alias an option gives.
func completeRun(ctx context.Context, c *drover.Call, alias, option, prefix string) []string {
	switch option {
	case "resume":
		return runIDs(ctx, c, alias, prefix, func(r *runstore.Run) bool { return unfinishedRun(r) && r.Command == c.CommandName() })
	case "retry":
		return runIDs(ctx, c, alias, prefix, func(r *runstore.Run) bool { return r.UndoOf == "" && r.Command == c.CommandName() })
	}
	return nil
}

// columnNames are the columns of the table of --table, behind those that a list has already.
func columnNames(ctx context.Context, c *drover.Call, option, prefix string) []string {
	alias, err := c.Flags().GetString(option)
	if err != nil {
		return nil
	}
	table, err := c.Flags().GetString("table")
	if err != nil || table == "" {
		return nil
	}
	conn, err := c.Database(ctx, alias, db.AsIs())
	if err != nil {
		return nil
	}
	found, err := conn.Dialect().Table(ctx, conn, table)
	if err != nil {
		return nil
	}
	list := prefix[:strings.LastIndex(prefix, ",")+1]
	given := strings.Split(list, ",")
	var names []string
	for _, col := range found.Columns {
		switch {
		case slices.Contains(given, col.Name):
		case list == "":
			names = append(names, col.Name+"\t"+col.Type)
		default: // bash does not find a described value with a comma in it
			names = append(names, list+col.Name)
		}
	}
	return names
}

// tableNames are the tables of the database whose alias an option gives.
func tableNames(ctx context.Context, c *drover.Call, option, prefix string) []string {
	alias, err := c.Flags().GetString(option)
	if err != nil {
		return nil
	}
	conn, err := c.Database(ctx, alias, db.AsIs())
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
