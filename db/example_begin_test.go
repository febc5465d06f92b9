package db_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/db"
)

// A transaction and a savepoint by hand.
func ExampleDB_Begin() {
	ctx := context.Background()
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "CREATE TABLE item (name text)"); err != nil {
		log.Fatal(err)
	}
	if err := addByHand(ctx, conn); err != nil {
		log.Fatal(err)
	}
	var names string
	if err := conn.QueryRow(ctx, "SELECT group_concat(name) FROM item").Scan(&names); err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
	// Output: first
}

func addByHand(ctx context.Context, conn *db.DB) error {
	ctx, tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // does nothing after Commit
	if err := conn.Exec(ctx, "INSERT INTO item VALUES (?)", "first"); err != nil {
		return err
	}
	point, err := tx.Savepoint(ctx)
	if err != nil {
		return err
	}
	if err := conn.Exec(ctx, "INSERT INTO item VALUES (?)", "second"); err != nil {
		return err
	}
	if err := point.Rollback(ctx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
