package table_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// A row that is refused is named, and nothing of the call is kept.
func ExampleRowError() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	_, err := items.BulkCreate(ctx, []Item{{SKU: "eel", Status: "new"}, {SKU: "bee", Status: "new"}})
	if failed, ok := errors.AsType[*table.RowError](err); ok {
		fmt.Printf("row %d, %s: %s\n", failed.Row, failed.Key, failed.Column)
	}
	fmt.Println(errors.Is(err, db.ErrUnique))
	fmt.Println(items.Count(ctx))
	// Output:
	// row 1, sku bee: sku
	// true
	// 4 <nil>
}
