// Program rollback has a dry run of which its command knows nothing.
//
// In Django this is "Dry-Run with Transaction Rollback": an exception at the end of an atomic block. What differs: with
// Options.DryRun the framework does it, for any command. All of Run happens in a transaction that is rolled back, blocks
// inside it are savepoints, and what would have changed is printed for each table. On-commit hooks are listed, not run;
// only what a command does outside the database without a hook is really done.
//
//	go run ./examples/dryrun/rollback setup
//	go run ./examples/dryrun/rollback archive --dry-run
//	go run ./examples/dryrun/rollback archive
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

func main() {
	app := drover.New("rollback") // works on DATABASE_URL, or on the SQLite file rollback.db
	app.Add(setup(), archive())
	app.Main()
}

func archive() *drover.Command {
	return &drover.Command{
		Name:    "archive",
		Short:   "Move obsolete records into the archive",
		Options: drover.Options{DryRun: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			conn := c.DB()
			return conn.Atomic(ctx, func(ctx context.Context) error {
				n, err := conn.ExecRows(ctx, `INSERT INTO example_archive (id, name)
					SELECT id, name FROM example_records WHERE status = 'obsolete'`)
				if err != nil {
					return err
				}
				if err := conn.Exec(ctx, "DELETE FROM example_records WHERE status = 'obsolete'"); err != nil {
					return err
				}
				tell := func(context.Context) error {
					c.Success("Told the owners of %d records", n) // where a real command sends mail
					return nil
				}
				return conn.OnCommit(ctx, tell, db.Named("tell the owners"))
			})
		},
	}
}
