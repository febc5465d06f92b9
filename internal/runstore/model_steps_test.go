package runstore_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
)

func (m *machine) create() {
	identity := rapid.SampledFrom([]string{"x", "y"}).Draw(m.T, "identity")
	n := runstore.NewRun{Command: identity, Planned: 10, Shards: make([]runstore.Shard, rapid.IntRange(0, 3).Draw(m.T, "shards"))}
	number := 1
	var want error
	for _, r := range m.runs {
		if r.Identity == identity {
			number = r.Number + 1
			if !r.State.Finished() {
				want = runstore.ErrState
			}
		}
	}
	run, err := m.w.Create(m.ctx, identity, n)
	m.want("create", err, want)
	if err != nil {
		return
	}
	r := &modelRun{Run: runstore.Run{
		ID: run.ID, Command: identity, Identity: identity, Number: number, Options: map[string]string{}, State: runstore.Planned, Planned: 10,
	}}
	for i := range n.Shards {
		r.shards = append(r.shards, runstore.Shard{RunID: run.ID, Number: i})
	}
	r.event("created")
	m.runs = append(m.runs, r)
}

func (m *machine) acquire() {
	n, r, ok := m.pick()
	if !ok {
		return
	}
	owner := m.owner()
	states := rapid.SampledFrom([][]runstore.State{nil, nil, nil, {runstore.Planned, runstore.Interrupted}, {runstore.Paused, runstore.Failed}}).Draw(m.T, "states")
	var want error
	switch {
	case r.live():
		want = errHeld
	case r.State.Finished(), r.State == runstore.Undoing, len(states) > 0 && !slices.Contains(states, r.reads()):
		want = runstore.ErrState
	}
	run, shards, err := m.w.Acquire(m.ctx, r.ID, owner, lease, states...)
	m.want("acquire", err, want)
	if err != nil {
		return
	}
	switch {
	case r.State == runstore.Running:
		r.event("taken over")
	case r.Attempt == 0:
		r.event("started")
	default:
		r.event("resumed")
	}
	r.State, r.expired, r.Owner, r.Request, r.Error, r.Waiting = runstore.Running, false, owner, "", "", ""
	r.Attempt++
	r.fence()
	if diff := cmp.Diff(r.shards, shards, cmpopts.EquateEmpty()); diff != "" {
		m.Fatalf("acquired shards (-model +store):\n%s", diff)
	}
	m.hands[hand{owner, n}] = &held{*run, shards}
}

func (m *machine) renew() {
	h, r, want, ok := m.pickHeld()
	if !ok {
		return
	}
	m.want("renew", m.w.Renew(m.ctx, &h.run, lease), want)
	if want == nil {
		r.expired = false
	}
}

func (m *machine) expire() {
	_, r, ok := m.pick()
	if !ok {
		return
	}
	m.w.expire(m, r.ID)
	r.expired = r.State == runstore.Running
}

var errUndo = errors.New("roll back")

func (m *machine) checkpoint() {
	h, r, _, ok := m.pickHeld()
	if !ok || len(h.shards) == 0 {
		return
	}
	sh := &h.shards[rapid.IntRange(0, len(h.shards)-1).Draw(m.T, "shard")]
	p := runstore.Progress{
		Done: rapid.IntRange(0, 4).Draw(m.T, "done") == 0, NoBatch: rapid.IntRange(0, 4).Draw(m.T, "no batch") == 0,
		Read: rapid.Int64Range(0, 5).Draw(m.T, "read"), Rows: rapid.Int64Range(0, 5).Draw(m.T, "rows"), Retries: rapid.Int64Range(0, 1).Draw(m.T, "retries"),
		Quarantined: rapid.Int64Range(0, 1).Draw(m.T, "quarantined"), Busy: time.Duration(rapid.Int64Range(0, 9999).Draw(m.T, "busy")),
	}
	if rapid.Bool().Draw(m.T, "reached") {
		p.Reached = keyset.Values{rapid.Int64().Draw(m.T, "key")}
	}
	undo := rapid.IntRange(0, 3).Draw(m.T, "undo") == 0
	err := m.w.conn.Atomic(m.ctx, func(ctx context.Context) error {
		if !undo {
			return m.w.Checkpoint(ctx, sh, p)
		}
		if err := m.w.runCheckpoint(ctx, sh, p); err != nil {
			return err
		}
		return errUndo
	})
	// The token alone decides: a batch may still end after its runner has given the run back.
	switch {
	case r.Token != sh.Token:
		m.want("checkpoint", err, runstore.ErrFenced)
	case undo:
		m.want("checkpoint", err, errUndo)
	default:
		m.want("checkpoint", err, nil)
		sh.Apply(p)
		for i := range r.shards {
			if r.shards[i].Phase == sh.Phase && r.shards[i].Number == sh.Number {
				r.shards[i].Apply(p)
			}
		}
	}
}

func (m *machine) finish() {
	h, r, want, ok := m.pickHeld()
	if !ok {
		return
	}
	state := rapid.SampledFrom([]runstore.State{runstore.Paused, runstore.Failed, runstore.Succeeded, runstore.Cancelled, runstore.Undone}).Draw(m.T, "state")
	if r.Token == h.run.Token && r.State == state {
		want = nil // once more
	}
	m.want("finish", m.w.Finish(m.ctx, &h.run, state, "text"), want)
	if want == nil && r.State == runstore.Running {
		r.State, r.Error, r.Owner, r.Waiting, r.Request = state, "text", "", "", ""
		r.event(string(state))
	}
}

func (m *machine) ask() {
	_, r, ok := m.pick()
	if !ok {
		return
	}
	request := rapid.SampledFrom([]runstore.Request{runstore.RequestPause, runstore.RequestCancel}).Draw(m.T, "request")
	var want error
	if r.State.Finished() || !r.live() && request == runstore.RequestPause || r.Request == runstore.RequestCancel && r.live() && request == runstore.RequestPause {
		want = runstore.ErrState
	}
	_, err := m.w.Ask(m.ctx, r.ID, request, "ann")
	m.want("ask", err, want)
	switch {
	case err != nil:
	case !r.live():
		r.State, r.Owner, r.Waiting, r.Request = runstore.Cancelled, "", "", ""
		r.fence()
		r.event("cancelled")
	case r.Request != request:
		r.Request = request
		r.event("requested")
	}
}

func (m *machine) resume() {
	_, r, ok := m.pick()
	if !ok {
		return
	}
	var want error
	if !r.live() || r.Request != runstore.RequestPause {
		want = runstore.ErrState
	}
	m.want("resume", m.w.Resume(m.ctx, r.ID, "ann"), want)
	if want == nil {
		r.Request = ""
		r.event("requested")
	}
}

func (m *machine) set() {
	_, r, ok := m.pick()
	if !ok {
		return
	}
	name, value := rapid.SampledFrom([]string{"workers", "batch-size"}).Draw(m.T, "option"), rapid.SampledFrom([]string{"1", "2"}).Draw(m.T, "value")
	var want error
	if r.State.Finished() {
		want = runstore.ErrState
	}
	old, err := m.w.Set(m.ctx, r.ID, name, value, "ann")
	m.want("set", err, want)
	if err != nil {
		return
	}
	if old != r.Options[name] {
		m.Fatalf("set: it was %q, want %q", old, r.Options[name])
	}
	r.Options[name] = value
	r.event("set")
}

func (m *machine) wait() {
	h, r, want, ok := m.pickHeld()
	if !ok {
		return
	}
	reason := rapid.SampledFrom([]string{"", "lag"}).Draw(m.T, "reason")
	m.want("wait", m.w.Waiting(m.ctx, &h.run, reason), want)
	if want == nil {
		r.Waiting = reason
	}
}

func (m *machine) phase() {
	h, r, want, ok := m.pickHeld()
	if !ok {
		return
	}
	phase, n := rapid.IntRange(0, 2).Draw(m.T, "phase"), rapid.IntRange(0, 2).Draw(m.T, "shards")
	if want == nil && phase < r.Phase {
		want = runstore.ErrState
	}
	got, err := m.w.StartPhase(m.ctx, &h.run, phase, int64(phase), make([]runstore.Shard, n))
	m.want("phase", err, want)
	if err != nil {
		return
	}
	of := func(sh runstore.Shard) bool { return sh.Phase == phase }
	r.Phase = phase
	if !slices.ContainsFunc(r.shards, of) {
		r.Planned = int64(phase)
		for i := range n {
			r.shards = append(r.shards, runstore.Shard{RunID: r.ID, Phase: phase, Number: i, Token: r.Token})
		}
		slices.SortStableFunc(r.shards, func(a, b runstore.Shard) int { return a.Phase - b.Phase })
	}
	var stored []runstore.Shard
	for _, sh := range r.shards {
		if of(sh) {
			stored = append(stored, sh)
		}
	}
	if diff := cmp.Diff(stored, got, cmpopts.EquateEmpty()); diff != "" {
		m.Fatalf("shards of the phase (-model +store):\n%s", diff)
	}
	if h.run.Phase != r.Phase || h.run.Planned != r.Planned {
		m.Fatalf("run in hand: phase %d, planned %d; model: %d, %d", h.run.Phase, h.run.Planned, r.Phase, r.Planned)
	}
	h.shards = slices.Clone(r.shards)
}

func (m *machine) undone() {
	_, r, ok := m.pick()
	if !ok {
		return
	}
	var want error
	if r.State == runstore.Planned || r.State == runstore.Running {
		want = runstore.ErrState
	}
	state, mark := runstore.Undone, m.w.MarkUndone
	if rapid.Bool().Draw(m.T, "begun") {
		state, mark = runstore.Undoing, m.w.MarkUndoing
		if r.State == runstore.Undone {
			want = runstore.ErrState
		}
	}
	m.want("mark "+string(state), mark(m.ctx, r.ID, "ann"), want)
	if want == nil && r.State != state {
		r.State = state
		r.fence()
		r.event(string(state))
	}
}

func (m *machine) poll() {
	h, r, want, ok := m.pickHeld()
	if !ok {
		return
	}
	request, options, err := m.w.Poll(m.ctx, &h.run)
	m.want("poll", err, want)
	if err == nil && (request != r.Request || !maps.Equal(options, r.Options)) {
		m.Fatalf("poll: %q, %v; model: %q, %v", request, options, r.Request, r.Options)
	}
}

func (m *machine) reload() {
	h, r, _, ok := m.pickHeld()
	if !ok || len(h.shards) == 0 {
		return
	}
	sh := &h.shards[rapid.IntRange(0, len(h.shards)-1).Draw(m.T, "shard")]
	now, err := m.w.Reload(m.ctx, sh)
	if r.Token != sh.Token {
		m.want("reload", err, runstore.ErrFenced)
		return
	}
	m.want("reload", err, nil)
	for _, want := range r.shards {
		if want.Phase == sh.Phase && want.Number == sh.Number {
			if diff := cmp.Diff(want, now); diff != "" {
				m.Fatalf("reloaded shard (-model +store):\n%s", diff)
			}
		}
	}
}
