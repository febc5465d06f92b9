package db

import (
	"context"
	"database/sql/driver"

	"github.com/drover-dev/drover/internal/dialect/postgres"
)

// LastUpdate is an UPDATE that notes what its block has done, and must find its row for that. It is for packages of this module.
type LastUpdate struct {
	Query string // with `?` as in [DB.Exec]
	Args  []any  // strings, integers, booleans and nil
	NoRow error  // what it means that no row was affected
}

// SendLast sends u as the last statement of the context's block; outside a block it is [ErrNoBlock]. It is for packages of this module.
//
// On pgx the UPDATE waits for the end of the block and goes together with COMMIT, which saves a round trip: its errors are those of
// [DB.Atomic] then, u.NoRow among them, and nothing is kept. Interceptors see it when SendLast is called. It is sent at once on other
// drivers, and where COMMIT does not follow: in an inner block, in a dry run, in a transaction that was joined or is ended by hand.
func (d *DB) SendLast(ctx context.Context, u LastUpdate) (err error) {
	tx := d.current(ctx)
	if tx == nil {
		return ErrNoBlock
	}
	if u.Query, err = d.rebind(u.Query, u.Args); err != nil {
		return err
	}
	var args []driver.NamedValue
	if len(d.interceptors) > 0 {
		args = named(u.Args)
	}
	send := &u
	found := int64(1)
	err = tx.Do(ctx, u.Query, args, func(ctx context.Context) (_ int64, err error) {
		if tx.endsWithCommit() {
			send, tx.last = tx.last, &u // an earlier one is not the last any more
		}
		if send != nil {
			found, err = tx.live().Exec(ctx, send.Query, send.Args)
		}
		return found, err
	})
	if err == nil && found == 0 {
		return send.NoRow
	}
	return d.wrap("exec", err)
}

// endsWithCommit reports whether a statement can go together with the COMMIT that ends the transaction. Where large objects are in use pgx
// must send the COMMIT. The caller holds mu.
func (tx *transaction) endsWithCommit() bool {
	return tx.native != nil && tx.owner == ownerBlock && len(tx.scopes) == 1 && !tx.largeObjects.Load()
}

// noRow says that the last UPDATE of a block has found no row, so that its COMMIT was not done.
type noRow struct{ error }

// commitWithLast sends the last UPDATE and COMMIT.
func (tx *transaction) commitWithLast(ctx context.Context) error {
	found, err := postgres.CommitWith(ctx, tx.conn.(postgres.NativeConn).Conn(), tx.last.Query, tx.last.Args)
	if !found {
		return noRow{tx.last.NoRow}
	}
	return err
}
