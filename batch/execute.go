package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/pace"
	"github.com/drover-dev/drover/internal/runstore"
)

// sizeChange is a change of the batch size.
type sizeChange = pace.Change

// endWithin is how long the last statements of a run may take that was told to stop at once.
const endWithin = 10 * time.Second

// execute works the run that makePlan has found or measured.
func (r *runner) execute(ctx context.Context) (_ *Result, err error) {
	defer r.closePhase()
	if w := r.settings.window; w != nil && !w.Open(r.now()) {
		return nil, &StoppedError{RunID: r.id(), Reason: r.outsideWindow(r.now())}
	}
	if err := r.tables(ctx); err != nil {
		return nil, err
	}
	if r.current == nil || r.current.Attempt == 0 {
		if err := assert(ctx, r.conn, "before the run", r.before, r.settings.Before); err != nil {
			return nil, err
		}
	}
	shards, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer r.abandon(ctx)
	err = r.hold(ctx, func(ctx context.Context) error { return r.phasesFrom(ctx, shards) })
	err = r.finish(ctx, err)
	return r.result(), err
}

// tables makes the control tables where they are missing.
func (r *runner) tables(ctx context.Context) error {
	changed, err := r.store.Init(ctx)
	if err != nil {
		failed := drover.Errorf("%w; no row was changed", err)
		if db.KindOf(err) == db.ErrPermission {
			_ = failed.Try("%s init --print-sql    prints the statements, for somebody who may run them", r.tool())
		}
		return failed
	}
	if changed {
		r.emit(Event{Type: EventTables, Text: "made drover's own tables, drover_runs and five others"})
	}
	return nil
}

// take stores a new run and takes its lease, or that of the one to resume. Where several runs may work on the source it moves on when
// another runner was faster.
func (r *runner) take(ctx context.Context) ([]*shard, error) {
	for {
		err := r.create(ctx)
		var shards []*shard
		if err == nil {
			shards, err = r.acquire(ctx)
		}
		if !errors.As(err, new(*LockedError)) || !r.nextSlot() {
			return shards, err
		}
		if _, err := r.makePlan(ctx); err != nil {
			return nil, err
		}
	}
}

// create stores a new run.
func (r *runner) create(ctx context.Context) error {
	if r.current != nil {
		return nil
	}
	s := r.settings
	var run *runstore.Run
	err := r.conn.Atomic(ctx, func(ctx context.Context) (err error) {
		if r.undoOf != "" { // from here on nobody can resume it
			if err := r.store.MarkUndoing(ctx, r.undoOf, s.By); err != nil {
				return err
			}
		}
		run, err = r.store.Create(ctx, r.identity(), runstore.NewRun{
			Command: r.name, Arguments: slices.Concat(s.args, s.frozen), CommandLine: s.CommandLine, Options: r.storedOptions(), Build: s.Build,
			Planned: r.plan.Rows, Undo: s.Undo, UndoOf: r.undoOf, RetryOf: s.RetryOf, CreatedBy: s.By, Shards: r.plan.shards,
		})
		return err
	}, db.Retry(defaultRetries))
	if errors.Is(err, runstore.ErrState) { // somebody else was first
		if latest, found := r.store.Latest(ctx, r.identity()); found == nil {
			return &LockedError{RunID: latest.ID, Owner: latest.CreatedBy, Tool: r.settings.tool}
		}
	}
	if err != nil {
		return fmt.Errorf("store the run: %w; no row was changed", err)
	}
	r.current = run
	return nil
}

// storedOptions are those that can be changed from outside.
func (r *runner) storedOptions() map[string]string {
	s := r.settings
	return map[string]string{
		optionBatchSize: strconv.Itoa(s.BatchSize),
		optionWorkers:   strconv.Itoa(s.Workers),
		optionMaxErrors: strconv.FormatInt(s.MaxErrors, 10),
		optionRate:      strconv.FormatFloat(s.RowsPerSecond, 'g', -1, 64),
	}
}

// acquire takes the run's lease and loads its shards.
func (r *runner) acquire(ctx context.Context) ([]*shard, error) {
	before := r.current
	run, stored, err := r.store.Acquire(ctx, r.current.ID, r.settings.Owner, r.settings.Lease)
	var held *runstore.HeldError
	switch {
	case errors.As(err, &held):
		return nil, &LockedError{RunID: held.Run.ID, Owner: held.Owner, Tool: r.settings.tool}
	case errors.Is(err, runstore.ErrState) && r.doneMeanwhile(ctx):
		return nil, &DoneError{RunID: r.current.ID}
	case err != nil:
		return nil, fmt.Errorf("take run %s: %w", Short(r.current.ID), err)
	}
	r.current = run
	r.began = r.now()
	r.noteRenewed()
	r.heart.options = run.Options // what was changed before is no change while this runner works
	r.tally.begin(r.phases, run.Phase, stored)
	r.failures.count, r.failures.limit = r.tally.aside, r.settings.MaxErrors
	r.canary.left = max(r.settings.Canary-rowsRead(stored), 0)
	e := Event{Type: EventStarted, Done: r.tally.done, Total: run.Planned, Rows: int64(r.sizer.Size()), Phase: r.phase.name, Earlier: r.tally.earlier()}
	if run.Attempt > 1 {
		e.Type, e.Attempt, e.Reached = EventResumed, run.Attempt, r.furthest(stored)
		if before.State == runstore.Interrupted {
			e.Text = "its last runner, " + before.Owner + ", has died"
		}
		if before.Build != r.settings.Build {
			e.Text = joinText(e.Text, "it was begun by another build: "+before.Build)
		}
	}
	r.emit(e)
	for _, text := range r.kept {
		r.emit(Event{Type: EventSet, Text: text})
	}
	return shardsOf(stored, run.Phase), nil
}

// doneMeanwhile reports whether the runner that held the run when it was looked up has finished it.
func (r *runner) doneMeanwhile(ctx context.Context) bool {
	now, err := r.store.Find(ctx, r.current.ID)
	return err == nil && now.State == runstore.Succeeded
}

// lastOf is the last key of the first phase.
func lastOf(shards []runstore.Shard) (last keyset.Values) {
	for _, sh := range shards {
		if sh.Phase == 0 {
			last = sh.Upper
		}
	}
	return last
}

func rowsRead(shards []runstore.Shard) (n int64) {
	for _, sh := range shards {
		n += sh.Read
	}
	return n
}

func joinText(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// furthest is how far the first shard that is not done has come.
func (r *runner) furthest(shards []runstore.Shard) string {
	reached := ""
	for _, sh := range shards {
		if sh.Reached != nil {
			reached = r.keyText(sh.Reached)
		}
		if !sh.Done {
			break
		}
	}
	return reached
}

func shardsOf(stored []runstore.Shard, phase int) []*shard {
	var shards []*shard
	for _, sh := range stored {
		if sh.Phase == phase {
			shards = append(shards, &shard{Shard: sh})
		}
	}
	return shards
}

// hold runs fn while the lease is renewed, the meters are read and a stop is listened for.
func (r *runner) hold(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, lose := context.WithCancelCause(ctx)
	r.heart.lose = lose
	defer lose(nil)
	beside, end := context.WithCancel(ctx)
	var around sync.WaitGroup
	around.Go(func() { r.beat(beside) })
	around.Go(func() {
		select {
		case <-r.settings.Stopping:
			r.askStop(r.settings.whyStopped(), false)
		case <-beside.Done():
		}
	})
	if limit := r.settings.TimeLimit; limit > 0 { // on time, also where the database does not answer the heart
		around.Go(func() {
			if sleep(beside, limit-r.now().Sub(r.began)) {
				r.look()
			}
		})
	}
	if r.throttle != nil {
		around.Go(func() { r.throttle.Run(beside) })
	}
	defer func() { // also when Process panics
		end()
		around.Wait()
	}()
	return fn(ctx)
}

// phasesFrom works the present phase and those after it.
func (r *runner) phasesFrom(ctx context.Context, shards []*shard) error {
	for {
		r.wanted.Store(int64(r.settings.Workers))
		if err := r.work(ctx, shards); err != nil {
			return err
		}
		if stopped := r.stop.error(r.id()); stopped != nil && !allDone(shards) {
			return stopped
		}
		if r.canary.cover() {
			if err := r.canaryOver(ctx); err != nil {
				return err
			}
		}
		next := r.current.Phase + 1
		if next == len(r.phases) {
			return nil
		}
		var err error
		if shards, err = r.nextPhase(ctx, next); err != nil {
			return err
		}
	}
}

func allDone(shards []*shard) bool {
	for _, sh := range shards {
		if !sh.Done {
			return false
		}
	}
	return true
}

// nextPhase measures a phase and makes it the run's present one.
func (r *runner) nextPhase(ctx context.Context, next int) ([]*shard, error) {
	if err := r.openPhase(ctx, next); err != nil {
		return nil, err
	}
	if f, ok := r.source.(follower); ok {
		stored, err := r.store.Shards(ctx, r.current.ID)
		if err != nil {
			return nil, err
		}
		f.endAt(lastOf(stored))
	}
	o := r.planOptions()
	o.known = false
	p, err := r.source.plan(ctx, r.conn, o)
	if err != nil {
		return nil, fmt.Errorf("measure phase %q: %w", r.phase.name, err)
	}
	if p.rows >= 0 && r.plan.Rows >= 0 && r.settings.RetryOf == "" { // the plan of a replay has counted those of all phases
		r.plan.Rows += p.rows
	}
	r.plan.Order, r.plan.Source = p.order, r.source.name()
	stored, err := r.store.StartPhase(ctx, r.current, next, r.plan.Rows, p.shards)
	if err != nil {
		return nil, fmt.Errorf("begin phase %q: %w", r.phase.name, err)
	}
	r.current.Phase = next
	r.tally.enter(r.phase.name, p.rows)
	r.emit(Event{Type: EventPhase, Text: r.phase.name, Done: r.tally.total(), Total: r.plan.Rows, Phase: r.phase.name, Earlier: r.tally.earlier()})
	return shardsOf(stored, next), nil
}

// finish ends the attempt: it asks the last assertions and stores the state that the run is in now. The statements get a context of their
// own, for the one of the run may have ended.
func (r *runner) finish(ctx context.Context, err error) error {
	if errors.Is(err, ErrTakenOver) {
		return err
	}
	if wished := r.stop.error(r.id()); errors.Is(err, errStopped) && wished != nil {
		err = wished
	}
	if err == nil {
		err = assert(ctx, r.conn, "after the run", r.after, r.settings.After)
	}
	var stopped *StoppedError
	state, text := runstore.Succeeded, ""
	switch {
	case errors.As(err, &stopped) && stopped.Cancelled:
		state, text = runstore.Cancelled, stopped.Reason
	case errors.As(err, &stopped):
		state, text = runstore.Paused, stopped.Reason
	case err != nil:
		state, text = runstore.Failed, err.Error()
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	r.ended = true
	r.flushEvents(ending)
	if failed := r.storeEnd(ending, state, text); failed != nil {
		if errors.Is(failed, runstore.ErrFenced) {
			failed = ErrTakenOver
		}
		return errors.Join(err, fmt.Errorf("store how the run ended: %w", failed))
	}
	r.current.State = state
	r.emit(Event{Type: EventFinished, Text: string(state), Done: r.tally.total(), Total: r.plan.Rows, Err: err})
	return err
}

// storeEnd stores the state that the run is in at the end, again and again where the database is away: all the work would be done, and the
// run read as one whose runner has died.
func (r *runner) storeEnd(ctx context.Context, state runstore.State, text string) error {
	pause := newPause()
	for {
		err := r.conn.Atomic(ctx, func(ctx context.Context) error {
			if r.undoOf != "" && state == runstore.Succeeded {
				if err := r.store.MarkUndone(ctx, r.undoOf, r.settings.By); err != nil {
					return err
				}
			}
			return r.store.Finish(ctx, r.current, state, text)
		})
		if err == nil {
			return nil
		}
		switch judge(err) {
		case reconnect, tryAgain, unknown:
		default:
			return err
		}
		if !sleep(ctx, pause.NextBackOff()) {
			return err
		}
	}
}

// abandon gives the lease back when Process has panicked.
func (r *runner) abandon(ctx context.Context) {
	if r.ended {
		return
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	text := "the program panicked"
	if r.panicked != nil {
		text += ": " + r.panicked.String()
	}
	_ = r.store.Finish(ending, r.current, runstore.Failed, text) // the panic itself is on its way
}
