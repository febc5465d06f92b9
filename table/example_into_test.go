package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// Only the columns that the other struct has are read.
func ExampleInto() {
	type Label struct {
		ID  int64 `db:"id,pk"`
		SKU string
	}
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	for label, err := range table.Into[Label](items.Where("views > ?", 4)).All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(label.ID, label.SKU)
	}
	// Output:
	// 1 ant
	// 2 bee
}
