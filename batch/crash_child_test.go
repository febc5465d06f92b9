package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/table"
)

// childEnv makes the test binary be a process that works on a run, for tests that kill one.
const childEnv = "DROVER_BATCH_CHILD"

// childOrder is what such a process shall do.
type childOrder struct {
	URL     string
	Job     string
	Workers int
	Size    int
	Lease   time.Duration
	Skew    time.Duration // of the process's own clock
	Die     *death
}

// death is the statement at which the process kills itself, for instants that nobody hits from outside.
type death struct {
	// Held counts only from when the lease is taken; otherwise from the start of the process.
	Held bool
	// Commit counts only COMMITs.
	Commit bool
	Number int64 // of the statement, from 1
	Before bool  // it is not sent at all; otherwise the kill comes After it was sent, whether the answer is there or not
	After  time.Duration
}

// childWord is a line that the process writes.
type childWord struct {
	Word    string // "locked", "taking", "held", "begin", "did", "commit", "end"
	Batch   int64  `json:",omitempty"`
	Rows    int64  `json:",omitempty"`
	Attempt int    `json:",omitempty"`
	Err     string `json:",omitempty"`
}

// Entry is a row of the tests that kill: note belongs to the other writers.
type Entry struct {
	ID     int64  `db:"id,pk"`
	Status string `db:"status"`
	Hits   int64  `db:"hits"`
	Note   int64  `db:"note"`
}

func (Entry) TableName() string { return "entry" }

// The jobs.
const (
	backfillJob = "backfill"
	purgeJob    = "purge"
)

// child is the process.
type child struct {
	order childOrder
	mu    sync.Mutex
	held  atomic.Bool
	count atomic.Int64
}

// runChild does what the order in the environment says, if there is one.
func runChild() bool {
	text := os.Getenv(childEnv)
	if text == "" {
		return false
	}
	var c child
	if err := json.Unmarshal([]byte(text), &c.order); err != nil {
		c.say(childWord{Word: "end", Err: err.Error()})
		return true
	}
	w := childWord{Word: "end"}
	if err := c.work(context.Background()); err != nil {
		w.Err = err.Error()
	}
	c.say(w)
	return true
}

// say tells the parent. What is in the pipe survives the process.
func (c *child) say(w childWord) {
	line, err := json.Marshal(w)
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// work begins the run again and again while another process holds it.
func (c *child) work(ctx context.Context) error {
	conn, err := db.Open(ctx, c.order.URL, db.Intercept(c.intercept))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	again := time.NewTicker(c.order.Lease / 20)
	defer again.Stop()
	for {
		err := c.run(ctx, conn)
		if !errors.As(err, new(*batch.LockedError)) {
			return err
		}
		c.held.Store(false)
		c.say(childWord{Word: "locked"})
		<-again.C
	}
}

func (c *child) run(ctx context.Context, conn *db.DB) error {
	o := batch.Options{
		BatchSize: c.order.Size, Workers: c.order.Workers, Lease: c.order.Lease, Observe: c.observe, Undo: false,
		Now: func() time.Time { return time.Now().Add(c.order.Skew) },
	}
	var err error
	if c.order.Job == purgeJob {
		_, err = purging(c.say).Run(ctx, conn, o)
	} else {
		_, err = backfilling(c.say).Run(ctx, conn, o)
	}
	if errors.As(err, new(*batch.DoneError)) { // the last process was killed after the end of the work
		return nil
	}
	return err
}

func (c *child) observe(e batch.Event) {
	switch e.Type {
	case batch.EventStarted, batch.EventResumed:
		c.say(childWord{Word: "held", Attempt: e.Attempt})
	case batch.EventBatch:
		c.say(childWord{Word: "commit", Batch: e.Batch, Rows: e.Rows})
	}
}

// intercept kills the process at the statement that the order names.
func (c *child) intercept(ctx context.Context, s db.Statement, next func(context.Context) error) error {
	if strings.Contains(s.SQL, "drover_runs") && strings.Contains(s.SQL, "'running', ") && !c.held.Swap(true) {
		c.say(childWord{Word: "taking"})
	}
	d := c.order.Die
	if d == nil || d.Held && !c.held.Load() || d.Commit && s.SQL != "COMMIT" || c.count.Add(1) != d.Number {
		return next(ctx)
	}
	if d.Before {
		c.die()
	}
	time.AfterFunc(d.After, c.die)
	return next(ctx)
}

// die is kill -9.
func (c *child) die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// backfilling counts up the rows.
func backfilling(say func(childWord)) *batch.Job[Entry] {
	return &batch.Job[Entry]{
		Name: backfillJob, Verb: drover.Updated,
		Source: func(_ context.Context, conn *db.DB) (batch.Source[Entry], error) {
			return batch.Rows(table.Of[Entry](conn)), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[Entry]) error {
			say(childWord{Word: "begin", Batch: b.Number()})
			for i := range b.Rows {
				b.Rows[i].Hits++
				b.Rows[i].Status = "done"
			}
			n, err := table.Of[Entry](b.DB()).BulkUpdate(ctx, b.Rows, "hits", "status")
			if err == nil && n != int64(len(b.Rows)) {
				err = fmt.Errorf("%d of %d rows updated", n, len(b.Rows))
			}
			say(childWord{Word: "did", Batch: b.Number(), Rows: n})
			return err
		},
	}
}

// purging deletes the old rows, and notes which in the same transaction.
func purging(say func(childWord)) *batch.Job[batch.Range] {
	return &batch.Job[batch.Range]{
		Name: purgeJob, Verb: drover.Deleted,
		Source: func(ctx context.Context, conn *db.DB) (batch.Source[batch.Range], error) {
			t, err := conn.Dialect().Table(ctx, conn, "entry")
			if err != nil {
				return batch.Source[batch.Range]{}, err
			}
			return batch.Ranges(conn, batch.TableRanges{Table: t, Key: t.Keys[0], Where: "status = 'old'"}), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[batch.Range]) error {
			say(childWord{Word: "begin", Batch: b.Number()})
			r := b.Rows[0]
			noted, err := b.DB().ExecRows(ctx, "INSERT INTO gone (id) SELECT id FROM entry"+r.Where, r.Args...)
			if err != nil {
				return err
			}
			n, err := b.DB().ExecRows(ctx, "DELETE FROM entry"+r.Where, r.Args...)
			if err == nil && n != noted {
				err = fmt.Errorf("%d rows deleted of %d", n, noted)
			}
			b.SetDone(n)
			say(childWord{Word: "did", Batch: b.Number(), Rows: n})
			return err
		},
	}
}
