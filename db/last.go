package db

import (
	"context"
	"database/sql/driver"

	"github.com/drover-dev/drover/internal/dialect"
)

// LastUpdate is an UPDATE that notes what its block has done, and must find its row for that. It is for packages of this module.
type LastUpdate struct {
	Query string // with `?` as in [DB.Exec]
	Args  []any  // strings, integers, booleans and nil
	NoRow error  // what it means that no row was affected
}

// last is an update that goes with COMMIT.
type last struct {
	LastUpdate
	send dialect.CommitWith
}

// SendLast sends u as the last statement of the context's block; outside a block it is [ErrNoBlock]. It is for packages of this module.
//
// On pgx and on MariaDB the UPDATE waits for the end of the block and goes together with COMMIT, which saves a round trip: its errors are those of
// [DB.Atomic] then, u.NoRow among them, and nothing is kept. Interceptors see it when SendLast is called. It is sent at once elsewhere, and
// where COMMIT does not follow: in an inner block, in a dry run, in a transaction that was joined or is ended by hand.
func (d *DB) SendLast(ctx context.Context, u LastUpdate) (err error) {
	tx := d.current(ctx)
	if tx == nil {
		return ErrNoBlock
	}
	if u.Query, err = d.rebind(u.Query, u.Args); err != nil {
		return err
	}
	server, err := d.Server(ctx)
	if err != nil {
		return err
	}
	var args []driver.NamedValue
	if len(d.interceptors) > 0 {
		args = named(u.Args)
	}
	now := &u
	found := int64(1)
	err = tx.Do(ctx, u.Query, args, func(ctx context.Context) (_ int64, err error) {
		if with := d.dialect.CommitWith(tx.live(), server); with != nil && tx.endsWithCommit() {
			now = nil
			if tx.last != nil { // it is not the last any more
				now = &tx.last.LastUpdate
			}
			tx.last = &last{u, with}
		}
		if now != nil {
			found, err = tx.live().Exec(ctx, now.Query, now.Args)
		}
		return found, err
	})
	if err == nil && found == 0 {
		return now.NoRow
	}
	return d.wrap("exec", err)
}

// endsWithCommit reports whether drover's own COMMIT ends the scope that is open. Where large objects are in use pgx must send the COMMIT. The
// caller holds mu.
func (tx *transaction) endsWithCommit() bool {
	return tx.owner == ownerBlock && len(tx.scopes) == 1 && !tx.largeObjects.Load()
}

// noRow says that the last UPDATE of a block has found no row, so that its COMMIT was not done.
type noRow struct{ error }

// commitWithLast sends the last UPDATE and COMMIT.
func (tx *transaction) commitWithLast(ctx context.Context) error {
	found, err := tx.last.send(ctx, tx.last.Query, tx.last.Args)
	if !found {
		return noRow{tx.last.NoRow}
	}
	return err
}
