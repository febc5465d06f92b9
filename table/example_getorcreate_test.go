package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// The function sets what a new row has besides the key.
func ExampleTable_GetOrCreate() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	for range 2 {
		item, created, err := items.GetOrCreate(ctx, table.Key{"sku": "eel"}, func(i *Item) { i.Status = "new" })
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item.ID, item.SKU, item.Status, created)
	}
	// Output:
	// 5 eel new true
	// 5 eel new false
}

// An expression counts in the database; a new row begins with what the function sets.
func ExampleTable_UpdateOrCreate() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	for range 2 {
		item, created, err := items.UpdateOrCreate(ctx, table.Key{"sku": "eel"},
			table.Set{"views": table.Expr("views + ?", 1)},
			func(i *Item) { i.Status, i.Views = "new", 1 })
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item.SKU, item.Views, created)
	}
	// Output:
	// eel 1 true
	// eel 2 false
}
