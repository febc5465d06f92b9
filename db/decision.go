package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/person"
)

// Participant is a database in a transaction over several, as the program that began it knew it.
type Participant struct {
	Number  int    `json:"number"` // from 1, in the order of the databases
	Alias   string `json:"alias"`
	Address string `json:"address"` // without a password
	// Site tells the database from all others, in its own words, the same for everybody.
	Site string `json:"site"`
}

// MakeDecisionTable makes the table drover_decisions, which [AtomicAll] needs on its first database, and reports whether it was missing. Where
// a database cannot prepare transactions it does nothing. It is for packages of this module.
func (d *DB) MakeDecisionTable(ctx context.Context) (made bool, err error) {
	if !d.dialect.Features().TwoPhase.Possible() {
		return false, nil
	}
	return d.makeDecisionTable(ctx)
}

func (d *DB) makeDecisionTable(ctx context.Context) (made bool, err error) {
	if d.decisions.Load() {
		return false, nil
	}
	err = d.QueryRow(ctx, "SELECT 1 FROM drover_decisions WHERE 1 = 0").Scan(new(int))
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case KindOf(err) == ErrUndefinedTable:
		if err := d.createDecisionTable(ctx); err != nil {
			return false, err
		}
		made = true
	default:
		return false, d.wrap("look for the table drover_decisions", err)
	}
	d.decisions.Store(true)
	return made, nil
}

// createDecisionTable makes the table behind the lock that all tables of drover's are made behind: on PostgreSQL two that make it at a time would fail.
func (d *DB) createDecisionTable(ctx context.Context) error {
	features := d.dialect.Features()
	create := features.TwoPhase.DecisionTable
	if features.ImplicitCommit {
		return d.Exec(ctx, create)
	}
	return d.Atomic(ctx, func(ctx context.Context) error {
		if err := d.QueryRow(ctx, features.SchemaLock).Scan(new(int64)); err != nil {
			return d.wrap("lock the tables of drover", err)
		}
		return d.Exec(ctx, create)
	})
}

// note writes that the global transaction is about to be prepared.
func (g *global) note(ctx context.Context, conn *sql.Conn) error {
	var participants []Participant
	for i, b := range g.branches {
		participants = append(participants, Participant{Number: i + 1, Alias: b.db.alias, Address: b.db.Address(), Site: b.site})
	}
	text, err := json.Marshal(participants)
	if err != nil {
		return fmt.Errorf("note the participants: %w", err)
	}
	first := g.branches[0].db
	_, err = first.execOn(ctx, conn, "INSERT INTO drover_decisions (id, state, participants, created_by, begun_at) VALUES (?, ?, ?, ?, "+first.dialect.Features().Clock+")",
		g.id, string(DecisionPreparing), string(text), person.Name())
	g.noted = err == nil || first.outcomeUnknown(err)
	if KindOf(err) == ErrUndefinedTable {
		first.decisions.Store(false) // somebody has dropped it; the next call makes it again
	}
	return err
}

// execOn runs a statement on a connection outside blocks, with a context that outlives the caller's.
func (d *DB) execOn(ctx context.Context, conn *sql.Conn, query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	query, err := d.rebind(query, args)
	if err != nil {
		return 0, err
	}
	var n int64
	err = d.intercept(ctx, query, named(args), func(ctx context.Context) error {
		result, err := conn.ExecContext(ctx, query, args...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return n, d.wrap("exec", err)
}

// The decision is made by whoever takes the record out of the state preparing, and made once. It must survive a crash: the other databases commit
// because of it.
func (d *DB) decideQuery() string {
	query := "UPDATE drover_decisions SET state = ?, decided_at = " + d.dialect.Features().Clock + " WHERE id = ? AND state = ?"
	if durable := d.dialect.Features().TwoPhase.Durable; durable != "" {
		query += " AND " + durable
	}
	return query
}

var (
	errRecovered = errors.New("rolled back: a recovery took the transaction for one whose program has died")
	errForgotten = errors.New("the decision's record is gone: a recovery has finished the transaction")
)

// decide writes the decision to commit. Where the answer is lost it is written again: that changes nothing when it has been written.
func (g *global) decide(ctx context.Context, conn *sql.Conn) (Decision, error) {
	first := g.branches[0].db
	args := []any{string(DecisionCommitted), g.id, string(DecisionPreparing)}
	n, err := first.execOn(ctx, conn, first.decideQuery(), args...)
	switch {
	case err == nil && n == 1:
		return DecisionCommitted, nil
	case err == nil:
		return DecisionAborted, errRecovered
	case !first.outcomeUnknown(err):
		return DecisionAborted, err
	}
	decision := DecisionPreparing
	lost := err
	err = first.patiently(ctx, func(ctx context.Context) error {
		n, err := first.ExecRows(ctx, first.decideQuery(), args...)
		if err == nil && n == 0 {
			decision, err = first.decisionOf(ctx, g.id)
		} else if err == nil {
			decision = DecisionCommitted
		}
		if errors.Is(err, errForgotten) {
			return backoff.Permanent(err)
		}
		return err
	})
	switch {
	case err != nil:
		return DecisionPreparing, joined([]error{lost, err})
	case decision == DecisionAborted:
		return decision, errRecovered
	}
	return decision, nil
}

// decisionOf reads a decision.
func (d *DB) decisionOf(ctx context.Context, id string) (Decision, error) {
	var state string
	err := d.QueryRow(ctx, "SELECT state FROM drover_decisions WHERE id = ?", id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return DecisionPreparing, errForgotten
	}
	return Decision(state), d.wrap("read the decision", err)
}

// forget removes the record of a global transaction that is finished everywhere. Where that fails a recovery does it.
func (g *global) forget(ctx context.Context) {
	first := g.branches[0].db
	ctx, cancel := context.WithTimeout(context.WithoutCancel(first.outside(ctx)), commitTimeout)
	defer cancel()
	if err := first.forget(ctx, g.id); err != nil {
		first.log.WarnContext(ctx, "the record of a finished transaction was not removed", "database", first.alias, "transaction", g.id, "error", err)
	}
}

func (d *DB) forget(ctx context.Context, id string) error {
	return d.Exec(ctx, "DELETE FROM drover_decisions WHERE id = ?", id)
}

// record is a row of the table.
type record struct {
	id           string
	decision     Decision
	participants []Participant
	by           string
	age          time.Duration
}

// records reads the decisions, those with one id or all; none where there is no table.
func (d *DB) records(ctx context.Context, id string) ([]record, error) {
	p := d.dialect.Features().TwoPhase
	query := "SELECT id, state, participants, created_by, " + p.DecisionAge + " FROM drover_decisions WHERE id = ? OR ? = '' ORDER BY id"
	var all []record
	err := dialect.Each(ctx, d, query, []any{id, id}, func(scan func(...any) error) error {
		var r record
		var state, participants string
		var age float64
		if err := scan(&r.id, &state, &participants, &r.by, &age); err != nil {
			return err
		}
		r.decision, r.age = Decision(state), max(time.Duration(age*float64(time.Second)), 0)
		if err := json.Unmarshal([]byte(participants), &r.participants); err != nil {
			return fmt.Errorf("read the participants of %s: %w", r.id, err)
		}
		all = append(all, r)
		return nil
	})
	if KindOf(err) == ErrUndefinedTable {
		return nil, nil
	}
	return all, d.wrap("read the decisions", err)
}
