package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// postgresReplication is streaming replication through a slot.
type postgresReplication struct {
	engine   *postgresEngine
	conninfo string // of a standby that is disconnected
}

func (e *postgresEngine) replication() replication { return &postgresReplication{engine: e} }

func (e *postgresEngine) standby(*options) {}

func slot(s *Standby) string { return "standby_" + s.portText() }

// fill copies the primary. --write-recovery-conf makes the copy a standby that knows its primary and its slot.
func (r *postgresReplication) fill(ctx context.Context, s *Standby) error {
	cmd := r.engine.user.command(ctx, s.dir, filepath.Join(r.engine.bin, "pg_basebackup"), "--pgdata="+s.DataDir(),
		"--host="+s.primary.dir, "--port="+s.primary.portText(), "--username="+postgresAdmin,
		"--write-recovery-conf", "--create-slot", "--slot="+slot(s), "--wal-method=stream",
		"--checkpoint=fast", "--no-sync")
	if _, err := runCommand(cmd); err != nil {
		return errors.Join(err, r.forget(ctx, s))
	}
	return nil
}

func (*postgresReplication) follow(context.Context, *Standby, *sql.DB) error { return nil }

// forget removes the standby's slot from the primary: it would keep all further log.
func (*postgresReplication) forget(ctx context.Context, s *Standby) error {
	return s.primary.withAdmin(func(admin *sql.DB) error {
		// The session that served the standby notices a moment later that it is gone.
		return poll(replayTimeout, func() error {
			_, err := admin.ExecContext(ctx, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1`, slot(s))
			if err != nil {
				return err
			}
			_, err = admin.ExecContext(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`, slot(s))
			return err
		})
	})
}

func (*postgresReplication) pause(ctx context.Context, admin *sql.DB) error {
	if _, err := admin.ExecContext(ctx, `SELECT pg_wal_replay_pause()`); err != nil {
		return err
	}
	return pollFor(ctx, admin, "paused", `SELECT pg_get_wal_replay_pause_state()`)
}

func (*postgresReplication) resume(ctx context.Context, admin *sql.DB) error {
	_, err := admin.ExecContext(ctx, `SELECT pg_wal_replay_resume()`)
	return err
}

func (r *postgresReplication) disconnect(ctx context.Context, _ *Standby, admin *sql.DB) error {
	if err := admin.QueryRowContext(ctx, `SHOW primary_conninfo`).Scan(&r.conninfo); err != nil {
		return err
	}
	if err := setConninfo(ctx, admin, ""); err != nil {
		return err
	}
	return pollFor(ctx, admin, "0", `SELECT count(*)::text FROM pg_stat_wal_receiver`)
}

func (r *postgresReplication) connect(ctx context.Context, _ *Standby, admin *sql.DB) error {
	return setConninfo(ctx, admin, r.conninfo)
}

func setConninfo(ctx context.Context, admin *sql.DB, conninfo string) error {
	_, err := admin.ExecContext(ctx, `ALTER SYSTEM SET primary_conninfo = '`+strings.ReplaceAll(conninfo, "'", "''")+`'`)
	if err == nil {
		_, err = admin.ExecContext(ctx, `SELECT pg_reload_conf()`)
	}
	return err
}

func (*postgresReplication) promote(ctx context.Context, admin *sql.DB) error {
	return pollFor(ctx, admin, "true", `SELECT pg_promote(true, 30)::text`)
}

func (*postgresReplication) position(ctx context.Context, primary *sql.DB) (position string, err error) {
	err = primary.QueryRowContext(ctx, `SELECT pg_current_wal_lsn()::text`).Scan(&position)
	return position, err
}

func (*postgresReplication) applied(ctx context.Context, admin *sql.DB, position string) (at string, there bool, err error) {
	err = admin.QueryRowContext(ctx, `
		SELECT coalesce(pg_last_wal_replay_lsn()::text, 'the beginning'),
		       coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)`, position).Scan(&at, &there)
	return at, there, err
}

// pollFor waits until a query for one text gives the wanted one.
func pollFor(ctx context.Context, admin *sql.DB, want, query string) error {
	return poll(replayTimeout, func() error {
		var got string
		err := admin.QueryRowContext(ctx, query).Scan(&got)
		if err == nil && got != want {
			err = fmt.Errorf("%s: %q, not %q", query, got, want)
		}
		return err
	})
}
