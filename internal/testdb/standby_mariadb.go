package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// mariadbReplication is replication by GTID from the beginning of the primary's binary log, which lacks nothing: both
// servers began with the same data directory.
type mariadbReplication struct{ engine *mariadbEngine }

func (e *mariadbEngine) replication() replication { return mariadbReplication{e} }

func (e *mariadbEngine) standby(o *options) {
	o.settings = append(o.settings, setting{"read_only", "ON"}, setting{"relay_log", "relay"})
}

func (r mariadbReplication) fill(_ context.Context, s *Standby) (err error) {
	w, err := theWorkspace()
	if err != nil {
		return err
	}
	template, err := w.openTemplate(r.engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, template.Close()) }()
	return unpack(template, s.DataDir(), r.engine.user)
}

func (r mariadbReplication) follow(ctx context.Context, s *Standby, admin *sql.DB) error {
	_, err := admin.ExecContext(ctx, `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = `+s.primary.portText()+
		`, MASTER_USER = '`+User+`', MASTER_PASSWORD = '`+Password+`', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1`)
	if err != nil {
		return err
	}
	if err := r.resume(ctx, admin); err != nil {
		return err
	}
	return poll(replayTimeout, func() error {
		var connected int
		err := admin.QueryRowContext(ctx, `SELECT COUNT(*) FROM information_schema.PROCESSLIST
			WHERE COMMAND = 'Slave_IO' AND STATE = 'Waiting for master to send event'`).Scan(&connected)
		if err == nil && connected != 1 {
			err = errors.New("the standby is not connected yet")
		}
		return err
	})
}

func (mariadbReplication) forget(context.Context, *Standby) error { return nil }

func (mariadbReplication) pause(ctx context.Context, admin *sql.DB) error {
	_, err := admin.ExecContext(ctx, `STOP SLAVE SQL_THREAD`)
	return err
}

func (mariadbReplication) resume(ctx context.Context, admin *sql.DB) error {
	_, err := admin.ExecContext(ctx, `START SLAVE`)
	return err
}

func (mariadbReplication) disconnect(ctx context.Context, _ *Standby, admin *sql.DB) error {
	_, err := admin.ExecContext(ctx, `STOP SLAVE IO_THREAD`)
	return err
}

func (r mariadbReplication) connect(ctx context.Context, _ *Standby, admin *sql.DB) error {
	return r.resume(ctx, admin)
}

func (mariadbReplication) promote(ctx context.Context, admin *sql.DB) error {
	_, err := admin.ExecContext(ctx, `STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF`)
	return err
}

func (mariadbReplication) position(ctx context.Context, primary *sql.DB) (position string, err error) {
	err = primary.QueryRowContext(ctx, `SELECT @@gtid_binlog_pos`).Scan(&position)
	return position, err
}

func (mariadbReplication) applied(ctx context.Context, admin *sql.DB, position string) (at string, there bool, err error) {
	var waited sql.NullInt64
	err = admin.QueryRowContext(ctx, `SELECT @@gtid_slave_pos, MASTER_GTID_WAIT(?, 0)`, position).Scan(&at, &waited)
	if err == nil && !waited.Valid {
		err = fmt.Errorf("the position %q cannot be waited for", position)
	}
	return at, waited.Int64 == 0, err
}
