package db

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/drover-dev/drover/internal/dialect"
)

// AtomicAll runs fn in a block on each of several databases, all of them in fn's context, and commits on all of them or on none. Inside, each
// database is used as in [DB.Atomic]: inner blocks are savepoints, and OnCommit registers with the database that it is called on. With one
// database AtomicAll is Atomic.
//
// The blocks are committed in two phases. When fn has returned nil each database prepares its transaction (PREPARE TRANSACTION, XA PREPARE),
// which it then keeps whatever happens. The decision to commit is written to the table drover_decisions of the first database, in a transaction
// of its own, and after that each database commits. Everything is rolled back everywhere when fn returns an error or panics, when a block is
// broken or its context ends, or when a database cannot prepare. If the program dies in between, or a database cannot be reached,
// [Recover] (the command drover recover) finishes what is prepared. Until then its locks are held.
//
// A [*ParticipantError] refuses a database that cannot take part, before anything is written: SQLite, PostgreSQL with
// max_prepared_transactions = 0, one that accepts no writes, one given twice, one whose block the context is in already, and a first one
// where drover_decisions is missing and cannot be made. The first database needs a connection more than a block does. In a dry run of
// all the databases the blocks are savepoints of it, and nothing is prepared; in a dry run of some of them AtomicAll is refused.
//
// Errors are those of Atomic, and [*InDoubtError] where not every database is finished: errors.Is(err, ErrCommitted) holds where the decision
// is to commit, and errors.Is(err, ErrOutcomeUnknown) where it was sent and cannot be read back. A database that does not answer at the end is
// tried for its [AcquireTimeout], at most 10 s. The hooks of a database run, in the order of the databases, when its own commit is
// confirmed; one that fails stops those of its database and makes AtomicAll return its [*HookError]. [ReadOnly] is refused,
// [Isolation] is that of each block, and [Retry] runs all of it again.
func AtomicAll(ctx context.Context, databases []*DB, fn func(ctx context.Context) error, opts ...BlockOption) error {
	o := options(opts)
	switch len(databases) {
	case 0:
		return errors.New("AtomicAll was given no database")
	case 1:
		return databases[0].Atomic(ctx, fn, opts...)
	}
	if o.tx.ReadOnly {
		return errors.New("AtomicAll is for writes: ReadOnly is an option of Atomic")
	}
	dry, err := admit(ctx, databases)
	if err != nil {
		return err
	}
	sites, err := findSites(ctx, databases, o)
	switch {
	case err != nil:
		return err
	case dry:
		return pretendAll(ctx, databases, databases, fn, o)
	}
	first := databases[0]
	if first.MaxConns() == 1 {
		return &ParticipantError{
			Alias: first.alias, Reason: "its pool has one connection, and the decision needs a second one",
			Advice: "raise the pool's size (db.MaxConns)",
		}
	}
	if _, err := first.makeDecisionTable(ctx); err != nil {
		return &ParticipantError{
			Alias: first.alias, Reason: "its table drover_decisions is missing and cannot be made",
			Advice: `let somebody who may run what "drover init --print-sql" prints`, Err: err,
		}
	}
	return first.retrying(ctx, o, func() error { return atomicAll(ctx, databases, sites, fn, o) })
}

// admit refuses databases that cannot be in one AtomicAll by what is known without asking them, and reports whether all are in a dry run.
func admit(ctx context.Context, databases []*DB) (dry bool, err error) {
	pretended := 0
	for i, d := range databases {
		refuse := func(reason string, err error) error {
			return &ParticipantError{Alias: d.alias, Reason: reason, Err: err}
		}
		tx := d.current(ctx)
		switch {
		case slices.ContainsFunc(databases[:i], func(other *DB) bool { return other.core == d.core }):
			return false, refuse("it is given twice", nil)
		case !d.dialect.Features().TwoPhase.Possible():
			return false, refuse(d.dialect.Name()+" cannot prepare a transaction", nil)
		case tx == nil && d.requireBlock:
			return false, refuse("it is not in the dry run", ErrOutsideBlock)
		case tx == nil:
		case tx.owner == ownerDryRun && tx.depth() == 1:
			pretended++
		default:
			return false, refuse("the context is in a block of it", ErrDurableNested)
		}
	}
	if pretended > 0 && pretended < len(databases) {
		i := slices.IndexFunc(databases, func(d *DB) bool { return d.current(ctx) == nil })
		return false, &ParticipantError{Alias: databases[i].alias, Reason: "it is not in the dry run that the others are in", Err: ErrOutsideBlock}
	}
	return pretended > 0, nil
}

// findSites asks the databases where they are and whether they can prepare a transaction with these options.
func findSites(ctx context.Context, databases []*DB, o blockOptions) ([]string, error) {
	var sites []string
	for _, d := range databases {
		if _, err := d.dialect.Begin(o.tx); err != nil {
			return nil, &ParticipantError{Alias: d.alias, Reason: err.Error(), Err: err}
		}
		server, err := d.bare().Server(ctx)
		if err != nil {
			return nil, d.wrap("read the version", err)
		}
		s, err := d.findSite(ctx)
		limit := d.dialect.Features().TwoPhase.Limit
		switch {
		case err != nil:
			return nil, err
		case !server.KeepsPrepared:
			return nil, &ParticipantError{
				Alias: d.alias, Reason: "its server is of a version that rolls prepared transactions back when the connection ends",
				Advice: "MariaDB keeps them from 10.5 on, and MySQL from 5.7.7 on",
			}
		case s.readOnly:
			return nil, &ParticipantError{
				Alias: d.alias, Reason: "it accepts no writes (a replica, or set to read only)", Advice: "use the primary's alias", Err: ErrReadOnly,
			}
		case s.slots == 0:
			return nil, &ParticipantError{
				Alias: d.alias, Reason: "its " + limit + " is 0, so it prepares no transactions",
				Advice: fmt.Sprintf("set %s to the number of blocks that may be prepared at a time, as many as max_connections, and restart the server", limit),
			}
		}
		sites = append(sites, s.where)
	}
	return sites, nil
}

// site is what a database says of itself.
type site struct {
	where    string
	readOnly bool
	slots    int64
}

func (d *DB) findSite(ctx context.Context) (site, error) {
	var s site
	var readOnly int64
	err := d.bare().QueryRow(ctx, d.dialect.Features().TwoPhase.Site).Scan(&s.where, &readOnly, &s.slots)
	s.readOnly = readOnly != 0
	return s, d.wrap("look for prepared transactions", err)
}

// bare is d without the rule of [DB.RequireBlock].
func (d *DB) bare() *DB { return &DB{core: d.core} }

// pretendAll is AtomicAll in a dry run: the blocks are savepoints, all kept or all rolled back. rest are the databases whose block is not open yet.
func pretendAll(ctx context.Context, databases, rest []*DB, fn func(ctx context.Context) error, o blockOptions) error {
	if len(rest) > 0 {
		return rest[0].current(ctx).inner(ctx, func(ctx context.Context) error {
			return pretendAll(ctx, databases, rest[1:], fn, o)
		}, o)
	}
	if err := fn(ctx); err != nil {
		return err
	}
	rollback := false
	for _, d := range databases {
		tx := d.current(ctx)
		tx.mu.Lock()
		cause := tx.cause()
		rollback = rollback || tx.scopes[len(tx.scopes)-1].rollback
		tx.mu.Unlock()
		if cause != nil {
			return &BrokenError{Cause: cause}
		}
	}
	if !rollback {
		return nil
	}
	for _, d := range databases {
		if err := d.SetRollback(ctx, true); err != nil {
			return err
		}
	}
	return nil
}

// ParticipantError says why a database cannot take part in [AtomicAll]. Nothing was written.
type ParticipantError struct {
	Alias  string
	Reason string
	Advice string // what can be done about it; may be empty
	Err    error  // the cause, or nil
}

// Error says which and why.
func (e *ParticipantError) Error() string {
	text := fmt.Sprintf("%q cannot take part in AtomicAll: %s", e.Alias, e.Reason)
	if e.Err != nil && KindOf(e.Err) != ErrUnknown && e.Err != ErrReadOnly { //nolint:errorlint // the bare kind says no more than the reason
		text += ": " + dialect.OneLine(e.Err.Error())
	}
	return text
}

// Unwrap returns the cause.
func (e *ParticipantError) Unwrap() error { return e.Err }

// Hint tells what can be done about it.
func (e *ParticipantError) Hint() string { return e.Advice }
