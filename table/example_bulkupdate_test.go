package table_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// Each row gets values of its own; the rows are found by their keys.
func ExampleTable_BulkUpdate() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	rows, err := items.Where("score IS NULL").List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for i := range rows {
		score := float64(rows[i].Views) / 2
		rows[i].Score = &score
	}
	n, err := items.BulkUpdate(ctx, rows, "score")
	fmt.Println(n, err)
	fmt.Println(table.Column[float64](items.OrderBy("id"), "score").List(ctx))

	_, err = items.BulkUpdate(ctx, []Item{rows[0], rows[0]}, "score")
	twice, _ := errors.AsType[*table.DuplicateKeyError](err)
	fmt.Println(twice)
	// Output:
	// 2 <nil>
	// [0.5 3.5 2 0.5] <nil>
	// table item: rows 0 and 1 have the same key (id 2)
}
