package table_test

import (
	"context"
	"fmt"
	"log"
)

// The rows come in slices. The next one begins behind the last key, not at an offset.
func ExampleQuery_FetchMany() {
	ctx := context.Background()
	conn, items := exampleItems(ctx)
	defer conn.Close()

	for page, err := range items.FetchMany(ctx, 3) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(page), "items, the last is", page[len(page)-1].SKU)
	}
	// Output:
	// 3 items, the last is crow
	// 1 items, the last is deer
}
