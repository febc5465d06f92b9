package table

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/drover-dev/drover/db"
)

// cursorNumber numbers the cursors of this process, so that two streams of one block have different ones.
var cursorNumber atomic.Int64

// byCursor reads pages of a server-side cursor: of the context's block, or of a read-only transaction of its own.
func (s *source) byCursor(ctx context.Context, size int, lay layout, rows taking) error {
	st, err := s.statement(ctx, nil)
	if err != nil || st.none {
		return err
	}
	if s.conn.InBlock(ctx) {
		return s.readCursor(ctx, st, size, lay, rows)
	}
	return s.conn.Atomic(ctx, func(inner context.Context) error {
		return s.readCursor(inner, st, size, lay, rows)
	}, db.ReadOnly())
}

func (s *source) readCursor(ctx context.Context, st statement, size int, lay layout, rows taking) (err error) {
	name := "drover_cursor_" + strconv.FormatInt(cursorNumber.Add(1), 10)
	declare := statement{sql: "DECLARE " + name + " NO SCROLL CURSOR FOR " + st.sql, args: st.args}
	if err := run(ctx, s.conn, declare); err != nil {
		return err
	}
	finished := false
	defer func() {
		// A block that was broken, or a loop that panicked, ends the cursor with its transaction.
		if finished {
			return
		}
		if broken, checkErr := s.conn.WillRollback(ctx); checkErr != nil || broken {
			return
		}
		if closed := run(context.WithoutCancel(ctx), s.conn, statement{sql: "CLOSE " + name}); err == nil {
			err = closed
		}
	}()
	next := statement{sql: "FETCH " + strconv.Itoa(size) + " FROM " + name}
	for {
		if err := fetch(ctx, s.conn, next, lay, true, rows.keep); err != nil {
			return err
		}
		n := rows.kept()
		if !rows.give() || n < size {
			return nil
		}
	}
}
