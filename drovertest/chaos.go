package drovertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
)

// ChaosOptions say what [Chaos] kills.
type ChaosOptions struct {
	// URL gives the URL of a new, empty database each time it is called; nil: [SQLiteURL]. For a server use [ServerURL].
	URL func(t testing.TB) string
	// Setup makes the tables and the rows that the job works on.
	Setup func(ctx context.Context, conn *db.DB) error
	// Run does all of the work. It is called again, on a new connection, after it was killed, and must go on then, as a job of package
	// batch does.
	Run func(ctx context.Context, conn *db.DB) error
	// State is what must be equal; nil: [State].
	State func(ctx context.Context, conn *db.DB) (string, error)
	// Every kills at each n-th statement only, for work of many statements; 0: at every one.
	Every int
}

// ChaosReport says what [Chaos] has done.
type ChaosReport struct {
	Statements int // of the undisturbed run
	Kills      int
	Resumed    int // how often the job was started again
}

// Chaos proves that a job can be killed at any statement. See the package's comment. The test fails at the first kill after which the database
// does not hold what it holds after an undisturbed run, with the statement's text.
//
// The kill is that of the job's connections: nothing that it sends after it arrives, and its open transactions are rolled back by the
// database. The leases of its runs are made to have run out, as they do by themselves after some seconds.
func Chaos(t testing.TB, o ChaosOptions) ChaosReport {
	t.Helper()
	if o.URL == nil {
		o.URL = SQLiteURL
	}
	if o.State == nil {
		o.State = State
	}
	if o.Every <= 0 {
		o.Every = 1
	}
	clean, statements := o.undisturbed(t)
	report := ChaosReport{Statements: statements}
	for at := 1; at <= statements; at += o.Every {
		for _, after := range []bool{false, true} {
			k := &killer{at: at, after: after}
			resumed, got := o.disturbed(t, k)
			report.Kills++
			report.Resumed += resumed
			if got != clean {
				t.Fatalf("killed %s: the database does not hold what it holds after an undisturbed run\n%s", k, firstDifference(clean, got))
			}
		}
	}
	return report
}

// undisturbed runs the work once, and counts its statements.
func (o ChaosOptions) undisturbed(t testing.TB) (state string, statements int) {
	t.Helper()
	url := o.prepare(t)
	counting := &killer{}
	conn := open(t, url, db.Intercept(counting.intercept))
	if err := o.Run(t.Context(), conn); err != nil {
		t.Fatalf("the undisturbed run: %v", err)
	}
	counting.stop()
	return o.state(t, url), counting.count()
}

// prepare makes a database with what the work needs.
func (o ChaosOptions) prepare(t testing.TB) string {
	t.Helper()
	url := o.URL(t)
	conn, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if o.Setup != nil {
		if err := o.Setup(t.Context(), conn); err != nil {
			t.Fatalf("set the work up: %v", err)
		}
	}
	return url
}

func (o ChaosOptions) state(t testing.TB, url string) string {
	t.Helper()
	conn, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	state, err := o.State(t.Context(), conn)
	if err != nil {
		t.Fatalf("read the state: %v", err)
	}
	return state
}

// maxResumes is how often a job may have to be started again.
const maxResumes = 3

// disturbed runs the work, kills it, and starts it again until it is done.
func (o ChaosOptions) disturbed(t testing.TB, k *killer) (resumed int, state string) {
	t.Helper()
	url := o.prepare(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	k.cancel = cancel
	conn, err := db.Open(t.Context(), url, db.Intercept(k.intercept))
	if err != nil {
		t.Fatal(err)
	}
	err = o.Run(ctx, conn)
	cancel(nil)
	k.stop()
	_ = conn.Close() // its connections are dead; what they had open is rolled back now
	for err != nil && !errors.As(err, new(*batch.DoneError)) {
		if resumed == maxResumes {
			t.Fatalf("killed %s: it does not go on: %v", k, err)
		}
		resumed++
		err = o.again(t, url)
	}
	return resumed, o.state(t, url)
}

// again starts the work again after its runner has died.
func (o ChaosOptions) again(t testing.TB, url string) error {
	t.Helper()
	conn, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	names, err := conn.Dialect().Tables(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == ownTables+"runs" {
			if err := conn.Exec(t.Context(), "UPDATE drover_runs SET lease_until = '2000-01-01 00:00:00' WHERE lease_until IS NOT NULL"); err != nil {
				t.Fatalf("let the dead runner's lease run out: %v", err)
			}
		}
	}
	return o.Run(t.Context(), conn)
}

// errKilled is what a statement of a killed job gets.
var errKilled = errors.New("killed by the test")

// killer counts statements and kills at one of them.
type killer struct {
	at    int // 0: never
	after bool

	cancel context.CancelCauseFunc

	mu   sync.Mutex
	seen int
	dead bool
	sql  string
}

// intercept is the killer's db.Interceptor.
func (k *killer) intercept(ctx context.Context, s db.Statement, next func(context.Context) error) error {
	k.mu.Lock()
	if k.dead {
		k.mu.Unlock()
		return errKilled
	}
	k.seen++
	now := k.at > 0 && k.seen == k.at
	if now {
		k.sql = s.SQL
		k.dead = !k.after
	}
	k.mu.Unlock()
	if !now {
		return next(ctx)
	}
	if k.after {
		_ = next(ctx) // done, and its answer is lost
		k.mu.Lock()
		k.dead = true
		k.mu.Unlock()
	}
	k.cancel(errKilled)
	return errKilled
}

func (k *killer) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dead = true
}

func (k *killer) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen
}

// String says where it killed.
func (k *killer) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	where := "before"
	if k.after {
		where = "after"
	}
	return fmt.Sprintf("%s statement %d, %q", where, k.at, strings.Join(strings.Fields(k.sql), " "))
}

// firstDifference shows the first line in which two states differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\nwant: %s\ngot:  %s", i+1, a, b)
		}
	}
	return "(no difference)"
}
