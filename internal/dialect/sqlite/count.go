package sqlite

import (
	"context"
	"database/sql/driver"
	"maps"

	"modernc.org/sqlite"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// Codes of the authorizer and the pre-update hook (SQLite manual, c3ref/c_alter_table).
const (
	opDelete = 9
	opInsert = 18
	opUpdate = 23
)

// Count registers a pre-update hook, which SQLite calls for each row, also those that triggers and foreign key
// actions change. A driver without the hook counts by statement.
func (Dialect) Count(_ context.Context, conn driver.Conn, _ dialect.Queryer) (dialect.Tally, error) {
	hooked, ok := conn.(hooker)
	if !ok {
		return &dialect.StatementTally{Syntax: sqltext.SQLite}, nil
	}
	t := &tally{conn: hooked, counts: dialect.Changes{}}
	hooked.RegisterPreUpdateHook(t.row)
	return t, nil
}

// hooker is modernc's connection.
type hooker interface {
	RegisterPreUpdateHook(callback sqlite.PreUpdateHookFn)
}

type tally struct {
	conn   hooker
	counts dialect.Changes
}

func (t *tally) row(u sqlite.SQLitePreUpdateData) {
	n := t.counts[u.TableName]
	switch u.Op {
	case opInsert:
		n.Inserted++
	case opUpdate:
		n.Updated++
	case opDelete:
		n.Deleted++
	}
	t.counts[u.TableName] = n
}

func (t *tally) Allow(string) error { return nil }

func (t *tally) Statement(string, int64) {}

func (t *tally) Changes(context.Context) (dialect.Changes, error) { return maps.Clone(t.counts), nil }

func (t *tally) Notes(context.Context, dialect.Changes) ([]string, error) { return nil, nil }

func (t *tally) Stop() { t.conn.RegisterPreUpdateHook(nil) }
