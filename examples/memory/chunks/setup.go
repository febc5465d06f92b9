package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

// setup makes a table to try the command on.
func setup() *drover.Command {
	return &drover.Command{
		Name:  "setup",
		Short: "Make the table example_books, with 5,000 books",
		Run: func(ctx context.Context, c *drover.Call) error {
			for _, statement := range []string{
				`CREATE TABLE IF NOT EXISTS example_books (
					id INTEGER PRIMARY KEY, title VARCHAR(100) NOT NULL, status VARCHAR(20) NOT NULL, pages INTEGER NOT NULL,
					summary TEXT NOT NULL)`,
				`DELETE FROM example_books`,
			} {
				if err := c.DB().Exec(ctx, statement); err != nil {
					return err
				}
			}
			books := make([]Book, 5000)
			for i := range books {
				id := int64(i + 1)
				books[i] = Book{ID: id, Title: fmt.Sprintf("Volume %04d", 5001-id), Status: "printed", Pages: 100 + id%300}
				if id%10 == 0 {
					books[i].Status = "draft"
				}
				books[i].Summary = strings.Repeat("A long text. ", 10)
			}
			n, err := table.Of[Book](c.DB(), table.Name("example_books")).BulkCreate(ctx, books)
			if err != nil {
				return err
			}
			c.Success("Created %d books", n)
			return nil
		},
	}
}
