package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// One statement sets values and expressions; it returns how many rows matched.
func ExampleQuery_Update() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	n, err := items.Where("status = ?", "new").Update(ctx, table.Set{
		"status": "sold",
		"views":  table.Expr("views + ?", 10),
		"score":  nil, // NULL
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "updated")
	fmt.Println(table.Column[int64](items.Where("status = ?", "sold").OrderBy("id"), "views").List(ctx))

	_, err = items.Update(ctx, table.Set{"views": "many"})
	fmt.Println(err)
	// Output:
	// 2 updated
	// [15 7 10] <nil>
	// table item, column "views": the value many (string) does not fit the type int64
}
