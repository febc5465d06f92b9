package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// Maps from column to value.
func ExampleQuery_Values() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	for row, err := range items.Limit(2).Values("sku", "views").All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row["sku"], row["views"])
	}
	// Output:
	// ant 5
	// bee 7
}

// Slices of values in the order of the columns.
func ExampleQuery_Tuples() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	fmt.Println(items.Where("id <= ?", 2).OrderBy("id").Tuples("sku", "score").List(ctx))
	// Output: [[ant 0.5] [bee <nil>]] <nil>
}

// The values of one column, with their type.
func ExampleColumn() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	fmt.Println(table.Column[int64](items.Where("status = ?", "new").OrderBy("id"), "id").List(ctx))
	// Output: [1 3] <nil>
}
