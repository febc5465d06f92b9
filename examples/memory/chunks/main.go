// Program chunks processes a table in slices of rows.
//
// In Django this is "Chunked Processing with Explicit Memory Management": all()[offset:offset + chunk_size], reset_queries()
// and gc.collect(). What differs: FetchMany has no OFFSET. The database reads the rows before an offset all the same, so each
// chunk takes longer than the one before; and a row that somebody deletes meanwhile moves the others, so that one of them is
// never seen. FetchMany looks for the rows behind the last key instead. There is no query log to reset; a chunk is garbage
// when the loop goes on.
//
//	go run ./examples/memory/chunks setup
//	go run ./examples/memory/chunks count-words --batch-size 2000
package main

import (
	"context"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("chunks") // works on DATABASE_URL, or on the SQLite file chunks.db
	app.Add(setup(), countWords())
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

func countWords() *drover.Command {
	return &drover.Command{
		Name:    "count-words",
		Short:   "Count the words of all summaries",
		Options: drover.Options{BatchSize: 1000},
		Run: func(ctx context.Context, c *drover.Call) error {
			books := table.Of[Book](c.DB(), table.Name("example_books"))
			var count, words int
			for chunk, err := range books.FetchMany(ctx, c.BatchSize()) {
				if err != nil {
					return err
				}
				if err := c.StopErr("%d books processed", count); err != nil {
					return err
				}
				for _, book := range chunk {
					words += len(strings.Fields(book.Summary))
				}
				count += len(chunk)
				c.Success("Processed %d books...", count)
			}
			c.Line("%d books have summaries of %d words", count, words)
			return nil
		},
	}
}
