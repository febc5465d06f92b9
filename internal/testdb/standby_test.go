package testdb_test

import (
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestStandby_FollowsThePrimary(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		d := testdb.Fresh(t, name)
		primary := d.RawDB(t)
		mustExec(t, primary, `CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item (id) VALUES (1)`)
		standby := d.Server.NewStandby(t)
		standby.CatchUp(t)
		replica := standby.Replica(d).RawDB(t)

		wantRows := func(when string, want int) {
			t.Helper()
			if n := count(t, replica); n != want {
				t.Errorf("rows on the standby %s = %d, want %d", when, n, want)
			}
		}
		mustExec(t, primary, `INSERT INTO item (id) VALUES (2)`)
		standby.CatchUp(t)
		wantRows("that has caught up", 2)
		if _, err := replica.ExecContext(t.Context(), `DELETE FROM item`); err == nil {
			t.Error("the standby has accepted a write")
		}

		standby.PauseReplay(t)
		mustExec(t, primary, `INSERT INTO item (id) VALUES (3)`)
		wantRows("that is paused", 2)
		standby.ResumeReplay(t)
		standby.CatchUp(t)
		wantRows("that goes on", 3)

		standby.Disconnect(t)
		mustExec(t, primary, `INSERT INTO item (id) VALUES (4)`)
		wantRows("that is cut off", 3)
		standby.Connect(t)
		standby.CatchUp(t)
		wantRows("that is connected again", 4)

		standby.Promote(t)
		mustExec(t, primary, `INSERT INTO item (id) VALUES (5)`)
		mustExec(t, replica, `INSERT INTO item (id) VALUES (6), (7)`)
		wantRows("that is promoted", 6)
	})
}

func TestStandby_CatchesUpAfterKill(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		primary := newServer[name](t)
		d := primary.Database(t)
		db := d.RawDB(t)
		mustExec(t, db, `CREATE TABLE item (id int PRIMARY KEY)`)
		standby := primary.NewStandby(t)
		standby.CatchUp(t)
		if err := standby.Kill(); err != nil {
			t.Fatalf("kill: %v", err)
		}
		mustExec(t, db, `INSERT INTO item (id) VALUES (1)`)
		if err := standby.Start(); err != nil {
			t.Fatalf("start: %v", err)
		}
		standby.CatchUp(t)
		if n := count(t, standby.Replica(d).RawDB(t)); n != 1 {
			t.Errorf("rows on the standby = %d, want 1", n)
		}
	})
}

func TestStandby_LeavesNoSlot(t *testing.T) {
	server := testdb.Postgres(t)
	t.Run("the test", func(t *testing.T) { server.NewStandby(t) })
	var n int
	query := `SELECT count(*) FROM pg_replication_slots`
	if err := server.Admin(t, "postgres").QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("count the slots: %v", err)
	}
	if n != 0 {
		t.Errorf("replication slots = %d, want 0", n)
	}
}
