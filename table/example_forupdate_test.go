package table_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/table"
)

// Rows are locked until the end of the block; those that another worker has are left to it.
func ExampleQuery_ForUpdate() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()
	waiting := items.Where("status = ?", "new").OrderBy("id").Limit(10).ForUpdate(table.SkipLocked)

	err := conn.Atomic(ctx, func(ctx context.Context) error {
		mine, err := waiting.List(ctx)
		if err != nil {
			return err
		}
		for i := range mine {
			mine[i].Status = "sold"
		}
		n, err := items.BulkUpdate(ctx, mine, "status")
		fmt.Println("taken:", n)
		return err
	})
	fmt.Println(err)

	_, err = waiting.List(ctx) // not in a block
	fmt.Println(errors.Is(err, table.ErrLockOutsideBlock))
	// Output:
	// taken: 2
	// <nil>
	// true
}
