// Program values reads rows as maps, as tuples and as single values.
//
// In Django this is "values() and values_list()". What differs: a value in a map or a tuple is an any, of a type that depends
// on the database's column; where the columns are known when the program is written, Into (see ../fields) reads them into a
// struct and takes less memory than either. A single column has its type: Column[int64] is values_list('id', flat=True).
//
//	go run ./examples/memory/values setup
//	go run ./examples/memory/values list
package main

import (
	"context"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("values") // works on DATABASE_URL, or on the SQLite file values.db
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

func list() *drover.Command {
	return &drover.Command{
		Name:  "list",
		Short: "List the books in three ways",
		Run: func(ctx context.Context, c *drover.Call) error {
			books := table.Of[Book](c.DB(), table.Name("example_books"))

			// values(): maps from column to value
			for book, err := range books.Values("id", "title").All(ctx) {
				if err != nil {
					return err
				}
				c.Line("map: %v %v", book["id"], book["title"])
			}
			// values_list(): slices in the order of the columns
			for book, err := range books.Tuples("id", "title").All(ctx) {
				if err != nil {
					return err
				}
				c.Line("tuple: %v %v", book[0], book[1])
			}
			// values_list(flat=True): the values of one column
			for id, err := range table.Column[int64](books.Where("status = ?", "printed"), "id").All(ctx) {
				if err != nil {
					return err
				}
				c.Line("value: %v", id)
			}
			return nil
		},
	}
}
