// Program cursor reads a table in the order of a column that is no key, as it was at one moment.
//
// In Django this is "Server-Side Cursors (PostgreSQL)". What differs: Cursor is an option of any stream. On PostgreSQL it is
// DECLARE CURSOR in a read-only transaction of its own, or in the block that the loop is in; on the other databases, which
// have no such cursors, the same code reads one open result set. All rows are of one snapshot, which iterator's pages are
// not; the price is a transaction that is open as long as the loop takes.
//
//	go run ./examples/memory/cursor setup
//	go run ./examples/memory/cursor check-order
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("cursor") // works on DATABASE_URL, or on the SQLite file cursor.db
	app.Add(setup(), checkOrder())
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

func checkOrder() *drover.Command {
	return &drover.Command{
		Name:  "check-order",
		Short: "Count the books in the order of their titles",
		Run: func(ctx context.Context, c *drover.Call) error {
			books := table.Of[Book](c.DB(), table.Name("example_books")).OrderBy("title")
			var first, last string
			count := 0
			for book, err := range books.All(ctx, table.Cursor(), table.PageSize(1000)) {
				if err != nil {
					return err
				}
				if count == 0 {
					first = book.Title
				}
				last = book.Title
				count++
			}
			c.Line("%d books, from %s to %s", count, first, last)
			return nil
		},
	}
}
