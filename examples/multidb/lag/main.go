// Program lag writes to a primary and reads from its replica, once that has what was written.
//
// In Django this is "Replication Lag Handling", with a sleep in a loop for the wait. Here the place in the primary's log is what is waited for, so
// the wait is as short as it can be, and a replica that is behind, stopped or was promoted is told apart from one that has the row. "show" reads
// from the replica where it has caught up, and else from the primary.
//
//	export DATABASE_URL=postgres://… DATABASE_URL_REPLICA=postgres://…   # or mariadb://
//	go run ./examples/multidb/lag setup
//	go run ./examples/multidb/lag add first
//	go run ./examples/multidb/lag show first
package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("lag") // default is DATABASE_URL, the primary; DATABASE_URL_REPLICA is replica
	app.AddFunc(setup, add, show)
	app.Main()
}

// replica is the alias of the database that is read from.
const replica = "replica"

// Item is a row of example_items.
type Item struct {
	Name string `db:"name,pk"`
}

// items are the rows of a database, which is Django's using(database).
func items(conn *db.DB) table.Table[Item] { return table.Of[Item](conn, table.Name("example_items")) }

func add() *drover.Command {
	var timeout time.Duration
	return &drover.Command{
		Name:  "add",
		Short: "Add an item on the primary, and wait until the replica has it",
		Args:  drover.Args{Usage: "NAME"},
		Flags: func(f *pflag.FlagSet) { f.DurationVar(&timeout, "timeout", 10*time.Second, "wait at most this `time`") },
		Run: func(ctx context.Context, c *drover.Call) error {
			follower, err := c.Database(ctx, replica)
			if err != nil {
				return err
			}
			if err := items(c.DB()).Create(ctx, &Item{Name: c.Arg(0)}); err != nil {
				return err
			}
			position, err := c.DB().Position(ctx) // behind the commit
			if err != nil {
				return err
			}
			switch err := follower.WaitFor(ctx, position, timeout); {
			case errors.Is(err, db.ErrBehind):
				return drover.Errorf("added, but the replica lags: %w", err)
			case err != nil:
				return err
			}
			n, err := items(follower).Where("name = ?", c.Arg(0)).Count(ctx)
			if err != nil {
				return err
			}
			c.Success("Replication confirmed: %d item on the replica", n)
			return nil
		},
	}
}

func show() *drover.Command {
	return &drover.Command{
		Name:  "show",
		Short: "Look for an item, on the replica if it has caught up",
		Args:  drover.Args{Usage: "NAME"},
		Run: func(ctx context.Context, c *drover.Call) error {
			follower, err := c.Database(ctx, replica)
			if err != nil {
				return err
			}
			position, err := c.DB().Position(ctx)
			if err != nil {
				return err
			}
			reader, err := c.DB().ReaderAfter(ctx, follower, position)
			if err != nil {
				return err
			}
			n, err := items(reader).Where("name = ?", c.Arg(0)).Count(ctx)
			if err != nil {
				return err
			}
			c.Line("%d on %s", n, reader.Alias())
			return nil
		},
	}
}

func setup() *drover.Command {
	return &drover.Command{
		Name: "setup", Short: "Make the table example_items",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`DROP TABLE IF EXISTS example_items`,
				`CREATE TABLE example_items (name VARCHAR(100) NOT NULL PRIMARY KEY)`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			c.Success("Created 1 table on %s", c.DB().Alias())
			return nil
		},
	}
}
