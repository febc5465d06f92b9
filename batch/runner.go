package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/pace"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// runner is one attempt of one run.
type runner struct {
	*core
	settings *settings
	conn     *db.DB
	store    *runstore.Store

	current *runstore.Run // nil until there is one, and in a dry run
	isNew   bool
	plan    *Plan

	phase  phase
	source source
	imager imager // nil where no images are needed

	sizer    *pace.Sizer
	rate     *pace.Rate
	throttle *pace.Throttle // nil without meters
	created  imagedTables
	undoOf   string   // the run that this one undoes
	kept     []string // options that were changed from outside before this runner took the run
	slot     int      // which of the runs that may work on a shared source at a time, from 0

	numbers  atomic.Int64 // of batches
	last     atomic.Int64 // how long the last batch took, in nanoseconds
	longest  atomic.Int64 // how long the longest took since a meter has looked
	metered  atomic.Value // the name of the source's table in SQL, for meters
	wanted   atomic.Int64 // workers
	canary   canary
	failures failures
	tally    tally
	heart    heart
	stop     stop
	began    time.Time
	ended    bool // how the attempt ended is stored
	panicked *workerPanic

	observing sync.Mutex
	crewing   sync.Mutex
	crew      *crew // of the present phase; nil between phases
}

func newRunner(c *core, conn *db.DB, o Options) (*runner, error) {
	s, err := o.check()
	if err != nil {
		return nil, fmt.Errorf("options of %q: %w", c.name, err)
	}
	if s.Workers > 1 && conn.Dialect().Features().SingleWriter {
		return nil, drover.Exit(drover.ExitUsage, "%d workers: this database has one writer at a time, so more than one worker would only wait for it", s.Workers)
	}
	r := &runner{core: c, settings: s, conn: conn, store: runstore.New(conn)}
	if r.sizer, err = pace.NewSizer(pace.SizerOptions{Size: s.BatchSize, Auto: s.AutoSize, Target: s.TargetTime}); err != nil {
		return nil, err
	}
	r.rate = pace.NewRate(s.RowsPerSecond)
	r.stop.init()
	return r, r.meters()
}

// meters makes the throttle.
func (r *runner) meters() (err error) {
	if len(r.settings.Meters) == 0 && r.settings.MaxBatchTime == 0 {
		return nil
	}
	o := pace.ThrottleOptions{Observe: r.throttled}
	if limit := r.settings.MaxBatchTime; limit > 0 {
		o.Meters = append(o.Meters, pace.Meter{Name: "time of a batch", Unit: "s", Limit: limit.Seconds(), Read: r.batchTime()})
	}
	for _, m := range r.settings.Meters {
		read := m.Read
		if read == nil {
			read = func(ctx context.Context) (value float64, err error) {
				name, _ := r.metered.Load().(string)
				err = r.conn.QueryRow(ctx, strings.ReplaceAll(m.SQL, tableOfMeter, name)).Scan(&value)
				return value, err
			}
		}
		o.Meters = append(o.Meters, pace.Meter{
			Name: m.Name, Unit: m.Unit, Limit: m.Limit, Fatal: m.Fatal, Every: m.Every, Optional: m.Optional, Read: read,
		})
	}
	r.throttle, err = pace.NewThrottle(o)
	return err
}

// tableOfMeter stands for the source's table in the query of a meter.
const tableOfMeter = "{table}"

// checkMeters refuses a meter of a table where the source is none, and tells the meters which table it is.
func (r *runner) checkMeters() error {
	if r.imager != nil {
		r.metered.Store(r.imager.QuotedTable())
		return nil
	}
	for _, m := range r.settings.Meters {
		if strings.Contains(m.SQL, tableOfMeter) {
			return fmt.Errorf("the meter %q is of a table, and %s is none", m.Name, r.source.name())
		}
	}
	return nil
}

// batchTime reads how long the longest batch took that has ended since the reading before. While none ends, as when the run waits because of
// it, each reading is half of the one before.
func (r *runner) batchTime() func(context.Context) (float64, error) {
	value := 0.0
	return func(context.Context) (float64, error) {
		value = max(value/2, time.Duration(r.longest.Swap(0)).Seconds())
		return value, nil
	}
}

// throttled tells that the workers wait, or go on.
func (r *runner) throttled(e pace.Event) {
	kind, reason := EventThrottled, e.Reason
	if e.Resumed {
		kind, reason = EventContinued, ""
	}
	r.setWaiting(reason)
	r.emit(Event{Type: kind, Text: e.Reason, Wait: e.After})
	r.keepEvent(string(kind), e.String())
}

// stopped reports whether the run was asked to stop. It does not rely on who listens for that: there is nobody in a rehearsal, and in a run
// another batch could begin before.
func (r *runner) stopped() bool {
	select {
	case <-r.settings.Stopping:
		r.askStop(r.settings.whyStopped(), false)
	default:
	}
	return r.stop.wanted()
}

// id is the run's id; "" in a dry run.
func (r *runner) id() string {
	if r.current == nil {
		return ""
	}
	return r.current.ID
}

func (r *runner) now() time.Time { return r.settings.Now() }

// emit tells the observer.
func (r *runner) emit(e Event) {
	e.Time, e.RunID = r.now(), r.id()
	r.observing.Lock()
	defer r.observing.Unlock()
	r.settings.Observe(e)
}

// run finds or makes the run, and works it to its end.
func (r *runner) run(ctx context.Context) (*Result, error) {
	if _, err := r.makePlan(ctx); err != nil {
		return nil, err
	}
	if r.plan.Refusal != nil {
		return nil, r.plan.Refusal
	}
	return r.execute(ctx)
}

// makePlan finds the run to resume, or measures a new one. It only reads.
func (r *runner) makePlan(ctx context.Context) (*Plan, error) {
	for {
		if err := r.lookUp(ctx); err != nil {
			return nil, err
		}
		if err := r.claim(ctx); err != nil {
			return nil, err
		}
		p, err := r.measure(ctx)
		if err != nil {
			return nil, err
		}
		r.plan = p
		if r.current == nil || !r.current.Live() || !r.nextSlot() {
			return p, nil
		}
	}
}

// shared reports whether several runs may work on the source at a time.
func (r *runner) shared() bool {
	s, ok := r.source.(sharer)
	return ok && s.shared()
}

// nextSlot moves on to the next of the runs that may work on the source at a time, where there may be several: each has an identity of its
// own, so that the run of a runner that has died is resumed by the next one that begins.
func (r *runner) nextSlot() bool {
	if !r.shared() || r.settings.Resume != "" {
		return false
	}
	r.slot++
	r.current = nil
	return true
}

// lookUp finds the run that these options go on with, if there is one.
func (r *runner) lookUp(ctx context.Context) error {
	s := r.settings
	switch err := r.store.Ready(ctx); {
	case errors.Is(err, runstore.ErrNoTables):
		if s.Resume != "" || s.RetryOf != "" {
			return r.noRun(cmp.Or(s.Resume, s.RetryOf))
		}
		r.isNew = true
		return nil
	case err != nil:
		return err
	}
	if s.RetryOf != "" {
		return r.lookUpRetry(ctx)
	}
	identity := r.identity()
	if s.Resume != "" {
		found, err := r.store.Find(ctx, s.Resume)
		switch {
		case errors.Is(err, runstore.ErrNoRun):
			return r.noRun(s.Resume)
		case err != nil:
			return fmt.Errorf("resume run %s: %w", s.Resume, err)
		}
		return r.resume(ctx, found, identity)
	}
	latest, err := r.store.Latest(ctx, identity)
	switch {
	case errors.Is(err, runstore.ErrNoRun):
		r.isNew = true
		return nil
	case err != nil:
		return err
	case !latest.State.Finished():
		if s.Again && latest.State != runstore.Undoing {
			return &UnfinishedError{RunID: latest.ID}
		}
		return r.resume(ctx, latest, identity)
	case latest.State == runstore.Succeeded && !s.Again && !r.repeatable:
		return &DoneError{RunID: latest.ID}
	}
	r.isNew = true
	return nil
}

// noRun refuses to go on with a run that is not there.
func (r *runner) noRun(id string) error {
	refused := drover.Exit(drover.ExitUsage, "no run %q in database %q; nothing was changed", id, r.conn.Alias()).Try("%s runs list    shows the runs", r.tool())
	refused.Err = runstore.ErrNoRun
	return refused
}

// lookUpRetry finds the run whose quarantine is replayed, and an unfinished replay of it.
func (r *runner) lookUpRetry(ctx context.Context) error {
	of, err := r.store.Find(ctx, r.settings.RetryOf)
	switch {
	case errors.Is(err, runstore.ErrNoRun):
		return r.noRun(r.settings.RetryOf)
	case err != nil:
		return fmt.Errorf("retry the quarantine of run %s: %w", r.settings.RetryOf, err)
	}
	if of.Command != r.name {
		return &MismatchError{RunID: of.ID, What: fmt.Sprintf("it was begun by %q", of.Command)}
	}
	r.settings.RetryOf = of.ID
	latest, err := r.store.Latest(ctx, r.identity())
	switch {
	case errors.Is(err, runstore.ErrNoRun):
		r.isNew = true
		return nil
	case err != nil:
		return err
	case latest.State.Finished():
		r.isNew = true
		return nil
	}
	return r.resume(ctx, latest, r.identity())
}

// identity says which work the run is.
func (r *runner) identity() string {
	args := slices.Clone(r.settings.args)
	if r.settings.RetryOf != "" {
		args = append(args, runstore.Argument{Name: "retry of", Value: r.settings.RetryOf})
	}
	if limit := (runstore.Argument{Name: "limit", Value: strconv.FormatInt(r.settings.Limit, 10)}); r.settings.Limit > 0 && !slices.Contains(args, limit) {
		args = append(args, limit) // a run of all rows cannot be gone on with as one of some, nor the other way round
	}
	if r.slot > 0 {
		args = append(args, runstore.Argument{Name: "slot", Value: strconv.Itoa(r.slot)})
	}
	return runstore.Identity(r.name, args, r.conn.Address())
}

// resume takes a stored run as the one to go on with.
func (r *runner) resume(ctx context.Context, found *runstore.Run, identity string) error {
	switch {
	case found.Command != r.name:
		return &MismatchError{RunID: found.ID, What: fmt.Sprintf("it was begun by %q", found.Command)}
	case found.Identity != identity && found.RetryOf == "" && found.UndoOf == "":
		return &MismatchError{RunID: found.ID, What: "its arguments are " + describeArguments(found.Arguments)}
	case found.State == runstore.Succeeded:
		return &DoneError{RunID: found.ID}
	case found.State == runstore.Undoing:
		return drover.Exit(drover.ExitRefused, "run %s is being undone, so it cannot be gone on with", Short(found.ID)).
			Try("drover undo %s    ends the undoing", Short(found.ID))
	case found.State.Finished():
		return &MismatchError{RunID: found.ID, What: "it is " + string(found.State)}
	}
	if r.settings.Resume != "" && found.RetryOf != "" {
		r.settings.RetryOf = found.RetryOf
	}
	r.settings.Undo = found.Undo
	r.current = found
	return r.keepSet(ctx)
}

// describeArguments lists arguments for people.
func describeArguments(args []runstore.Argument) string {
	if len(args) == 0 {
		return "none"
	}
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = fmt.Sprintf("%s %q", a.Name, a.Value)
	}
	return strings.Join(texts, ", ")
}

// openPhase makes a phase the current one.
func (r *runner) openPhase(ctx context.Context, index int) error {
	if index >= len(r.phases) {
		return fmt.Errorf("run %s is in phase %d, and the job has only %d", Short(r.id()), index+1, len(r.phases))
	}
	r.closePhase()
	r.phase = r.phases[index]
	src, err := r.phase.open(ctx, r.conn)
	if err != nil {
		return err
	}
	r.imager, _ = src.(imager)
	if r.settings.RetryOf != "" {
		if src, err = replaySource(src, r.store, r.settings.RetryOf, index); err != nil {
			return err
		}
	}
	r.source = src
	if err := r.checkMeters(); err != nil {
		return err
	}
	if r.settings.Undo && r.imager == nil {
		return fmt.Errorf("undo is not possible: %s is no table whose rows could be read before they are changed", src.name())
	}
	return nil
}

func (r *runner) closePhase() {
	if c, ok := r.source.(closer); ok {
		c.close()
	}
}

// imagedTables knows tables by their names.
type imagedTables struct {
	mu    sync.Mutex
	known map[string]*imagedTable
}

// imagedTable is a table whose rows are journalled, with its name in SQL.
type imagedTable struct {
	*rowimage.Table
	name string
}

// get describes a table by the name that Process gives, or by its name in SQL.
func (c *imagedTables) get(ctx context.Context, conn *db.DB, name string) (*imagedTable, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.known[name]; t != nil {
		return t, nil
	}
	d := conn.Dialect()
	described, err := d.Table(ctx, conn, name)
	switch {
	case errors.Is(err, dialect.ErrNoTable): // which names it
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("describe table %s: %w", name, err)
	}
	if len(described.Keys) == 0 {
		return nil, fmt.Errorf("table %s has no key, so its rows cannot be found again", name)
	}
	images, err := rowimage.New(d, described, described.Keys[0])
	if err != nil {
		return nil, err
	}
	t := &imagedTable{images, keyset.TableName(d, described.Schema, described.Name)}
	if c.known == nil {
		c.known = map[string]*imagedTable{}
	}
	c.known[name] = t
	return t, nil
}

// failures counts rows that were set aside against the limit.
type failures struct {
	mu    sync.Mutex
	count int64
	limit int64
}

// admit takes n more, if there may be so many.
func (f *failures) admit(n int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count+n > f.limit {
		return false
	}
	f.count += n
	return true
}

// release gives back what a rolled-back transaction had taken.
func (f *failures) release(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count -= n
}

// most is the limit.
func (f *failures) most() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limit
}

func (f *failures) setLimit(limit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit = limit
}

// canary counts the rows that are worked on before the assertions are asked.
type canary struct {
	mu   sync.Mutex
	left int64
}

// size is how many rows the next batch may have while the canary lasts; 0 when it does not.
func (c *canary) size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// done counts rows and reports whether they were the canary's last.
func (c *canary) done(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left <= 0 {
		return false
	}
	c.left -= n
	return c.left <= 0
}

// cover reports whether the canary is over because there are no more rows.
func (c *canary) cover() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.left > 0
	c.left = 0
	return was
}

// keyText writes a key of the present phase for people; "" where there is none.
func (r *runner) keyText(key keyset.Values) string {
	if s, ok := r.source.(teller); ok {
		return s.tell(key)
	}
	return keyText(key)
}

// keyText writes a key for people; "" where there is none.
func keyText(key keyset.Values) string {
	if key == nil {
		return ""
	}
	return term.Printable(key.String())
}
