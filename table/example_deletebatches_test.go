package table_test

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/table"
)

// Each batch is a short statement that is committed by itself.
func ExampleQuery_DeleteBatches() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	n, err := items.
		Observe(func(p table.Progress) { fmt.Println("deleted", p.Rows) }).
		Where("views > ?", 0).
		DeleteBatches(ctx, 2)
	fmt.Println(n, err)
	fmt.Println(items.Count(ctx))
	// Output:
	// deleted 2
	// deleted 3
	// 3 <nil>
	// 1 <nil>
}
