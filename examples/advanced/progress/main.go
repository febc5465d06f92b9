// Program progress works on a table row by row and remembers in the database how far it is.
//
// In Django this is "Progress Tracking Table": a model with last_processed_id that the command saves after each item. What differs: the place is
// saved in the very transaction that holds the batch's work, so that after kill -9 no row is missed and none is done twice; a run that is
// started again goes on by itself; and a second one at the same time is refused.
//
//	go run ./examples/advanced/progress setup
//	go run ./examples/advanced/progress score --no-input --batch-size 100        # stops at a bad row
//	go run ./examples/advanced/progress mend
//	go run ./examples/advanced/progress score --no-input --batch-size 100        # goes on behind the last batch
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
	app := drover.New("progress") // works on DATABASE_URL, or on the SQLite file progress.db
	app.Add(setup(), mend(), score().Command())
	app.Main()
}

// Player is a row of example_players.
type Player struct {
	ID    int64 `db:"id,pk"`
	Wins  int64 `db:"wins"`
	Games int64 `db:"games"`
	Score int64 `db:"score"`
	Runs  int64 `db:"runs"` // how often the row was worked on
}

func score() *batch.Job[Player] {
	return &batch.Job[Player]{
		Name:  "score",
		Short: "Compute the score of every player",
		Verb:  drover.Updated,
		Source: func(_ context.Context, conn *db.DB) (batch.Source[Player], error) {
			return batch.Rows(players(conn)), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[Player]) error {
			for i := range b.Rows {
				p := &b.Rows[i]
				if p.Games == 0 {
					return errors.New("a player without games has no score")
				}
				p.Score = 1000 * p.Wins / p.Games
				p.Runs++
			}
			_, err := players(b.DB()).BulkUpdate(ctx, b.Rows, "score", "runs")
			return err
		},
	}
}

func players(conn *db.DB) table.Table[Player] {
	return table.Of[Player](conn, table.Name("example_players"))
}
