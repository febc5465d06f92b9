package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// The keys that the database makes are in the rows afterwards.
func ExampleTable_BulkCreate() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	rows := []Item{{SKU: "eel", Status: "new"}, {SKU: "fox", Status: "new"}}
	n, err := items.BulkCreate(ctx, rows)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "items:", rows[0].ID, rows[0].SKU, rows[1].ID, rows[1].SKU)

	n, err = items.BulkCreate(ctx, []Item{{SKU: "fox", Status: "sold"}, {SKU: "gnu", Status: "new"}}, table.IgnoreConflicts())
	fmt.Println(n, err)
	// Output:
	// 2 items: 5 eel 6 fox
	// 1 <nil>
}
