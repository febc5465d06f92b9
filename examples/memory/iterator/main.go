// Program iterator adds up a column over all rows of a table, in constant memory.
//
// In Django this is "Using iterator()": for item in objects.all().iterator(chunk_size=2000). What differs: All reads pages
// of 2,000 rows too, but each with a query of its own that goes on behind the last key. So nothing is held open on the server,
// however long the loop takes; it works behind a pooler; and statements inside the loop work. An error ends the loop and is
// its second value.
//
//	go run ./examples/memory/iterator setup
//	go run ./examples/memory/iterator count-pages
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("iterator") // works on DATABASE_URL, or on the SQLite file iterator.db
	app.Add(setup(), countPages())
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

func countPages() *drover.Command {
	return &drover.Command{
		Name:  "count-pages",
		Short: "Add up the pages of all books",
		Run: func(ctx context.Context, c *drover.Call) error {
			books := table.Of[Book](c.DB(), table.Name("example_books"))

			// Bad: books.List(ctx) holds all rows in memory.
			// Good: one page of rows at a time.
			var count, pages int64
			for book, err := range books.All(ctx) {
				if err != nil {
					return err
				}
				count++
				pages += book.Pages
			}
			c.Line("%d books have %d pages", count, pages)
			return nil
		},
	}
}
