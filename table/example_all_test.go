package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// The rows come one after another; a page of them is in memory. Statements in the loop work.
func ExampleQuery_All() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	for item, err := range items.Where("status <> ?", "obsolete").All(ctx, table.PageSize(2)) {
		if err != nil {
			log.Fatal(err)
		}
		item.Views++
		if err := items.Save(ctx, &item, "views"); err != nil {
			log.Fatal(err)
		}
		fmt.Println(item.SKU, item.Views)
	}
	// Output:
	// ant 6
	// bee 8
	// crow 1
}
