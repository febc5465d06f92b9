package testdb_test

import (
	"testing"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestStandby_FollowsThePrimary(t *testing.T) {
	d := testdb.Fresh(t, testdb.NamePostgres)
	primary := d.RawDB(t)
	mustExec(t, primary, `CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item (id) VALUES (1)`)
	standby := d.Server.NewStandby(t)
	replica := standby.Replica(d).RawDB(t)

	mustExec(t, primary, `INSERT INTO item (id) VALUES (2)`)
	standby.CatchUp(t)
	if n := count(t, replica); n != 2 {
		t.Errorf("rows on the standby = %d, want 2", n)
	}
	if _, err := replica.ExecContext(t.Context(), `DELETE FROM item`); err == nil {
		t.Error("the standby has accepted a write")
	}

	standby.PauseReplay(t)
	mustExec(t, primary, `INSERT INTO item (id) VALUES (3)`)
	if n := count(t, replica); n != 2 {
		t.Errorf("rows on the paused standby = %d, want 2", n)
	}
	standby.ResumeReplay(t)
	standby.CatchUp(t)
	if n := count(t, replica); n != 3 {
		t.Errorf("rows on the resumed standby = %d, want 3", n)
	}
}

func TestStandby_CatchesUpAfterKill(t *testing.T) {
	primary := testdb.NewPostgres(t)
	d := primary.Database(t)
	db := d.RawDB(t)
	mustExec(t, db, `CREATE TABLE item (id int PRIMARY KEY)`)
	standby := primary.NewStandby(t)
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
