package db_test

import (
	"context"
	"testing"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// Another process holds the write lock longer than the busy timeout.
func TestFault_SQLiteBusy(t *testing.T) {
	d := testdb.Fresh(t, testdb.NameSQLite)
	w := newWorld(t, d)
	p, wait := startChild(t, d.URL, "hold lock")
	noError(t, p.await("locked"))

	impatient := d
	impatient.URL += "?_pragma=busy_timeout(1)"
	conn := open(t, impatient)
	add := func(ctx context.Context) error { return conn.Exec(ctx, insertText("mine")) }
	err := conn.Atomic(t.Context(), add)
	w.wantFault(t, db.Error{Kind: db.ErrDatabaseBusy}, err)
	w.wantFault(t, db.Error{Kind: db.ErrDatabaseBusy}, add(t.Context()))
	var n int
	noError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM item").Scan(&n)) // reading goes on

	var attempts []int
	err = conn.Atomic(t.Context(), add, db.Retry(50), db.OnRetry(func(a db.Attempt) {
		attempts = append(attempts, a.Number)
		if a.Number == 1 {
			noError(t, must(p.say("commit"), wait()))
		}
	}))
	noError(t, err)
	if len(attempts) != 1 {
		t.Errorf("retried after attempts %v", attempts)
	}
	w.wantNames(t, "mine", "theirs")
}

// The same two processes, each with the default busy timeout, take turns.
func TestFault_SQLiteTwoProcesses(t *testing.T) {
	d := testdb.Fresh(t, testdb.NameSQLite)
	w := newWorld(t, d)
	p, wait := startChild(t, d.URL, "hold lock")
	noError(t, p.await("locked"))
	noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
		_, err := w.names(ctx)
		return err
	}, db.ReadOnly()))
	mine := make(chan error, 1)
	go func() { mine <- w.add(t.Context(), "mine") }()
	noError(t, must(p.say("commit"), wait(), <-mine))
	w.wantNames(t, "mine", "theirs")
}
