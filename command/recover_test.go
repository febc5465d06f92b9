package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// couple is two databases with the table event on each.
type couple struct {
	a, b *bench
	env  []string
}

// eachCouple runs fn on databases that prepare transactions.
func eachCouple(t *testing.T, fn func(t *testing.T, c *couple)) {
	t.Helper()
	for _, names := range [][2]string{{testdb.NamePostgres, testdb.NameMariaDB}, {testdb.NameMariaDB, testdb.NamePostgres}} {
		t.Run(names[0]+" and "+names[1], func(t *testing.T) {
			c := &couple{a: newBench(t, testdb.Fresh(t, names[0])), b: newBench(t, testdb.Fresh(t, names[1]))}
			for _, b := range []*bench{c.a, c.b} {
				b.exec(t, "CREATE TABLE event (id integer NOT NULL PRIMARY KEY)")
			}
			c.env = []string{"DATABASE_URL=" + c.a.URL, "DATABASE_URL_B=" + c.b.URL}
			fn(t, c)
		})
	}
}

var errKept = errors.New("kept from the database")

// leave leaves a transaction with an event prepared on both databases: all statements with one of the words fail, as if nobody had answered. It returns
// the transaction's id.
func (c *couple) leave(t testing.TB, event int, words ...string) string {
	t.Helper()
	silence := db.Intercept(func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
		for _, w := range words {
			if strings.Contains(s.SQL, w) {
				return &db.Error{Op: "test", Kind: db.ErrPermission, Err: errKept} // which is not tried again
			}
		}
		return next(ctx)
	})
	var both []*db.DB
	for i, b := range []*bench{c.a, c.b} {
		conn, err := db.Open(t.Context(), b.URL, db.Alias([]string{"default", "b"}[i]), silence)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}()
		both = append(both, conn)
	}
	err := db.AtomicAll(t.Context(), both, func(ctx context.Context) error {
		for _, conn := range both {
			if err := conn.Exec(ctx, "INSERT INTO event (id) VALUES (?)", event); err != nil {
				return err
			}
		}
		return nil
	})
	doubt, ok := errors.AsType[*db.InDoubtError](err)
	if !ok {
		t.Fatalf("error %v (%T)", err, err)
	}
	return doubt.ID
}

// The statements that are kept back: after the decision, and the decision.
var (
	commits  = []string{"COMMIT PREPARED", "XA COMMIT"}
	decision = []string{"UPDATE drover_decisions"}
)

func (c *couple) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = newApp().Run(t.Context(), drover.Env{Args: append([]string{"recover"}, args...), Environ: c.env, Stdout: &out, Stderr: &errs})
	if all := out.String() + errs.String(); strings.Contains(all, testdb.Password) {
		t.Errorf("the password is shown:\n%s", all)
	}
	return code, out.String(), errs.String()
}

// mustRun wants an exit code and texts in the output.
func (c *couple) mustRun(t *testing.T, want int, args []string, texts ...string) {
	t.Helper()
	code, stdout, stderr := c.run(t, args...)
	if code != want {
		t.Errorf("recover %v: exit code %d, want %d", args, code, want)
	}
	for _, text := range texts {
		if !strings.Contains(stdout+stderr, text) {
			t.Errorf("recover %v does not say %q:\n%s%s", args, text, stdout, stderr)
		}
	}
}

func (c *couple) wantEvents(t *testing.T, want int) {
	t.Helper()
	for _, b := range []*bench{c.a, c.b} {
		b.wantCount(t, "SELECT COUNT(*) FROM event", want)
	}
}

var now = []string{"--older-than", "0s"}

func TestRecover(t *testing.T) {
	eachCouple(t, func(t *testing.T, c *couple) {
		c.mustRun(t, 0, nil, "No transaction is left unfinished on the 2 databases.")
		first, second := c.leave(t, 1, commits...), c.leave(t, 2, decision...)
		for range 2 { // it changes nothing
			c.mustRun(t, 0, []string{"--list"}, first+"  committed, ", second+"  preparing, ", "@", "default", "prepared", "2 transactions not finished.")
		}
		c.mustRun(t, 0, nil, "left: it is younger than 1m0s: its program may still be at work", "2 transactions left to the program at work")
		c.wantEvents(t, 0)
		c.mustRun(t, 0, now, first+"  committed", "=> committed", second+"  aborted", "=> rolled back", "Finished 2 transactions: 1 committed, 1 rolled back, 0 done already.")
		c.wantEvents(t, 1)
		c.mustRun(t, 0, now, "No transaction is left unfinished")
		c.mustRun(t, 0, []string{"--list"}, "No transaction is left unfinished")
		c.a.wantCount(t, "SELECT COUNT(*) FROM drover_decisions", 0)
	})
}

func TestRecover_JSON(t *testing.T) {
	eachCouple(t, func(t *testing.T, c *couple) {
		id := c.leave(t, 1, commits...)
		type participant struct {
			Number      int
			Alias, Here string
			Prepared    bool
		}
		type document struct {
			Type, Decision, Coordinator, Action string
			ID                                  string `json:"transaction_id"`
			Finished                            bool
			Participants                        []participant
		}
		want := document{Type: "in_doubt", ID: id, Decision: "committed", Coordinator: "default", Action: "none", Participants: []participant{
			{1, "default", "default", true}, {2, "b", "b", true},
		}}
		for _, args := range [][]string{{"--list"}, now} {
			_, stdout, _ := c.run(t, append(args, "--json")...)
			var got document
			if err := json.Unmarshal([]byte(stdout), &got); err != nil {
				t.Fatalf("%v\n%s", err, stdout)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("recover %v (-want +got):\n%s", args, diff)
			}
			want.Action, want.Finished = "committed", true
			for i := range want.Participants {
				want.Participants[i].Prepared = false
			}
		}
	})
}

// A database that cannot be reached keeps the others from nothing.
func TestRecover_DatabaseCannotBeReached(t *testing.T) {
	eachCouple(t, func(t *testing.T, c *couple) {
		proxy := testdb.NewProxy(t, c.b.Server.Addr())
		proxy.Refuse(true)
		complete := c.env
		c.leave(t, 1, commits...)
		c.env = []string{complete[0], "DATABASE_URL_B=" + proxy.URL(c.b.URL)}
		c.mustRun(t, drover.ExitPartial, []string{"--list"}, "b was not asked:", "not asked", "1 database could not be asked")
		c.mustRun(t, drover.ExitPartial, now, "b was not asked:", "=> committed", "left: b (", "is not among the databases that were asked", "1 transaction could not be finished")
		c.a.wantCount(t, "SELECT COUNT(*) FROM event", 1)
		c.b.wantCount(t, "SELECT COUNT(*) FROM event", 0)
		c.env = complete
		c.mustRun(t, 0, now, "=> committed")
		c.wantEvents(t, 1)

		c.env = []string{"DATABASE_URL=" + proxy.URL(c.b.URL)}
		c.mustRun(t, drover.ExitFailed, nil, "default was not asked:", "1 database could not be asked")
		_, stdout, _ := c.run(t, "--json")
		if !strings.Contains(stdout, `"type":"unreached"`) {
			t.Errorf("JSON: %s", stdout)
		}
	})
}

func TestRecover_Aliases(t *testing.T) {
	eachCouple(t, func(t *testing.T, c *couple) {
		c.leave(t, 1, commits...)
		c.mustRun(t, drover.ExitPartial, append(now, "b"), "no record", "left: none of the databases has its record")
		c.wantEvents(t, 0)
		c.mustRun(t, drover.ExitPartial, append(now, "default"), "=> committed", "is not among the databases that were asked")
		c.mustRun(t, 0, append(now, "b", "default"), "=> committed")
		c.wantEvents(t, 1)
		c.mustRun(t, drover.ExitUsage, []string{"reports"}, `unknown database "reports"`)
		c.mustRun(t, drover.ExitUsage, []string{"--older-than", "-1s"}, "must not be negative")
		c.env = nil
		c.mustRun(t, drover.ExitUsage, nil, "no database is configured")
	})
}

// Databases without prepared transactions are passed over.
func TestRecover_SQLite(t *testing.T) {
	c := &couple{env: []string{"DATABASE_URL=" + testdb.SQLite(t)}}
	c.mustRun(t, 0, nil, "No transaction is left unfinished")
}

// A command that only plans recovers nothing.
func TestRecover_InADryRun(t *testing.T) {
	eachCouple(t, func(t *testing.T, c *couple) {
		c.leave(t, 1, commits...)
		app := newApp()
		app.Add(&drover.Command{
			Name: "nightly", Options: drover.Options{DryRun: true, PlanOnly: true},
			Run: func(ctx context.Context, call *drover.Call) error {
				return call.Invoke(ctx, "recover", "--older-than", "0s")
			},
		})
		for _, try := range []struct {
			args []string
			want int
		}{{[]string{"nightly", "--dry-run"}, 0}, {[]string{"nightly"}, 1}} {
			var out bytes.Buffer
			if code := app.Run(t.Context(), drover.Env{Args: append(try.args, "--traceback"), Environ: c.env, Stdout: &out, Stderr: &out}); code != 0 {
				t.Errorf("%v: exit code %d\n%s", try.args, code, out.String())
			}
			c.wantEvents(t, try.want)
		}
	})
}
