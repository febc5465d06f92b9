package batch_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
)

// sentTimes notes every parameter that is a time, or a text that looks like one.
type sentTimes struct {
	mu    sync.Mutex
	found []string
	seen  int
}

var looksLikeTime = regexp.MustCompile(`\d{4}-\d{2}-\d{2}|\d{2}:\d{2}:\d{2}`)

func (s *sentTimes) intercept(ctx context.Context, st db.Statement, next func(context.Context) error) error {
	s.mu.Lock()
	for _, arg := range st.Args {
		s.seen++
		switch v := arg.(type) {
		case time.Time, *time.Time:
			s.found = append(s.found, fmt.Sprintf("%v in %s", v, st.SQL))
		case string:
			if looksLikeTime.MatchString(v) {
				s.found = append(s.found, fmt.Sprintf("%q in %s", v, st.SQL))
			}
		case int64:
			if now := time.Now().Unix(); v > now/2 { // seconds since 1970, or smaller units
				s.found = append(s.found, fmt.Sprintf("%d in %s", v, st.SQL))
			}
		}
	}
	s.mu.Unlock()
	return next(ctx)
}

// TestFault_TheClockIsWrong runs the job on a machine whose clock is an hour behind, or ahead, and has another one with the opposite error try
// to take it over: what counts is the database's clock, and no time of a client's reaches it.
func TestFault_TheClockIsWrong(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		for _, skew := range []time.Duration{-time.Hour, time.Hour} {
			t.Run(skew.String(), func(t *testing.T) {
				f.exec(t, "UPDATE item SET hits = 0")
				clock := func(by time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(by) } }
				o := batch.Options{
					BatchSize: 20, Arguments: []batch.Argument{{Name: "skew", Value: fmt.Sprint(int(skew.Hours()))}}, Now: clock(skew), Lease: shortLease,
					Build: "a build", CommandLine: []string{"count"},
				}
				var sent sentTimes
				conn, other := open(t, f.URL, db.Intercept(sent.intercept)), open(t, f.URL)
				theirs := o
				theirs.Now = clock(-skew)
				var rec recorder
				var taken []error
				rec.on = func(e batch.Event) {
					if e.Type == batch.EventBatch {
						_, err := counting().Run(t.Context(), other, theirs)
						taken = append(taken, err)
					}
				}
				o.Observe = rec.observe
				if _, err := counting().Run(t.Context(), conn, o); err != nil {
					t.Fatal(err)
				}
				for _, err := range taken {
					if !errors.As(err, new(*batch.LockedError)) {
						t.Errorf("another runner got %v, want a LockedError", err)
					}
				}
				if len(taken) != 5 || sent.seen < 20 {
					t.Errorf("%d attempts to take the run over, %d parameters", len(taken), sent.seen)
				}
				for _, f := range sent.found {
					t.Errorf("a time was sent: %s", f)
				}
				f.want(t, `SELECT count(*) FROM drover_runs WHERE state <> 'succeeded'`, 0)
				f.wantOnce(t, 100)
			})
		}
	})
}

// TestFault_ARunnerWithAWrongClockTakesOver lets a runner stand still, and one whose clock is an hour off take the run over: not before the
// lease has run out, and then at once.
func TestFault_ARunnerWithAWrongClockTakesOver(t *testing.T) {
	each(t, 100, func(t *testing.T, f *fixture) {
		t.Parallel()
		for _, skew := range []time.Duration{-time.Hour, time.Hour} {
			t.Run(skew.String(), func(t *testing.T) {
				f.exec(t, "UPDATE item SET hits = 0")
				o := batch.Options{
					BatchSize: 20, Lease: shortLease, Arguments: []batch.Argument{{Name: "skew", Value: fmt.Sprint(int(skew.Hours()))}},
				}
				s, first := f.standStill(t, o)
				o.Now = func() time.Time { return time.Now().Add(skew) }
				locked := 0
				poll(t, func() error {
					_, err := counting().Run(t.Context(), f.conn, o)
					if errors.As(err, new(*batch.LockedError)) {
						locked++
					} else if err != nil {
						t.Fatal(err)
					}
					return err
				})
				close(s.thawed)
				if locked == 0 {
					t.Error("the run was taken over before its lease had run out")
				}
				if err := <-first; !errors.Is(err, batch.ErrTakenOver) {
					t.Errorf("the first runner got %v", err)
				}
				f.wantOnce(t, 100)
			})
		}
	})
}

// standStill begins the job and returns when its runner stands still, after two batches. Its error comes when it is thawed.
func (f *fixture) standStill(t *testing.T, o batch.Options) (*stalled, <-chan error) {
	t.Helper()
	s := stall(t, f.URL)
	still := make(chan struct{})
	var rec recorder
	rec.on = func(e batch.Event) {
		if e.Type == batch.EventBatch && e.Batch == 2 {
			close(s.frozen)
			close(still)
			<-s.thawed
		}
	}
	o.Observe = rec.observe
	ended := make(chan error, 1)
	go func() {
		_, err := counting().Run(t.Context(), s.DB, o)
		ended <- err
	}()
	wait(t, still)
	return s, ended
}
