package batch

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// crew is the workers of one phase. Each takes a shard, works it to its end and takes the next.
type crew struct {
	r   *runner
	ctx context.Context

	mu     sync.Mutex
	todo   []*shard // not done, and nobody's
	active int
	target int // how many may be active
	err    error
	panic  *workerPanic
	wg     sync.WaitGroup
}

// workerPanic is a panic of Process, on its way to the caller of Run.
type workerPanic struct {
	value any
	stack []byte
}

// String shows the value with the place where it was thrown: the trace of the panic that passes it on does not have that.
func (p *workerPanic) String() string {
	return fmt.Sprintf("%v\n\nin the worker:\n%s", p.value, p.stack)
}

// work works all shards and returns the first error. It returns when no worker is active any more.
func (r *runner) work(ctx context.Context, shards []*shard) error {
	c := &crew{r: r, ctx: ctx, target: r.workers()}
	for _, sh := range shards {
		if !sh.Done {
			c.todo = append(c.todo, sh)
		}
	}
	if r.canary.size() > 0 {
		c.target = 1
	}
	r.setCrew(c)
	c.fill()
	c.wg.Wait()
	r.setCrew(nil)
	if rel, ok := r.source.(releaser); ok {
		for _, sh := range shards {
			rel.release(sh)
		}
	}
	if c.panic != nil {
		r.panicked = c.panic
		panic(c.panic.value)
	}
	return c.err
}

// setTarget changes the number of workers: more begin at once, and those too many end after their batch.
func (c *crew) setTarget(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = n
	if c.active > 0 { // else the phase is over
		c.start()
	}
}

func (c *crew) fill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start()
}

// start begins workers; c.mu is held.
func (c *crew) start() {
	for waiting := len(c.todo); waiting > 0 && c.active < c.target && c.err == nil; waiting-- {
		c.active++
		c.wg.Go(c.worker)
	}
}

// worker works shard after shard.
func (c *crew) worker() {
	defer c.recover()
	for {
		sh := c.take()
		if sh == nil {
			return
		}
		err := c.shard(sh)
		if done := c.put(sh, err); done {
			return
		}
	}
}

// recover keeps a panic until the other workers have ended.
func (c *crew) recover() {
	value := recover()
	if value == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active--
	if c.panic == nil {
		c.panic = &workerPanic{value, debug.Stack()}
		c.err = fmt.Errorf("panic: %v", value)
	}
	c.r.stop.end()
}

// take gives a worker the next shard, or nil when there is none for it.
func (c *crew) take() *shard {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.todo) == 0 || c.err != nil || c.active > c.target || c.r.stop.wanted() {
		c.active--
		return nil
	}
	sh := c.todo[0]
	c.todo = c.todo[1:]
	return sh
}

// put takes a shard back, and reports whether its worker should end.
func (c *crew) put(sh *shard, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !sh.Done {
		c.todo = append([]*shard{sh}, c.todo...)
	}
	if err == nil {
		return false
	}
	c.active--
	if c.err == nil {
		c.err = err
	}
	c.r.stop.end()
	return true
}

// tooMany reports whether a worker should end because there are more than wanted.
func (c *crew) tooMany() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.active > c.target
}

// shard works a shard until it is done, or until the worker should end.
func (c *crew) shard(sh *shard) error {
	for !sh.Done {
		if c.r.stopped() || c.tooMany() {
			return nil
		}
		if err := c.r.wait(c.ctx); err != nil || c.r.stop.wanted() {
			return err
		}
		if err := c.r.batch(c.ctx, sh); err != nil {
			return err
		}
	}
	return nil
}
