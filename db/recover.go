package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// RecoverOptions say what [Recover] finishes.
type RecoverOptions struct {
	// OlderThan leaves transactions alone that are younger, for their program may still be at work. It would be safe to finish them, but those
	// that are not decided would be rolled back. 0 takes all.
	OlderThan time.Duration
}

// Recovery is what [InDoubt] has found or [Recover] has done.
type Recovery struct {
	Transactions []InDoubtTx // by id, so the oldest first
	// Failed are the databases that could not be asked. Their part of the transactions stays as it is.
	Failed []DatabaseError
}

// DatabaseError is why a database could not be asked.
type DatabaseError struct {
	Alias string
	Err   error
}

// InDoubtTx is a transaction over several databases that is not finished.
type InDoubtTx struct {
	ID string
	// Decision is what its record says, "" where none of the databases has one.
	Decision Decision
	// Coordinator is the alias of the database that has the record.
	Coordinator string
	By          string        // user@host of the program that began it
	Age         time.Duration // since its record was written, by the clock of the database; 0 without a record
	// Participants are those of the record; without one, those that are known to keep it prepared.
	Participants []ParticipantState
	// Young says that it was left alone because it is younger than RecoverOptions.OlderThan.
	Young bool
	// Action is what has been done.
	Action RecoverAction
	// Reason is why the transaction is not finished after that; empty where it is.
	Reason string
}

// ParticipantState is a participant as a recovery sees it.
type ParticipantState struct {
	Participant
	Here     string // the alias of the given database that it is; empty where none of those that have answered is
	Prepared bool   // it keeps the transaction prepared
	Err      error  // why it could not be finished there
}

// RecoverAction is what a recovery has done about a transaction.
type RecoverAction string

// The actions.
const (
	ActionNone       RecoverAction = "none"
	ActionCommitted  RecoverAction = "committed"   // what was prepared
	ActionRolledBack RecoverAction = "rolled back" // what was prepared, or else its record was marked
	ActionRemoved    RecoverAction = "removed"     // its record: nothing was prepared any more
)

// Finished reports whether nothing of the transaction is left.
func (t *InDoubtTx) Finished() bool { return t.Action != ActionNone && t.Reason == "" }

// InDoubt lists the transactions of [AtomicAll] that are not finished on the given databases, those under way included. It changes nothing. The error is
// that of ctx; a database that cannot be asked is in Recovery.Failed.
func InDoubt(ctx context.Context, databases ...*DB) (*Recovery, error) {
	r := newRecovery(ctx, databases)
	for _, p := range r.places {
		p.db = p.db.bare() // a view for dry runs may be looked at, too
	}
	r.readRecords(ctx)
	r.listPrepared(ctx)
	return r.result(), context.Cause(ctx)
}

// Recover finishes the transactions of [AtomicAll] that were left by a program that has died or that could not reach a database: those that are
// decided as was decided, and the others by rolling them back, after that has been written to their record, so that a program that is still
// alive cannot commit any more. A transaction is not touched without its record, and a record stays until all its participants are among the
// given databases and keep nothing prepared. Give all databases that the program uses; those that cannot take part in AtomicAll are passed
// over. Any number of recoveries may run at a time, beside AtomicAll.
//
// The error is that of ctx; what could not be done is in the Recovery.
func Recover(ctx context.Context, databases []*DB, o RecoverOptions) (*Recovery, error) {
	r := newRecovery(ctx, databases)
	r.readRecords(ctx)
	// The decisions come first: what is listed as prepared after them is all there is.
	for _, t := range r.transactions {
		t.settled = t.Age >= o.OlderThan && r.fence(ctx, t)
	}
	r.listPrepared(ctx)
	for _, id := range slices.Sorted(maps.Keys(r.transactions)) {
		if ctx.Err() == nil {
			r.finish(ctx, r.transactions[id], o)
		}
	}
	return r.result(), context.Cause(ctx)
}

// recovery is one pass over the databases.
type recovery struct {
	places       []*location
	failed       []DatabaseError
	transactions map[string]*doubtful
}

// location is a database that was given and has answered so far.
type location struct {
	db   *DB
	site string
}

// doubtful is a transaction with where its parts were found.
type doubtful struct {
	InDoubtTx
	records  []*location         // that have its record
	prepared map[int][]*location // those that list a number as prepared: several where they are on one server
	fenced   bool                // this recovery has decided
	settled  bool                // its decision is final
	gone     bool                // it was finished meanwhile
}

func newRecovery(ctx context.Context, databases []*DB) *recovery {
	r := &recovery{transactions: map[string]*doubtful{}}
	for i, d := range databases {
		if !d.dialect.Features().TwoPhase.Possible() || slices.ContainsFunc(databases[:i], func(other *DB) bool { return other.core == d.core }) {
			continue
		}
		s, err := d.findSite(d.outside(ctx))
		switch {
		case err != nil:
			r.failed = append(r.failed, DatabaseError{d.alias, err})
		case !s.readOnly: // a replica's records may be old, and its prepared transactions are the primary's
			r.places = append(r.places, &location{d, s.where})
		}
	}
	return r
}

// each calls f for every place; one that fails is not counted on any more.
func (r *recovery) each(ctx context.Context, f func(ctx context.Context, p *location) error) {
	r.places = slices.DeleteFunc(r.places, func(p *location) bool {
		err := f(p.db.outside(ctx), p)
		if err != nil {
			r.failed = append(r.failed, DatabaseError{p.db.alias, err})
		}
		return err != nil
	})
}

func (r *recovery) readRecords(ctx context.Context) {
	r.each(ctx, func(ctx context.Context, p *location) error {
		records, err := p.db.records(ctx, "")
		for _, found := range records {
			r.transaction(found.id).add(found, p)
		}
		return err
	})
}

func (r *recovery) transaction(id string) *doubtful {
	t := r.transactions[id]
	if t == nil {
		t = &doubtful{InDoubtTx: InDoubtTx{ID: id, Action: ActionNone}, prepared: map[int][]*location{}}
		r.transactions[id] = t
	}
	return t
}

// add takes a record in. Two aliases may be of one database, or one database a copy of the other: a commit that any of them knows of was decided.
func (t *doubtful) add(found record, p *location) {
	t.records = append(t.records, p)
	if t.Decision != "" {
		t.Decision = either(t.Decision, found.decision)
		return
	}
	t.Decision, t.Coordinator, t.By, t.Age = found.decision, p.db.alias, found.by, found.age
	for _, participant := range found.participants {
		t.Participants = append(t.Participants, ParticipantState{Participant: participant})
	}
}

// either is the decision that two records of a transaction give together.
func either(a, b Decision) Decision {
	for _, d := range []Decision{DecisionCommitted, DecisionPreparing} {
		if a == d || b == d {
			return d
		}
	}
	return DecisionAborted
}

// fence makes the decision of an old transaction final in its record, and reports whether it is: whoever has not decided yet cannot any more. That
// a copy of the record knows of no commit says nothing.
func (r *recovery) fence(ctx context.Context, t *doubtful) bool {
	if t.Decision == DecisionCommitted {
		return true
	}
	t.Reason = fmt.Sprintf("its record is on a copy of its first database, or that was moved: %s is not the server that the record names", t.Coordinator)
	for _, p := range t.records {
		if !t.begunAt(p) {
			continue
		}
		ctx := p.db.outside(ctx)
		n, err := p.db.ExecRows(ctx, p.db.decideQuery(), string(DecisionAborted), t.ID, string(DecisionPreparing))
		found := DecisionAborted
		if err == nil && n == 0 {
			found, err = p.db.decisionOf(ctx, t.ID)
		}
		switch {
		case errors.Is(err, errForgotten):
			t.gone = true
			return false
		case err != nil:
			t.Reason = fmt.Sprintf("its record cannot be decided: %s", err)
			return false
		}
		t.Reason = ""
		t.fenced = t.fenced || n > 0
		if t.Decision != DecisionCommitted { // two aliases may be of it
			t.Coordinator, t.Decision = p.db.alias, found
		}
	}
	return t.Reason == ""
}

// begunAt reports whether p is the first database of the transaction, where its decision is made.
func (t *doubtful) begunAt(p *location) bool {
	return len(t.Participants) > 0 && t.Participants[0].Site == p.site
}

// listPrepared looks for what is prepared, and for the records of those that have begun after the records were read.
func (r *recovery) listPrepared(ctx context.Context) {
	r.each(ctx, func(ctx context.Context, p *location) error {
		names, err := p.db.preparedNames(ctx)
		for name := range names {
			id, number, _ := parseBranchName(name)
			t := r.transaction(id)
			t.prepared[number] = append(t.prepared[number], p)
		}
		return err
	})
	begun := slices.Collect(maps.Keys(r.transactions))
	begun = slices.DeleteFunc(begun, func(id string) bool { return r.transactions[id].Decision != "" })
	if len(begun) == 0 {
		r.locateAll(nil)
		return
	}
	r.each(ctx, func(ctx context.Context, p *location) error {
		for _, id := range begun {
			records, err := p.db.records(ctx, id)
			if err != nil {
				return err
			}
			for _, found := range records {
				r.transaction(id).add(found, p)
			}
		}
		return nil
	})
	again := map[string]bool{}
	r.each(ctx, func(ctx context.Context, p *location) error {
		names, err := p.db.preparedNames(ctx)
		maps.Copy(again, names)
		return err
	})
	r.locateAll(again)
}

// locateAll finds the participants of all transactions, and drops those that are finished by now. still are the names that were found prepared once
// more, after the records were looked for.
func (r *recovery) locateAll(still map[string]bool) {
	for _, t := range r.transactions {
		if t.Decision == "" { // or its program has finished it since it was listed
			maps.DeleteFunc(t.prepared, func(number int, _ []*location) bool { return !still[branchName(t.ID, number)] })
			t.gone = len(t.prepared) == 0
		}
		r.locate(t)
	}
	maps.DeleteFunc(r.transactions, func(_ string, t *doubtful) bool { return t.gone })
}

// locate finds the participants among the places.
func (r *recovery) locate(t *doubtful) {
	if t.Decision == "" {
		for number, places := range t.prepared {
			p := places[0]
			t.Participants = append(t.Participants, ParticipantState{
				Participant: Participant{Number: number, Alias: p.db.alias, Address: p.db.Address(), Site: p.site}, Here: p.db.alias, Prepared: true,
			})
		}
		slices.SortFunc(t.Participants, func(a, b ParticipantState) int { return cmp.Compare(a.Number, b.Number) })
		return
	}
	for i := range t.Participants {
		state := &t.Participants[i]
		for _, p := range r.places {
			if p.site == state.Site && (state.Here == "" || p.db.alias == state.Alias) {
				state.Here = p.db.alias
			}
		}
		state.Prepared = len(t.prepared[state.Number]) > 0
	}
}

// finish ends what is prepared of a transaction, and removes its record when nothing is.
func (r *recovery) finish(ctx context.Context, t *doubtful, o RecoverOptions) {
	switch {
	case t.Decision == "":
		t.Reason = "none of the databases has its record: the one that it was begun on first is not among them"
		return
	case t.Reason != "":
		return
	case !t.settled && t.Age >= o.OlderThan:
		t.Young = true
		t.Reason = "it has begun only now: its program is at work"
		return
	case !t.settled:
		t.Young = true
		t.Reason = fmt.Sprintf("it is younger than %s: its program may still be at work", o.OlderThan)
		return
	}
	t.Action = ActionRemoved
	if t.fenced {
		t.Action = ActionRolledBack
	}
	var left []string
	for i := range t.Participants {
		state := &t.Participants[i]
		if state.Prepared {
			state.Err = r.conclude(ctx, t, state.Number)
			state.Prepared = state.Err != nil
			if state.Err == nil {
				t.Action = map[Decision]RecoverAction{DecisionCommitted: ActionCommitted, DecisionAborted: ActionRolledBack}[t.Decision]
			}
		}
		switch {
		case state.Err != nil:
			left = append(left, fmt.Sprintf("%s keeps it prepared: %s", state.Alias, state.Err))
		case state.Here == "":
			left = append(left, fmt.Sprintf("%s (%s) is not among the databases that were asked", state.Alias, state.Address))
		}
	}
	for _, p := range t.records {
		if len(left) > 0 {
			break
		}
		if err := p.db.forget(p.db.outside(ctx), t.ID); err != nil {
			left = append(left, fmt.Sprintf("its record was not removed: %s", err))
		}
	}
	t.Reason = strings.Join(left, "; ")
}

// conclude ends one prepared part from a place that lists it.
func (r *recovery) conclude(ctx context.Context, t *doubtful, number int) (err error) {
	for _, p := range t.prepared[number] {
		if err = p.db.concludeElsewhere(ctx, branchName(t.ID, number), t.Decision); err == nil {
			return nil
		}
	}
	return err
}

func (r *recovery) result() *Recovery {
	result := &Recovery{Failed: r.failed}
	for _, t := range r.transactions {
		result.Transactions = append(result.Transactions, t.InDoubtTx)
	}
	slices.SortFunc(result.Transactions, func(a, b InDoubtTx) int { return strings.Compare(a.ID, b.ID) })
	return result
}
