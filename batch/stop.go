package batch

import (
	"context"
	"sync"
)

// stop is the wish that a runner ends between two batches, and why. The first wish counts.
type stop struct {
	mu        sync.Mutex
	reason    string
	cancelled bool  // the run is given up
	quiet     bool  // the end of the work itself, or its failure
	failing   error // of a batch that would have been tried again
	wished    chan struct{}
}

func (s *stop) init() { s.wished = make(chan struct{}) }

// ask wishes for a stop, and reports whether this was the first wish.
func (s *stop) ask(reason string, cancelled bool) bool {
	return s.set(reason, cancelled, false)
}

// end keeps the workers from beginning another batch when the run has failed.
func (s *stop) end() { s.set("", false, true) }

func (s *stop) set(reason string, cancelled, quiet bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.wished:
		return false
	default:
	}
	s.reason, s.cancelled, s.quiet = reason, cancelled, quiet
	close(s.wished)
	return true
}

// wanted reports whether somebody has asked.
func (s *stop) wanted() bool {
	select {
	case <-s.wished:
		return true
	default:
		return false
	}
}

// error is the StoppedError of a wish from outside, or nil.
func (s *stop) error(id string) *StoppedError {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" || s.quiet {
		return nil
	}
	return &StoppedError{RunID: id, Reason: s.reason, Cancelled: s.cancelled, Err: s.failing}
}

// giveUp notes why a batch has failed that is not tried again because of the stop.
func (s *stop) giveUp(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = err
}

// context ends with ctx, and as soon as a stop is wished for: for waiting, not for statements.
func (s *stop) context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-s.wished:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel()
		watching.Wait()
	}
}
