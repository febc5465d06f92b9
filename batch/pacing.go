package batch

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/drover-dev/drover/internal/pace"
)

// newPause gives growing random pauses between attempts.
func newPause() *backoff.ExponentialBackOff {
	const first, most = 50 * time.Millisecond, 5 * time.Second
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = first, most
	return pause
}

// sleep waits, and reports whether it has waited to the end: ctx may have ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wait holds a worker back while a meter is over its limit.
func (r *runner) wait(ctx context.Context) error {
	if r.throttle == nil {
		return nil
	}
	soft, cancel := r.stop.context(ctx)
	defer cancel()
	waited, err := r.throttle.Wait(soft, time.Duration(r.last.Load()))
	r.tally.wait(waited.Total)
	if soft.Err() != nil && ctx.Err() == nil {
		return nil // the stop is looked at next
	}
	if fatal, ok := errors.AsType[*pace.FatalError](err); ok {
		return fatal
	}
	if err != nil {
		return r.interrupted(ctx, err)
	}
	r.sizer.Hold(r.throttle.Pressure() > pace.NearLimit) // so that size and throttle do not work against each other
	return nil
}

// rateLimit holds a worker back after so many rows.
func (r *runner) rateLimit(ctx context.Context, rows int) error {
	if r.rate.Limit() <= 0 {
		return nil
	}
	soft, cancel := r.stop.context(ctx)
	defer cancel()
	start := r.now()
	err := r.rate.Wait(soft, rows)
	r.tally.wait(r.now().Sub(start))
	if err != nil && ctx.Err() != nil {
		return r.interrupted(ctx, err)
	}
	return nil
}

// workers is how many may work at a time: no more than there are connections, less one that the lease needs.
func (r *runner) workers() int {
	n := int(r.wanted.Load())
	if n == 0 {
		n = r.settings.Workers
	}
	if most := r.conn.MaxConns(); most > 0 && !r.conn.Dialect().Features().SingleWriter {
		n = min(n, max(most-1, 1))
	}
	return n
}

func (r *runner) setCrew(c *crew) {
	r.crewing.Lock()
	defer r.crewing.Unlock()
	r.crew = c
}

func (r *runner) withCrew(fn func(c *crew)) {
	r.crewing.Lock()
	defer r.crewing.Unlock()
	if r.crew != nil {
		fn(r.crew)
	}
}
