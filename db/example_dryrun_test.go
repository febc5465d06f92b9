package db_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/db"
)

// A dry run tells what would have changed, and leaves the database as it was.
func ExampleDB_DryRun() {
	ctx := context.Background()
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	for _, query := range []string{
		"CREATE TABLE item (id integer PRIMARY KEY, status text)",
		"INSERT INTO item (status) VALUES ('new'), ('obsolete'), ('obsolete')",
	} {
		if err := conn.Exec(ctx, query); err != nil {
			log.Fatal(err)
		}
	}

	preview, err := conn.DryRun(ctx, func(ctx context.Context) error {
		return conn.Exec(ctx, "DELETE FROM item WHERE status = ?", "obsolete")
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range preview.Tables {
		fmt.Printf("%s: would delete %d rows\n", t.Table, t.Deleted)
	}
	var rows int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM item").Scan(&rows); err != nil {
		log.Fatal(err)
	}
	fmt.Println("rows in the table:", rows)
	// Output:
	// item: would delete 2 rows
	// rows in the table: 3
}
