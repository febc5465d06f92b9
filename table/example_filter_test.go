package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// Typed columns: a value of another type does not compile, and a misspelt name ends the program when it starts.
var (
	itemStatus = table.Col[Item, string]("status")
	itemViews  = table.Col[Item, int64]("views")
	itemScore  = table.Col[Item, float64]("score") // of a *float64
)

func ExampleQuery_Filter() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	list, err := items.
		Filter(itemStatus.Ne("obsolete"), table.Or(itemViews.Gt(5), itemScore.Between(1, 3))).
		OrderBy("sku").
		List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range list {
		fmt.Println(item.SKU)
	}
	// Output:
	// bee
	// crow
}
