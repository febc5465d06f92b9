package db_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/drover-dev/drover/db"
)

// The kinds of errors are the same on every database.
func ExampleKindOf() {
	ctx := context.Background()
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "CREATE TABLE item (id integer PRIMARY KEY)"); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		err = conn.Exec(ctx, "INSERT INTO item VALUES (?)", 1)
	}
	fmt.Println(errors.Is(err, db.ErrUnique), db.KindOf(err))
	// Output: true unique violation
}
