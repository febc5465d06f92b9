// Program bulkupdate changes all rows that match with one statement.
//
// In Django this is "Bulk Update": filter(...).update(...), and F('view_count') + 1. What differs: an expression is SQL, in
// table.Expr; the names of the columns and the types of the values in a Set are checked before anything is sent. Update
// refuses a query with a limit, as Django does.
//
//	go run ./examples/batch/bulkupdate setup
//	go run ./examples/batch/bulkupdate process --dry-run
//	go run ./examples/batch/bulkupdate process
package main

import (
	"context"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("bulkupdate") // works on DATABASE_URL, or on the SQLite file bulkupdate.db
	app.Add(setup(), process())
	app.Main()
}

// Article is a row of example_articles.
type Article struct {
	ID          int64      `db:"id,pk"`
	Title       string     `db:"title"`
	Status      string     `db:"status"`
	Views       int64      `db:"views"`
	ProcessedAt *time.Time `db:"processed_at"`
}

// status is the typed column: a misspelt name ends the program when it starts, a value of another type does not compile.
var status = table.Col[Article, string]("status")

func process() *drover.Command {
	return &drover.Command{
		Name:    "process",
		Short:   "Process pending articles, and count a view of active ones",
		Options: drover.Options{DryRun: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			articles := table.Of[Article](c.DB(), table.Name("example_articles"))

			// All at once, in a single query. table.Now() in place of c.Now() is the database's time.
			n, err := articles.Filter(status.Eq("pending")).Update(ctx, table.Set{
				"status":       "processed",
				"processed_at": c.Now(),
			})
			if err != nil {
				return err
			}
			c.Did(drover.Updated, "%d pending articles", n)

			// With an expression, which the database computes for each row.
			n, err = articles.Filter(status.Eq("active")).Update(ctx, table.Set{"views": table.Expr("views + ?", 1)})
			if err != nil {
				return err
			}
			c.Did(drover.Updated, "%d active articles", n)
			return nil
		},
	}
}
