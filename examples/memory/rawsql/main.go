// Program rawsql reads the result of an SQL query in slices.
//
// In Django this is "Raw SQL for Large Operations": cursor.execute() and cursor.fetchmany(size=1000) in a loop. What differs:
// the rows come as values of a struct, whose fields are found by the names of the columns: a column that the struct does not
// have, or a value that does not fit its field, is an error. Raw[[]any] gives tuples. The parameters are ? on every database.
// On PostgreSQL the query runs in a server-side cursor, so the driver does not hold the whole result, as Django's does.
//
//	go run ./examples/memory/rawsql setup
//	go run ./examples/memory/rawsql list-drafts --batch-size 200
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("rawsql") // works on DATABASE_URL, or on the SQLite file rawsql.db
	app.Add(setup(), listDrafts())
	app.Main()
}

// Book is a row of example_books.
type Book struct {
	ID      int64  `db:"id,pk"`
	Title   string `db:"title"`
	Status  string `db:"status"`
	Pages   int64  `db:"pages"`
	Summary string `db:"summary"`
}

// Draft is a row of the query. It need not be a row of any table.
type Draft struct {
	Title   string `db:"title"`
	Letters int64  `db:"letters"`
}

func listDrafts() *drover.Command {
	return &drover.Command{
		Name:    "list-drafts",
		Short:   "Add up the letters of all drafts' summaries",
		Options: drover.Options{BatchSize: 1000},
		Run: func(ctx context.Context, c *drover.Call) error {
			drafts := table.Raw[Draft](c.DB(), `
				SELECT title, LENGTH(summary) AS letters
				FROM example_books
				WHERE status = ?
				ORDER BY id`, "draft")
			var count, letters int64
			for batch, err := range drafts.FetchMany(ctx, c.BatchSize()) {
				if err != nil {
					return err
				}
				for _, draft := range batch {
					letters += draft.Letters
				}
				count += int64(len(batch))
				c.Success("Processed %d drafts, the last is %s", count, batch[len(batch)-1].Title)
			}
			c.Line("%d drafts have summaries of %d letters", count, letters)
			return nil
		},
	}
}
