package table_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
)

// A condition is the SQL behind WHERE. Values travel as parameters; a slice is a list.
func ExampleQuery_Where() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	list, err := items.
		Where("status IN (?)", []string{"new", "sold"}).
		Where("views > :least OR score IS NULL", sql.Named("least", 4)).
		OrderBy("-views").
		List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range list {
		fmt.Println(item.SKU, item.Views)
	}
	// Output:
	// bee 7
	// ant 5
}
