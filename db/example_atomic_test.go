package db_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/drover-dev/drover/db"
)

// An inner block that fails is undone alone.
func ExampleDB_Atomic() {
	ctx := context.Background()
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "CREATE TABLE item (name text)"); err != nil {
		log.Fatal(err)
	}

	err = conn.Atomic(ctx, func(ctx context.Context) error {
		if err := conn.Exec(ctx, "INSERT INTO item VALUES (?)", "first"); err != nil {
			return err
		}
		err := conn.Atomic(ctx, func(ctx context.Context) error {
			if err := conn.Exec(ctx, "INSERT INTO item VALUES (?)", "second"); err != nil {
				return err
			}
			return errors.New("oops")
		})
		fmt.Println("inner block:", err)
		return conn.Exec(ctx, "INSERT INTO item VALUES (?)", "third")
	})
	fmt.Println("outer block:", err)

	var names string
	if err := conn.QueryRow(ctx, "SELECT group_concat(name, ', ' ORDER BY rowid) FROM item").Scan(&names); err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
	// Output:
	// inner block: oops
	// outer block: <nil>
	// first, third
}
