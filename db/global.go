package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/oklog/ulid/v2"

	"github.com/drover-dev/drover/internal/dialect"
)

// global is one attempt at a transaction over several databases.
type global struct {
	id       string
	branches []*branch // in the order of the databases; the first one's database keeps the decision
	decision Decision
	noted    bool // there may be a record of it
}

// branch is the part of a global transaction that is on one database.
type branch struct {
	db       *DB
	site     string
	name     string // of the prepared transaction
	tx       *transaction
	prepared bool // or perhaps, where the answer was lost
	late     bool // the answer was lost, so that the server may still be about to prepare it
	settled  bool // ended as decided
}

// branchName is the name of a prepared transaction. Recovery looks at no other.
func branchName(id string, number int) string { return fmt.Sprintf("drover:%s:%d", id, number) }

var namePattern = regexp.MustCompile(`^drover:([0-9A-HJKMNP-TV-Z]{26}):([1-9][0-9]{0,4})$`)

func parseBranchName(name string) (id string, number int, ok bool) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return "", 0, false
	}
	number, err := strconv.Atoi(m[2])
	return m[1], number, err == nil
}

// atomicAll runs one attempt, then its hooks.
func atomicAll(ctx context.Context, databases []*DB, sites []string, fn func(context.Context) error, o blockOptions) error {
	g := &global{id: ulid.MustNew(ulid.Now(), rand.Reader).String(), decision: DecisionAborted}
	for i, d := range databases {
		g.branches = append(g.branches, &branch{db: d, site: sites[i], name: branchName(g.id, i+1)})
	}
	err := g.hold(ctx, g.branches, fn, o)
	errs := []error{g.settle(ctx, err)}
	if g.decision == DecisionCommitted {
		for _, b := range g.branches {
			if b.settled {
				errs = append(errs, b.db.runHooks(ctx, b.tx.hooks))
			}
		}
	}
	return joined(errs)
}

// joined joins errors; one alone stays as it is.
func joined(errs []error) error {
	var some []error
	for _, err := range errs {
		if err != nil {
			some = append(some, err)
		}
	}
	if len(some) == 1 {
		return some[0]
	}
	return errors.Join(some...)
}

// hold opens the blocks of rest, each inside the one before, and works inside the last.
func (g *global) hold(ctx context.Context, rest []*branch, fn func(context.Context) error, o blockOptions) error {
	if len(rest) == 0 {
		return g.work(ctx, fn)
	}
	b := rest[0]
	o.tx.Name = b.name
	return b.db.hold(ctx, o.tx, ownerAll, func(tx *transaction) error {
		b.tx = tx
		defer func() {
			if !tx.ended.Load() { // fn has panicked, the work is not to be kept, or the next database cannot be reached
				tx.rollback(ctx)
			}
		}()
		return g.hold(tx.context(ctx), rest[1:], fn, o)
	})
}

// work runs fn and both phases, as far as they can be done on the connections of the blocks.
func (g *global) work(ctx context.Context, fn func(context.Context) error) error {
	err := fn(ctx)
	keep := true
	for _, b := range g.branches {
		one, problem := b.tx.verdict(ctx, err)
		keep = keep && one
		if err == nil {
			err = problem
		}
	}
	if !keep {
		return err
	}
	// The connection is taken before anything is prepared, so that no prepared transaction waits for it.
	first := g.branches[0].db
	conn, err := first.acquire(ctx, first.opened.Pool)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := g.note(ctx, conn); err != nil {
		return err
	}
	for _, b := range g.branches {
		if err == nil {
			err = b.prepare(ctx)
		}
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("rolled back before COMMIT: %w", context.Cause(ctx))
	}
	if err == nil {
		g.decision, err = g.decide(ctx, conn)
	}
	for _, b := range g.branches {
		b.conclude(ctx, g.decision)
	}
	return err
}

// prepare is the first phase.
func (b *branch) prepare(ctx context.Context) error {
	perhaps, err := b.tx.prepare(ctx)
	b.prepared, b.late = perhaps, perhaps && err != nil
	return err
}

// conclude is the second phase, on the connection that has prepared the transaction.
func (b *branch) conclude(ctx context.Context, decision Decision) {
	statement := b.db.conclusion(decision)
	switch {
	case !b.prepared:
		b.tx.rollback(ctx)
		b.settled = true
		return
	case statement == "":
		b.tx.discard = true // on MariaDB others can end the transaction only when its session is over
	default:
		b.settled = b.tx.conclude(ctx, dialect.Named(statement, b.name)) == nil
	}
	b.tx.end(ctx)
}

// conclusion is the statement that ends a prepared transaction as was decided, or "" where it is not known what was.
func (d *DB) conclusion(decision Decision) string {
	switch decision {
	case DecisionCommitted:
		return d.dialect.Features().TwoPhase.Commit
	case DecisionAborted:
		return d.dialect.Features().TwoPhase.Rollback
	}
	return ""
}

// prepare ends the transaction's work and leaves it prepared under its name. Where the answer is lost, perhaps is true as well.
func (tx *transaction) prepare(ctx context.Context) (perhaps bool, err error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.ended.Store(true) // while mu is held: no other goroutine's statement may come after it
	sent := false
	for _, statement := range tx.db.dialect.Features().TwoPhase.Prepare {
		query := dialect.Named(statement, tx.name)
		sent = false
		err := tx.db.intercept(context.WithoutCancel(ctx), query, nil, func(ctx context.Context) error {
			sent = true
			return tx.sendPrepare(ctx, query)
		})
		if err != nil {
			return sent && tx.db.outcomeUnknown(err), tx.db.wrap("prepare", err)
		}
	}
	return true, nil
}

// sendPrepare goes through pgx where the connection runs on it, as COMMIT does.
func (tx *transaction) sendPrepare(ctx context.Context, query string) error {
	ctx, cancel := tx.closingContext(ctx, commitTimeout)
	defer cancel()
	if tx.native != nil {
		return tx.native.Commit(ctx)
	}
	return dialect.Exec(ctx, tx.conn, query)
}

// conclude ends the prepared transaction on its own connection.
func (tx *transaction) conclude(ctx context.Context, query string) error {
	ctx, cancel := tx.closingContext(ctx, commitTimeout)
	defer cancel()
	err := tx.control(ctx, query)
	if err != nil {
		tx.discard = true
	}
	return err
}

// settle finishes what the blocks could not, now that their connections are given back, and returns the error of the whole: err is that of the work.
func (g *global) settle(ctx context.Context, err error) error {
	e := &InDoubtError{ID: g.id, Decision: g.decision, Err: err}
	for _, b := range g.branches {
		if b.prepared && !b.settled && g.decision != DecisionPreparing {
			failure := b.db.concludeElsewhere(ctx, b.name, g.decision)
			b.settled = failure == nil
			if failure != nil {
				e.Err = joined([]error{e.Err, failure})
			}
		}
		if b.prepared && !b.settled {
			e.InDoubt = append(e.InDoubt, b.db.alias)
		} else if b.prepared {
			e.Done = append(e.Done, b.db.alias)
		}
	}
	if len(e.InDoubt) > 0 {
		return e
	}
	// What is prepared late needs the record: a recovery removes it, some time later.
	if g.noted && !slices.ContainsFunc(g.branches, func(b *branch) bool { return b.late }) {
		g.forget(ctx)
	}
	return err
}

// concludeElsewhere ends a prepared transaction on any connection. One that is not there any more has been ended by somebody else, who has
// read the same decision.
func (d *DB) concludeElsewhere(ctx context.Context, name string, decision Decision) error {
	p := d.dialect.Features().TwoPhase
	query := dialect.Named(d.conclusion(decision), name)
	return d.patiently(ctx, func(ctx context.Context) error {
		err := d.Exec(ctx, query)
		if own, ok := errors.AsType[*Error](err); !ok || own.Code != p.Missing {
			return err
		}
		names, listErr := d.preparedNames(ctx)
		switch {
		case listErr != nil:
			return listErr
		case !names[name]:
			return nil
		}
		return fmt.Errorf("%w: another session holds the prepared transaction", err)
	})
}

// preparedNames lists the prepared transactions of drover's that can be ended from d.
func (d *DB) preparedNames(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	err := dialect.Each(ctx, d, d.dialect.Features().TwoPhase.Prepared, nil, func(scan func(...any) error) error {
		var kind, first, second int64
		var name string
		err := scan(&kind, &first, &second, &name)
		if _, _, ok := parseBranchName(name); ok && kind == 1 && second == 0 {
			names[name] = true
		}
		return err
	})
	return names, d.wrap("list the prepared transactions", err)
}

// patience is how long a database that does not answer is tried at the end of a global transaction.
const patience = 10 * time.Second

// patiently tries f until it succeeds or the time is over, with a context outside d's blocks that outlives the caller's. What d's user may not
// do is not tried again.
func (d *DB) patiently(ctx context.Context, f func(ctx context.Context) error) error {
	limit := min(patience, d.acquireTimeout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.outside(ctx)), limit)
	defer cancel()
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = 10*time.Millisecond, 500*time.Millisecond
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := f(ctx)
		if KindOf(err) == ErrPermission {
			return struct{}{}, backoff.Permanent(err)
		}
		if err != nil && (last == nil || ctx.Err() == nil) { // the last one is often just that the time is over
			last = err
		}
		return struct{}{}, err
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(limit))
	if err != nil && last != nil && KindOf(err) != ErrPermission {
		return last
	}
	return err
}

// Decision is what the record of a transaction over several databases says.
type Decision string

// The decisions.
const (
	DecisionPreparing Decision = "preparing" // not made yet
	DecisionCommitted Decision = "committed"
	DecisionAborted   Decision = "aborted"
)

// InDoubtError says that a transaction over several databases is not finished on all of them: some keep it prepared, with its locks, until
// [Recover] finishes it. errors.Is(err, ErrCommitted) holds where it is decided that all commit, and errors.Is(err, ErrOutcomeUnknown) where
// it is not known whether they do.
type InDoubtError struct {
	ID       string
	Decision Decision // DecisionPreparing: it is not known
	Done     []string // the databases that have committed, or rolled back
	InDoubt  []string // those that keep it prepared, or perhaps do
	Err      error    // what has failed
}

// Error says what is decided and where it is not done.
func (e *InDoubtError) Error() string {
	what := "the outcome is not known"
	switch e.Decision {
	case DecisionCommitted:
		what = "committed"
	case DecisionAborted:
		what = "rolled back"
	}
	text := fmt.Sprintf("%s, but %s may still keep transaction %s prepared", what, strings.Join(e.InDoubt, " and "), e.ID)
	if e.Err != nil {
		text += ": " + dialect.OneLine(e.Err.Error())
	}
	return text
}

// Unwrap returns ErrCommitted or ErrOutcomeUnknown, where one holds, and the cause.
func (e *InDoubtError) Unwrap() []error {
	switch e.Decision {
	case DecisionCommitted:
		return []error{ErrCommitted, e.Err}
	case DecisionAborted:
		return []error{e.Err}
	}
	return []error{ErrOutcomeUnknown, e.Err}
}

// Hint tells how it is finished.
func (e *InDoubtError) Hint() string {
	return `run "drover recover" when all its databases can be reached; do not repeat the work before that`
}

func isInDoubt(err error) bool {
	_, ok := errors.AsType[*InDoubtError](err)
	return ok
}
