package batch_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover/internal/testdb"
)

// TestCrash kills processes that work on a run with SIGKILL, at random instants and at chosen ones, and begins the next at once, which has to
// wait until the lease of the dead one has run out. Others write the table meanwhile. In the end each row was worked on exactly once.
//
// DROVER_TORTURE is the number of kills of each case, and makes the cases large; "make torture" sets it.
func TestCrash(t *testing.T) {
	size := crashSize{rows: 3000, kills: 2, batch: 25, writers: 2, every: 10 * time.Millisecond, lease: crashLease}
	if text := os.Getenv("DROVER_TORTURE"); text != "" {
		kills, err := strconv.Atoi(text)
		if err != nil || kills < 1 {
			t.Fatalf("DROVER_TORTURE is %q, want a number of kills", text)
		}
		size = crashSize{rows: 200_000, kills: kills, batch: 200, writers: 4, every: 5 * time.Millisecond, lease: tortureLease, all: true}
	}
	for _, c := range crashCases {
		if !c.always && !size.all {
			continue
		}
		t.Run(fmt.Sprintf("%s/%s/%d workers", c.database, c.job, c.workers), func(t *testing.T) {
			t.Parallel()
			crashing(t, c, size)
		})
	}
}

// crashCase is one job on one database; those that are not always tested need DROVER_TORTURE.
type crashCase struct {
	database, job string
	workers       int
	share         int // of the kills, so that each database has as many
	always        bool
}

var crashCases = []crashCase{
	{testdb.NamePostgres, backfillJob, 1, 1, false},
	{testdb.NamePostgres, backfillJob, 4, 1, true},
	{testdb.NamePostgres, purgeJob, 1, 1, true},
	{testdb.NamePostgres, purgeJob, 4, 1, false},
	{testdb.NameMariaDB, backfillJob, 1, 1, true},
	{testdb.NameMariaDB, backfillJob, 4, 1, false},
	{testdb.NameMariaDB, purgeJob, 1, 1, false},
	{testdb.NameMariaDB, purgeJob, 4, 1, true},
	{testdb.NameSQLite, backfillJob, 1, 2, true},
	{testdb.NameSQLite, purgeJob, 1, 2, true},
}

// crashSize is how much is done in a case.
type crashSize struct {
	rows    int64
	kills   int
	batch   int
	writers int
	every   time.Duration // between two statements of a writer
	lease   time.Duration
	all     bool
}

// crashLease is short, so that taking over is quick.
const crashLease = time.Second

// tortureLease leaves a machine that is busy with other things enough time to begin a process and to plan.
const tortureLease = 2 * time.Second

// crash is the course of one case.
type crash struct {
	crashCase
	size  crashSize
	arena *arena
	order childOrder

	kills    int
	hit      int // kills with a batch under way
	attempts int
	did      int64 // rows that were worked on, also those that were rolled back
	holder   time.Time
	takeOver []time.Duration
}

func crashing(t *testing.T, c crashCase, size crashSize) {
	began := time.Now()
	if size.all {
		size.kills *= c.share
	}
	run := &crash{crashCase: c, size: size, arena: newArena(t, testdb.Fresh(t, c.database), c.job, size.rows)}
	run.order = childOrder{URL: run.arena.URL, Job: c.job, Workers: c.workers, Lease: size.lease}
	run.arena.write(t, size.writers, size.every)
	for {
		ended := run.attempt(t)
		if ended {
			break
		}
	}
	wrong := run.arena.wrongRows(t)
	if run.kills == 0 || size.all && run.kills < size.kills*9/10 {
		t.Errorf("only %d processes were killed, want %d", run.kills, size.kills)
	}
	final := run.arena.count(t, "SELECT SUM(rows_done) FROM drover_shards")
	longest := run.longestTakeOver()
	if longest > 2*size.lease && size.all {
		t.Errorf("the longest take-over took %v, more than two leases of %v", longest, size.lease)
	}
	t.Logf("%d kills, %d with a batch under way, %d attempts, %d rows redone, %d wrong, take-over at most %v, %d statements of the writers failed, %v",
		run.kills, run.hit, run.attempts, run.did-final, wrong, longest, run.arena.failed.Load(), time.Since(began).Round(time.Second))
	run.report(t, run.did-final, wrong, longest, time.Since(began))
}

// report adds a line to the file that "make torture" names.
func (c *crash) report(t *testing.T, redone, wrong int64, longest, took time.Duration) {
	t.Helper()
	path := os.Getenv("DROVER_TORTURE_REPORT")
	if path == "" {
		return
	}
	var sum time.Duration
	for _, d := range c.takeOver {
		sum += d
	}
	mean := sum / time.Duration(max(len(c.takeOver), 1))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(f, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %.2f s | %.2f s | %d s |\n", c.database, c.job, c.workers, c.kills, c.hit,
			c.attempts, redone, wrong, len(c.takeOver), mean.Seconds(), longest.Seconds(), int(took.Seconds()))
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Errorf("write the report: %v", err)
	}
}

func (c *crash) longestTakeOver() time.Duration {
	var longest time.Duration
	for _, d := range c.takeOver {
		longest = max(longest, d)
	}
	return longest
}

// plan chooses how the next process dies: it returns a death that it brings upon itself, or the rows that it may do before it is killed from
// outside, or the time after its start.
func (c *crash) plan(t *testing.T) (self *death, rows int64, after time.Duration) {
	if c.kills >= c.size.kills {
		return nil, -1, 0
	}
	left := c.size.rows
	var done int64
	if c.attempts > 0 {
		if err := c.arena.raw.QueryRowContext(t.Context(), "SELECT COALESCE(SUM(rows_done), 0) FROM drover_shards").Scan(&done); err == nil {
			left -= done // else the tables are not there yet
		}
	}
	mean := float64(left) / float64(c.size.kills-c.kills+1)
	rows = int64(min(mean*2*rand.Float64(), float64(left)*0.6))
	soon := time.Duration(rand.Int64N(int64(3 * time.Millisecond)))
	switch n := rand.IntN(100); {
	case n < 35:
		return nil, rows, 0
	case n < 45:
		return nil, -1, time.Duration(1 + rand.Int64N(int64(400*time.Millisecond)))
	case n < 55: // opening, the control tables, the plan
		return &death{Number: 1 + rand.Int64N(30), Before: rand.IntN(2) == 0, After: soon}, -1, 0
	case n < 65: // taking the lease
		return &death{Held: true, Number: 1 + rand.Int64N(10), Before: rand.IntN(2) == 0, After: soon}, -1, 0
	case n < 80: // somewhere in a batch
		return &death{Held: true, Number: 10 + rows/int64(c.size.batch)*6, Before: rand.IntN(2) == 0, After: soon}, -1, 0
	default: // around a COMMIT; the first is that of the lease
		return &death{Held: true, Commit: true, Number: 2 + rows/int64(c.size.batch), Before: rand.IntN(3) == 0, After: soon / 3}, -1, 0
	}
}

// attempt starts a process, and reports whether it came to the end of the work.
func (c *crash) attempt(t *testing.T) bool {
	t.Helper()
	o := c.order
	self, rows, after := c.plan(t)
	o.Skew = time.Duration(rand.IntN(3)-1) * time.Hour // which nothing may depend on
	o.Die, o.Size = self, c.size.batch/2+rand.IntN(c.size.batch)
	p := startChild(t, o)
	c.attempts++
	var kill <-chan time.Time
	if after > 0 {
		timer := time.NewTimer(after)
		defer timer.Stop()
		kill = timer.C
	}
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	var done int64
	under := map[int64]bool{}    // batches under way
	var taken, held, killed bool // the lease may be taken although nothing is heard of it any more
	var failure string
	ended := false
	for open := true; open; {
		var w childWord
		select {
		case w, open = <-p.words:
		case <-kill:
			p.kill()
			killed, kill = true, nil
			continue
		case <-limit.C:
			p.kill()
			t.Fatalf("a process did not end: %s", p.stderr.String())
		}
		switch w.Word {
		case "held":
			if !held && !c.holder.IsZero() {
				c.takeOver = append(c.takeOver, time.Since(c.holder))
			}
			held = true
			c.arena.started()
		case "taking":
			taken = true
		case "locked":
			taken = false
		case "begin":
			under[w.Batch] = true
		case "did":
			c.did += w.Rows
		case "commit":
			delete(under, w.Batch)
			done += w.Rows
		case "end":
			ended, failure = true, w.Err
		}
		if rows >= 0 && done > rows && kill == nil && !killed {
			timer := time.NewTimer(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
			defer timer.Stop()
			kill = timer.C
		}
	}
	state := p.wait()
	now := time.Now()
	if ended && failure == "" {
		return true
	}
	if state.ExitCode() != -1 {
		t.Fatalf("a process ended by itself with exit code %d: %s\n%s", state.ExitCode(), failure, p.stderr.String())
	}
	c.kills++
	if len(under) > 0 {
		c.hit++
	}
	if taken {
		c.holder = now
	}
	return false
}

// childProcess is a running child.
type childProcess struct {
	cmd    *exec.Cmd
	words  chan childWord // closed at the end of its output
	stderr strings.Builder
}

func startChild(t *testing.T, o childOrder) *childProcess {
	t.Helper()
	order, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &childProcess{cmd: exec.CommandContext(t.Context(), self), words: make(chan childWord, 16)}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(order))
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.words)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var w childWord
			if json.Unmarshal(lines.Bytes(), &w) == nil { // the last line may be cut
				p.words <- w
			}
		}
	}()
	return p
}

func (p *childProcess) kill() { _ = p.cmd.Process.Kill() } // it may have ended by itself

// wait waits for the process, whose output has ended.
func (p *childProcess) wait() *os.ProcessState {
	_ = p.cmd.Wait() // its error is the state of a process that was killed
	return p.cmd.ProcessState
}

// TestCrash_TwoAtOnce begins two processes at once, which fight for the run from its first moment on, kills the one that has it, and begins
// another in its place.
func TestCrash_TwoAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		t.Parallel()
		a := newArena(t, d, backfillJob, 800)
		o := childOrder{URL: a.URL, Job: backfillJob, Workers: 1, Size: 20, Lease: crashLease}
		type said struct {
			p *childProcess
			w childWord
		}
		words := make(chan said)
		alive := map[*childProcess]bool{}
		begin := func() {
			p := startChild(t, o)
			alive[p] = true
			go func() {
				for w := range p.words {
					words <- said{p, w}
				}
				words <- said{p, childWord{Word: "gone"}}
			}()
		}
		begin()
		begin()
		kills := 0
		var holder *childProcess
		done, locked := int64(0), 0
		for len(alive) > 0 {
			s := <-words
			switch s.w.Word {
			case "held":
				if holder != nil && alive[holder] {
					t.Errorf("two processes hold the run")
				}
				holder, done = s.p, 0
			case "locked":
				locked++
			case "commit":
				if s.p != holder {
					t.Errorf("a process that does not hold the run has committed")
				}
				if done += s.w.Rows; kills < 2 && done >= 200 {
					s.p.kill()
					kills++
					done = -a.n
				}
			case "end":
				if s.w.Err != "" {
					t.Errorf("a process ended with %s", s.w.Err)
				}
			case "gone":
				delete(alive, s.p)
				if state := s.p.wait(); state.ExitCode() == -1 {
					begin()
				}
			}
		}
		if kills != 2 || locked == 0 {
			t.Errorf("%d kills, %d times locked", kills, locked)
		}
		a.wrongRows(t)
	})
}
