// Program idempotent brings a table to the state of a feed; running it twice changes nothing the second time.
//
// In Django this is "Idempotent Operations": get_or_create() for each item and a save() when it was there. What differs: each batch is one
// upsert, which is right among any number of callers at a time, and the feed's place is kept, so that a run that was interrupted goes on.
//
//	go run ./examples/advanced/idempotent setup
//	go run ./examples/advanced/idempotent sync --no-input --batch-size 30
//	go run ./examples/advanced/idempotent sync --no-input --again
package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("idempotent") // works on DATABASE_URL, or on the SQLite file idempotent.db
	app.Add(setup(), sync().Command())
	app.Main()
}

// Customer is a row of example_customers. Its number is the feed's.
type Customer struct {
	Number int64  `db:"external_id,pk"`
	Name   string `db:"name"`
}

func sync() *batch.Job[Customer] {
	return &batch.Job[Customer]{
		Name:  "sync",
		Short: "Bring the customers to the state of the feed",
		Verb:  drover.Processed,
		Source: func(context.Context, *db.DB) (batch.Source[Customer], error) {
			return batch.Seq(feed, func(c Customer) int64 { return c.Number }), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[Customer]) error {
			_, err := customers(b.DB()).Upsert(ctx, b.Rows, []string{"external_id"})
			return err
		},
	}
}

// feed gives the customers behind a number. A real one asks a service, page by page.
func feed(_ context.Context, after int64, _ bool) iter.Seq2[Customer, error] {
	return func(yield func(Customer, error) bool) {
		for n := after + 1; n <= 100; n++ {
			if !yield(Customer{Number: n, Name: fmt.Sprintf("Customer %d", n)}, nil) {
				return
			}
		}
	}
}

func customers(conn *db.DB) table.Table[Customer] {
	return table.Of[Customer](conn, table.Name("example_customers"))
}
