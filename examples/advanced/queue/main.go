// Program queue works on the rows of a table that stand for jobs, together with any number of others that do the same.
//
// In Django this is "Concurrent Processing with Database Locks": select_for_update(skip_locked=True), status = 'processing', and the work
// outside of the transaction. What differs: what the work writes and the job's completion are one transaction, a claim of a worker that
// died is taken back, a job that makes workers die again and again is given up, and the error text of a failed job is kept.
//
//	go run ./examples/advanced/queue setup
//	go run ./examples/advanced/queue send --no-input --max-errors 10 & go run ./examples/advanced/queue send --no-input --max-errors 10
package main

import (
	"context"
	"errors"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("queue") // works on DATABASE_URL, or on the SQLite file queue.db
	app.Add(setup(), send().Command())
	app.Main()
}

// Letter is a row of example_letters. The columns that the queue needs itself are claimed_by, claimed_at, attempts and error.
type Letter struct {
	ID      int64  `db:"id,pk"`
	Address string `db:"address"`
	Status  string `db:"status"`
	Sent    int64  `db:"sent"` // how often
}

func send() *batch.Job[Letter] {
	return &batch.Job[Letter]{
		Name:       "send",
		Short:      "Send the letters that are pending",
		Verb:       drover.Sent,
		Repeatable: true,
		Source: func(_ context.Context, conn *db.DB) (batch.Source[Letter], error) {
			return batch.Queue(letters(conn), batch.QueueOptions{}), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[Letter]) error {
			var good []Letter
			for i, letter := range b.Rows {
				if letter.Address == "" {
					b.Quarantine(i, errors.New("the letter has no address"))
					continue
				}
				letter.Sent++
				good = append(good, letter)
			}
			_, err := letters(b.DB()).BulkUpdate(ctx, good, "sent")
			return err
		},
	}
}

func letters(conn *db.DB) table.Table[Letter] {
	return table.Of[Letter](conn, table.Name("example_letters"))
}
