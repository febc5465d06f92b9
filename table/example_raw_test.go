package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drover-dev/drover/table"
)

// The result of any SELECT as structs, or as single values.
func ExampleRaw() {
	type Total struct {
		Status string
		Items  int64
		Views  int64
	}
	ctx := context.Background()
	conn, _ := exampleItems(ctx)
	defer conn.Close()

	totals := table.Raw[Total](conn, `
		SELECT status, COUNT(*) AS items, SUM(views) AS views
		FROM item WHERE status <> ? GROUP BY status ORDER BY status`, "obsolete")
	for t, err := range totals.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Status, t.Items, t.Views)
	}
	fmt.Println(table.Raw[float64](conn, "SELECT MAX(score) FROM item").One(ctx))
	// Output:
	// new 2 5
	// sold 1 7
	// 2 <nil>
}
