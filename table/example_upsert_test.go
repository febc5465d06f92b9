package table_test

import (
	"context"
	"fmt"
	"log"
)

// Rows that are there get new values, the others are added.
func ExampleTable_Upsert() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	rows := []Item{{SKU: "ant", Status: "sold", Views: 100}, {SKU: "eel", Status: "new", Views: 3}}
	n, err := items.Upsert(ctx, rows, []string{"sku"}, "status") // of a row that is there only the status is set
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "rows")
	list, err := items.Where("sku IN (?)", []string{"ant", "eel"}).OrderBy("id").List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range list {
		fmt.Println(item.ID, item.SKU, item.Status, item.Views)
	}
	// Output:
	// 2 rows
	// 1 ant sold 5
	// 5 eel new 3
}
