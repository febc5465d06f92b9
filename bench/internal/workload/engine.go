package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// engineItem is a row of the table item, as far as the engine's workload needs it.
type engineItem struct {
	ID     int64   `db:"id,pk"`
	Status string  `db:"status"`
	Score  float64 `db:"score"`
}

func (engineItem) TableName() string { return "item" }

// engines changes every row of a table in transactions of 1,000 and of 100 rows: as a job of package batch, and with a loop by hand that sends
// the same statements but keeps no checkpoint. What the job takes more is the engine: the checkpoint in each transaction, the lease, the
// events, the plan before and the state at the end.
func engines(ctx context.Context, s *site) error {
	if err := s.fill(ctx); err != nil {
		return err
	}
	for _, size := range []int{1000, 100} {
		goal := 1.05
		if size == 100 {
			goal = 1.15
		}
		side := func(name string, goal float64, run func(ctx context.Context) error) measure.Side {
			return measure.Side{
				Name: name, Goal: goal, Prepare: s.restore, Check: s.allDone,
				Run: func(ctx context.Context, _ int) error { return run(ctx) },
			}
		}
		var working time.Duration
		job := func(ctx context.Context) (err error) {
			working, err = s.changeAsJob(ctx, size)
			return err
		}
		part := side("job, without its plan", 0, job)
		part.Self = func() time.Duration { return working }
		p := measure.Plan{Rounds: s.options.PurgeRounds, Times: 1}
		err := s.compare(ctx, fmt.Sprintf("change of %d rows in batches of %d", s.options.EngineRows, size), p,
			side("loop by hand, no checkpoint", 0, func(ctx context.Context) error { return s.changeByHand(ctx, size) }),
			side("job, all of it", goal, job), part)
		if err != nil {
			return err
		}
	}
	return nil
}

// change is the work of a batch.
func change(ctx context.Context, conn *db.DB, rows []engineItem) error {
	for i := range rows {
		rows[i].Status = "done"
		rows[i].Score++
	}
	_, err := table.Of[engineItem](conn).BulkUpdate(ctx, rows, "status", "score")
	return err
}

// changeByHand is what a careful programmer writes who needs no resume: pages by key up to the last one of the beginning, of the rows that are
// wanted, locked, one transaction each. These are the statements of the job's batches.
func (s *site) changeByHand(ctx context.Context, size int) error {
	wanted := table.Of[engineItem](s.conn).Where("id <= ?", s.options.EngineRows)
	last, through := int64(0), s.options.EngineRows
	for {
		n := 0
		err := s.conn.Atomic(ctx, func(ctx context.Context) error {
			rows, err := wanted.Where("id > ? AND id <= ?", last, through).OrderBy("id").Limit(size).ForUpdate().List(ctx)
			if err != nil || len(rows) == 0 {
				return err
			}
			n, last = len(rows), rows[len(rows)-1].ID
			return change(ctx, s.conn, rows)
		})
		if err != nil || n < size {
			return err
		}
	}
}

// changeAsJob is the same as a job. It returns how long the run took from its lease to its end; the plan before counts the rows.
func (s *site) changeAsJob(ctx context.Context, size int) (time.Duration, error) {
	job := &batch.Job[engineItem]{
		Name: "bench",
		Source: func(_ context.Context, conn *db.DB) (batch.Source[engineItem], error) {
			return batch.Rows(table.Of[engineItem](conn).Where("id <= ?", s.options.EngineRows)), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[engineItem]) error { return change(ctx, b.DB(), b.Rows) },
	}
	res, err := job.Run(ctx, s.conn, batch.Options{BatchSize: size, Again: true})
	if err != nil {
		return 0, err
	}
	return res.Elapsed, nil
}

// allDone makes sure that a run changed what it should.
func (s *site) allDone(ctx context.Context) error {
	var left int
	err := s.raw.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM item WHERE id <= %d AND (status <> 'done' OR score <> id * 1.5 + 1)", s.options.EngineRows)).Scan(&left)
	if err == nil && left > 0 {
		err = fmt.Errorf("%d rows are not done once", left)
	}
	return err
}
