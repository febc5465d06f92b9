package db_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// A replica may be behind: what it says of a decision does not count, and it is no place to commit at.
func TestRecover_PassesReplicasOver(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		a := newWorld(t, testdb.Fresh(t, name), db.Alias("a"))
		b := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("b"))
		standby := a.on.Server.NewStandby(t)
		undecided := leave(t, a, b, "one", decideWord...)
		standby.CatchUp(t)
		standby.PauseReplay(t)
		a.setup(t, "UPDATE drover_decisions SET state = 'committed' WHERE id = '"+undecided+"'") // what the program has done since
		replica := open(t, standby.Replica(a.on), db.Alias("replica"))
		wantIs(t, refused(t, "replica", "no writes", []*db.DB{replica, b.DB}, t.Context()), db.ErrReadOnly)
		done := mustRecover(t, db.RecoverOptions{}, replica, a.DB, b.DB)
		if len(done.Transactions) != 1 || done.Transactions[0].Coordinator != "a" || done.Transactions[0].Action != db.ActionCommitted {
			t.Errorf("recovered: %+v", done)
		}
		standby.ResumeReplay(t)
		standby.CatchUp(t)
		wantBoth(t, a, b, "one")
		if got := (&world{raw: standby.Replica(a.on).RawDB(t)}).committed(t); !cmp.Equal(got, []string{"one"}) {
			t.Errorf("the replica has %v", got)
		}
	})
}

// A copy of the first database has its records as they were. What the original has decided counts.
func TestRecover_BesideACopy(t *testing.T) {
	for name, try := range map[string]struct {
		words []string
		want  []string
	}{"decided": {commitWords, []string{"one"}}, "not decided": {decideWord, nil}} {
		t.Run(name, func(t *testing.T) {
			a := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("a"))
			b := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB), db.Alias("b"))
			old := newWorld(t, testdb.Fresh(t, testdb.NamePostgres), db.Alias("old"))
			id := leave(t, a, b, "one", try.words...)
			_, err := old.MakeDecisionTable(t.Context())
			noError(t, err)
			var participants string
			noError(t, a.raw.QueryRowContext(t.Context(), "SELECT participants FROM drover_decisions").Scan(&participants))
			noError(t, old.Exec(t.Context(), "INSERT INTO drover_decisions (id, state, participants, created_by, begun_at) VALUES (?, 'preparing', ?, 'me', now())", id, participants))
			without, err := db.Recover(t.Context(), []*db.DB{old.DB, b.DB}, db.RecoverOptions{})
			noError(t, err)
			if len(without.Transactions) != 1 || without.Transactions[0].Finished() || !strings.Contains(without.Transactions[0].Reason, "a copy") {
				t.Errorf("without the original: %+v", without)
			}
			b.wantNames(t)
			mustRecover(t, db.RecoverOptions{}, old.DB, a.DB, b.DB)
			wantBoth(t, a, b, try.want...)
			wantNothingLeft(t, old, a)
		})
	}
}

// Transactions of other programs, with names much like drover's, are not touched.
func TestRecover_LeavesOthersAlone(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		w := newWorld(t, testdb.Fresh(t, name), db.Alias("a"))
		_, err := w.MakeDecisionTable(t.Context())
		noError(t, err)
		theirs := []string{"drover", "drover:1", "drover:01JD8ZK2Q0000000000000000:1", "xdrover:01JD8ZK2Q00000000000000000:1", "drover:01JD8ZK2Q00000000000000000:1:2", "drover:01jd8zk2q00000000000000000:1"}
		const orphan = "drover:01JD8ZK2Q00000000000000000:1" // drover's, but of a database that is not given
		for i, gid := range append(theirs, orphan) {
			w.prepareByHand(t, gid, fmt.Sprint(i))
		}
		for _, o := range []db.RecoverOptions{{}, {OlderThan: time.Hour}} {
			done, err := db.Recover(t.Context(), []*db.DB{w.DB}, o)
			noError(t, err)
			if len(done.Failed) != 0 || len(done.Transactions) != 1 || done.Transactions[0].ID != "01JD8ZK2Q00000000000000000" || done.Transactions[0].Finished() {
				t.Errorf("recovered: %+v", done)
			}
		}
		for _, gid := range append(theirs, orphan) {
			w.setup(t, strings.ReplaceAll(w.Dialect().Features().TwoPhase.Commit, "{name}", gid)) // it is still there
		}
		if got := len(w.committed(t)); got != len(theirs)+1 {
			t.Errorf("%d items", got)
		}
	})
}

// prepareByHand prepares a transaction that adds an item, and leaves no session that holds it.
func (w *world) prepareByHand(t *testing.T, gid, item string) {
	t.Helper()
	raw, err := w.on.RawDB(t).Conn(t.Context())
	noError(t, err)
	begin := "BEGIN"
	if w.on.Name == testdb.NameMariaDB {
		begin = "XA START '" + gid + "'"
	}
	for _, query := range append([]string{begin, "INSERT INTO item (name) VALUES ('" + item + "')"}, w.Dialect().Features().TwoPhase.Prepare...) {
		_, err := raw.ExecContext(t.Context(), strings.ReplaceAll(query, "{name}", gid))
		noError(t, err)
	}
	var id int64
	noError(t, raw.QueryRowContext(t.Context(), sessionQuery[w.on.Name]).Scan(&id))
	w.killSessions(t, id)
	_ = raw.Close()
}

// What cannot be finished now is told, and finished later.
func TestRecover_WithoutAParticipant(t *testing.T) {
	eachBoth(t, func(t *testing.T, a, b *world) {
		_, err := a.MakeDecisionTable(t.Context())
		noError(t, err)
		steps := 7
		if a.on.Name == testdb.NameMariaDB {
			steps++
		}
		if b.on.Name == testdb.NameMariaDB {
			steps++
		}
		_, wait := startBoth(t, a, b, steps-2) // decided, and nothing committed yet
		if wait() == nil {
			t.Fatal("the child was not killed")
		}
		young, err := db.Recover(t.Context(), []*db.DB{a.DB, b.DB}, db.RecoverOptions{OlderThan: time.Hour})
		noError(t, err)
		if len(young.Transactions) != 1 || young.Transactions[0].Finished() || !strings.Contains(young.Transactions[0].Reason, "younger than 1h") {
			t.Errorf("young: %+v", young)
		}
		a.wantNames(t)
		alone, err := db.Recover(t.Context(), []*db.DB{b.DB}, db.RecoverOptions{})
		noError(t, err)
		if len(alone.Transactions) != 1 || !strings.Contains(alone.Transactions[0].Reason, "has its record") {
			t.Errorf("without the record: %+v", alone)
		}
		b.wantNames(t)
		partly, err := db.Recover(t.Context(), []*db.DB{a.DB}, db.RecoverOptions{})
		noError(t, err)
		if tx := partly.Transactions[0]; len(partly.Transactions) != 1 || tx.Decision != db.DecisionCommitted || len(tx.Participants) != 2 {
			t.Errorf("without the second: %+v", partly)
		}
		if len(a.committed(t)) != 1 {
			t.Error("the first does not have it")
		}
		if partly.Transactions[0].Finished() || partly.Transactions[0].Action != db.ActionCommitted {
			t.Errorf("without the second: %+v", partly)
		}
		mustRecover(t, db.RecoverOptions{}, b.DB, a.DB)
		wantBoth(t, a, b, a.committed(t)...)
		if !cmp.Equal(a.committed(t), b.committed(t)) {
			t.Error("they differ")
		}
	})
}
