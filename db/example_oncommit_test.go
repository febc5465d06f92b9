package db_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/db"
)

// A hook runs after the outermost commit.
func ExampleDB_OnCommit() {
	ctx := context.Background()
	conn, err := db.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	err = conn.Atomic(ctx, func(ctx context.Context) error {
		err := conn.OnCommit(ctx, func(context.Context) error {
			fmt.Println("mail sent")
			return nil
		})
		fmt.Println("the block goes on")
		return err
	})
	fmt.Println("committed:", err == nil)
	// Output:
	// the block goes on
	// mail sent
	// committed: true
}
