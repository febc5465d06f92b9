package item

import (
	"context"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/bench/internal/measure"
)

// side is one library on one database.
type side interface {
	// open connects, before each run and outside its clock.
	open(ctx context.Context) error
	close() error
	// works are the ways in which the library does the tasks. The first way of the raw side is what everything is compared with.
	works() map[*task][]work
}

// work is a way of doing a task.
type work struct {
	how string
	run func(ctx context.Context) (tally, error)
	// usage tells what the last run used where that was another process.
	usage func() measure.Usage
}

// entry is a side in the list of all.
type entry struct {
	name string
	role measure.Role
	side side
	// without says which tasks the side does not do, and why.
	without map[*task]string
}

// absent is a side that is not measured at all.
type absent struct{ name, why string }

// ways are the works of a task.
func (e entry) ways(k *task) []work {
	if e.without[k] != "" {
		return nil
	}
	return e.side.works()[k]
}

// roster lists the sides of a database, the raw one first.
func (s *site) roster(ctx context.Context) (entries []entry, missing []absent) {
	raw := entry{name: "raw", role: measure.Raw, side: rawSides[s.Name](s)}
	entries = append(entries, raw, droverEntry(s), gormEntry(s), bunEntry(s), entEntry(s), sqlxEntry(s))
	if django, err := djangoEntry(ctx, s); err == nil {
		entries = append(entries, django)
	} else {
		missing = append(missing, absent{"Django", err.Error()})
	}
	return entries, missing
}

// once runs a work on the table made for it and checks what it did.
func (s *site) once(ctx context.Context, k *task, e entry, w work) (err error) {
	m := s.measured(k, e, w)
	if err := m.Prepare(ctx); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	return errors.Join(m.Run(ctx, 1), m.Check(ctx))
}

// measured makes a work a side of a race.
func (s *site) measured(k *task, e entry, w work) measure.Side {
	var did tally
	var failed error
	return measure.Side{
		Name: e.name + ": " + w.how, Role: e.role, Goal: k.goal(s.Name), Most: k.most, Usage: w.usage,
		Prepare: func(ctx context.Context) error {
			if err := s.ready(ctx, k); err != nil {
				return err
			}
			return e.side.open(ctx)
		},
		Run: func(ctx context.Context, _ int) error {
			did, failed = w.run(ctx)
			return failed
		},
		Check: func(ctx context.Context) error {
			if err := e.side.close(); err != nil || failed != nil {
				return err
			}
			if want := k.expected(s.sizes); did != want {
				return fmt.Errorf("it tells of %d rows and sum %d, want %d and %d", did.rows, did.sum, want.rows, want.sum)
			}
			return s.check(ctx, k)
		},
	}
}
