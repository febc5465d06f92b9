package drover

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
)

// stopper carries the wish that a command ends by itself. Nested calls share the one of the outermost.
type stopper struct {
	ch   <-chan struct{}
	shut func() // closes ch; nil when the calling code owns it

	mu  sync.Mutex
	sig os.Signal

	watched atomic.Bool  // the command has looked: it can stop between batches
	told    atomic.Bool  // the command has been told that it should end
	asking  atomic.Int32 // prompts on the screen
}

func newStopper() *stopper {
	ch := make(chan struct{})
	return &stopper{ch: ch, shut: sync.OnceFunc(func() { close(ch) })}
}

// stopperOf follows a channel of the calling code; nil never stops.
func stopperOf(ch <-chan struct{}) *stopper {
	if ch == nil {
		return newStopper()
	}
	return &stopper{ch: ch}
}

// request asks for a soft stop.
func (s *stopper) request(sig os.Signal) {
	s.mu.Lock()
	s.sig = sig
	s.mu.Unlock()
	s.shut()
}

func (s *stopper) signal() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sig
}

func (s *stopper) channel() <-chan struct{} {
	s.watched.Store(true)
	return s.ch
}

func (s *stopper) stopped() bool {
	s.watched.Store(true)
	if s.requested() {
		s.told.Store(true)
		return true
	}
	return false
}

// requested looks without being noticed.
func (s *stopper) requested() bool {
	select {
	case <-s.ch:
		return true
	default:
		return false
	}
}

// prompting marks a prompt as shown until the returned function is called.
func (s *stopper) prompting() func() {
	s.asking.Add(1)
	return func() { s.asking.Add(-1) }
}

// then calls f when the stop is asked for, unless ctx ends first. The returned function ends the waiting.
func (s *stopper) then(ctx context.Context, f func()) func() {
	ctx, cancel := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-s.ch:
			f()
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		waiting.Wait()
	}
}
