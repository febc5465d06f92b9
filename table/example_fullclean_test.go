package table_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/table"
)

// All rows are checked, and all that is wrong is told together. Nothing is sent.
func ExampleTable_FullClean() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()
	rows := []Item{{SKU: "eel", Status: "new"}, {SKU: "", Status: "lost"}}

	err := items.FullClean(ctx, rows)
	if invalid, ok := errors.AsType[*table.ValidationError](err); ok {
		for _, f := range invalid.Failures {
			fmt.Println(f.Row, f.Column, f.Message)
		}
	}

	_, err = items.Validated().BulkCreate(ctx, rows) // checks before it writes
	fmt.Println(err)
	// Output:
	// 1 sku breaks the rule required
	// 1 status breaks the rule oneof=new sold obsolete
	// table item: not valid: row 1, SKU: breaks the rule required; row 1, Status: breaks the rule oneof=new sold obsolete
}
