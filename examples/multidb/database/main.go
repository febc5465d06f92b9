// Program database adds items to the database that is named, or to several, one after the other.
//
// In Django this is "Specifying Database": an option --database that each command declares, checks against connections, and hands to
// using(). What differs: every command has the option, an alias that is not configured is refused before the command runs, and c.DB() is the
// database, so there is nothing to hand on. With EachDatabase the command can be run for several: a failure on one is told at the end, and the
// others are done all the same.
//
//	export DATABASE_URL_REPORTS=sqlite:reports.db
//	go run ./examples/multidb/database add first
//	go run ./examples/multidb/database add second --database reports
//	go run ./examples/multidb/database add third --all-databases
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("database") // default is DATABASE_URL, or the SQLite file database.db; DATABASE_URL_REPORTS is reports
	app.Add(add())
	app.Main()
}

// Item is a row of example_items.
type Item struct {
	Name string `db:"name,pk"`
}

func add() *drover.Command {
	return &drover.Command{
		Name:    "add",
		Short:   "Add items to a database",
		Args:    drover.Args{Usage: "NAME..."},
		Options: drover.Options{EachDatabase: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			conn := c.DB() // of --database; with several, each has its own run
			if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS example_items (name VARCHAR(100) NOT NULL PRIMARY KEY)"); err != nil {
				return err
			}
			items := table.Of[Item](conn, table.Name("example_items"))
			var rows []Item
			for _, name := range c.Args() {
				rows = append(rows, Item{Name: name})
			}
			if _, err := items.BulkCreate(ctx, rows); err != nil {
				return err
			}
			n, err := items.Count(ctx)
			if err != nil {
				return err
			}
			c.Success("Added %d items; %s has %d", len(rows), conn.Alias(), n)
			return nil
		},
	}
}
