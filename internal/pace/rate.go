package pace

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is a limit of rows per second that the workers of a run share. A run that was slower for a while may go beyond
// it for one second's worth of rows and no more.
type Rate struct {
	mu      sync.Mutex
	limiter *rate.Limiter // nil: no limit
	limit   float64
	changed chan struct{} // closed when limiter is replaced
}

// NewRate returns a limit of rows per second; 0 or less is no limit.
func NewRate(perSecond float64) *Rate {
	r := &Rate{changed: make(chan struct{})}
	r.limiter, r.limit = newLimiter(perSecond), max(perSecond, 0)
	return r
}

// newLimiter gives a limiter a burst of one second, and of one row at least.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 || perSecond > math.MaxInt32 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(int(perSecond), 1))
}

// Limit returns the limit in rows per second, 0 when there is none.
func (r *Rate) Limit() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limit
}

// SetLimit changes the limit, also for those who wait at the moment; 0 or less is no limit. What was saved up under the
// old limit is lost.
func (r *Rate) SetLimit(perSecond float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limiter, r.limit = newLimiter(perSecond), max(perSecond, 0)
	if r.limiter != nil { // else each change would be good for a burst
		r.limiter.AllowN(time.Now(), r.limiter.Burst())
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// Wait pays for a batch of so many rows and returns when the next one may begin, so it is called with the rows that
// were worked, after them. A batch may be larger than the limit: it is paid in parts, between which other workers have
// their turn. It returns the context's cause when ctx ends first.
func (r *Rate) Wait(ctx context.Context, rows int) error {
	for rows > 0 {
		r.mu.Lock()
		limiter, changed := r.limiter, r.changed
		r.mu.Unlock()
		if limiter == nil {
			return nil
		}
		part := min(rows, limiter.Burst())
		paid, err := pay(ctx, limiter, part, changed)
		if err != nil {
			return fmt.Errorf("wait for the limit of rows per second: %w", err)
		}
		if paid { // else the rest is paid at the new limit
			rows -= part
		}
	}
	return nil
}

// pay waits until n rows are due. It reports false when the limit was changed first: the old limiter with its debts is
// forgotten then.
func pay(ctx context.Context, limiter *rate.Limiter, n int, changed <-chan struct{}) (bool, error) {
	reservation := limiter.ReserveN(time.Now(), n)
	delay := reservation.Delay()
	if delay == 0 {
		return true, nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-changed:
		return false, nil
	case <-ctx.Done():
		reservation.Cancel()
		return false, context.Cause(ctx)
	}
}
