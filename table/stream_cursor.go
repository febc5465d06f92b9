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
func (s source[R]) byCursor(ctx context.Context, size int, yield func(R) bool) error {
	st, err := s.build(ctx, nil)
	if err != nil || st.none {
		return err
	}
	if s.conn.InBlock(ctx) {
		return s.readCursor(ctx, st, size, yield)
	}
	return s.conn.Atomic(ctx, func(inner context.Context) error {
		return s.readCursor(inner, st, size, yield)
	}, db.ReadOnly())
}

func (s source[R]) readCursor(ctx context.Context, st statement, size int, yield func(R) bool) (err error) {
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
	buffer := make([]R, 0, min(size, defaultPage))
	for {
		buffer = buffer[:0]
		if err := fetch(ctx, s.conn, next, s.lay, true, func(r *record[R]) { buffer = append(buffer, r.row()) }); err != nil {
			return err
		}
		if !giveOut(buffer, yield) {
			return nil
		}
		if len(buffer) < size {
			return nil
		}
	}
}
