// Program fields reads some columns of a table and leaves the large one where it is.
//
// In Django this is "Limiting Selected Fields": only() and defer(). What differs: a field that was not read is its zero
// value, and nothing reads it later, as Django does with a query for each row. So that nobody takes an empty summary for a
// summary, Into reads into a struct that has no such field: the better way where the rows leave the function.
//
//	go run ./examples/memory/fields setup
//	go run ./examples/memory/fields list
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("fields") // works on DATABASE_URL, or on the SQLite file fields.db
	app.Add(setup(), list())
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

// Title is the part of a Book that a list needs.
type Title struct {
	ID    int64  `db:"id,pk"`
	Title string `db:"title"`
}

func list() *drover.Command {
	return &drover.Command{
		Name:  "list",
		Short: "List the books, without their summaries",
		Run: func(ctx context.Context, c *drover.Call) error {
			books := table.Of[Book](c.DB(), table.Name("example_books"))

			// Only these columns, and the key always.
			for book, err := range books.Only("id", "title").All(ctx) {
				if err != nil {
					return err
				}
				c.Line("only: %d %s", book.ID, book.Title)
			}
			// All columns but the large one.
			for book, err := range books.Defer("summary").All(ctx) {
				if err != nil {
					return err
				}
				c.Line("defer: %d %s, %s, %d pages", book.ID, book.Title, book.Status, book.Pages)
			}
			// The columns that another struct has.
			for title, err := range table.Into[Title](books).All(ctx) {
				if err != nil {
					return err
				}
				c.Line("into: %d %s", title.ID, title.Title)
			}
			return nil
		},
	}
}
