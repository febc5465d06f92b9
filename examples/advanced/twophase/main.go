// Program twophase checks all orders first and ships them only then.
//
// In Django this is "Two-Phase Commit Pattern": one transaction that marks what was validated as prepared, and a second one that applies it.
// What differs: both phases go batch by batch and can be resumed between and inside of them; an order that cannot be prepared is set aside
// with its error and keeps its state; and the assertion is asked before anything is shipped.
//
//	go run ./examples/advanced/twophase setup
//	go run ./examples/advanced/twophase ship --no-input --max-errors 5
package main

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("twophase") // works on DATABASE_URL, or on the SQLite file twophase.db
	app.Add(setup(), ship().Command())
	app.Main()
}

// Order is a row of example_orders.
type Order struct {
	ID     int64  `db:"id,pk"`
	Pieces int64  `db:"pieces"`
	Status string `db:"status"`
}

func ship() *batch.Job[Order] {
	return &batch.Job[Order]{
		Name:   "ship",
		Short:  "Ship the orders that are pending",
		Before: []batch.Assertion{{Name: "there are orders", SQL: "SELECT COUNT(*) > 0 FROM example_orders"}},
		Phases: []batch.Phase[Order]{
			{Name: "prepare", Source: with("pending"), Process: prepare},
			{Name: "apply", Source: with("prepared"), Process: apply},
		},
	}
}

func with(status string) func(context.Context, *db.DB) (batch.Source[Order], error) {
	return func(_ context.Context, conn *db.DB) (batch.Source[Order], error) {
		return batch.Rows(orders(conn).Where("status = ?", status)), nil
	}
}

func prepare(ctx context.Context, b *batch.Batch[Order]) error {
	var good []Order
	for i, o := range b.Rows {
		if o.Pieces <= 0 {
			b.Quarantine(i, fmt.Errorf("an order of %d pieces", o.Pieces))
			continue
		}
		o.Status = "prepared"
		good = append(good, o)
	}
	_, err := orders(b.DB()).BulkUpdate(ctx, good, "status")
	return err
}

func apply(ctx context.Context, b *batch.Batch[Order]) error {
	for i := range b.Rows {
		b.Rows[i].Status = "shipped"
	}
	_, err := orders(b.DB()).BulkUpdate(ctx, b.Rows, "status")
	return err
}

func orders(conn *db.DB) table.Table[Order] {
	return table.Of[Order](conn, table.Name("example_orders"))
}
