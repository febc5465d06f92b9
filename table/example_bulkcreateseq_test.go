package table_test

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/table"
)

// A sequence is written with one batch in memory. Each batch can be a transaction of its own.
func ExampleTable_BulkCreateSeq() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	source := func(yield func(Item, error) bool) {
		for i := range 5 {
			if !yield(Item{SKU: fmt.Sprint("made ", i), Status: "new"}, nil) {
				return
			}
		}
	}
	n, err := items.BatchSize(2).TransactionPerBatch().
		Observe(func(p table.Progress) { fmt.Println(p.Rows, "rows in", p.Batches, "batches") }).
		BulkCreateSeq(ctx, source)
	fmt.Println(n, err)
	// Output:
	// 2 rows in 1 batches
	// 4 rows in 2 batches
	// 5 rows in 3 batches
	// 5 <nil>
}
