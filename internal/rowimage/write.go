package rowimage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
)

// An INSERT has at most so many rows, and ends with the row that takes its values over so many bytes: MySQL and MariaDB limit what a statement may
// be in all.
const (
	insertRows  = 500
	insertBytes = 1 << 20
)

// Insert writes rows that are not there, with the values of all columns, those that the database would make by itself too. It is an error when
// an image does not hold all columns, and when the database says it has inserted fewer rows, because a trigger held them back. On MySQL a row
// must come after those of the table that it refers to: foreign keys are checked row by row there.
func (t *Table) Insert(ctx context.Context, conn *db.DB, rows []Row) error {
	all := make([]int, len(t.columns))
	for i := range all {
		all[i] = i
	}
	for _, row := range rows {
		if err := t.held(row, all); err != nil {
			return fmt.Errorf("insert rows: %w", err)
		}
	}
	overriding := ""
	if t.features.OverridingIdentity != "" {
		overriding = " " + t.features.OverridingIdentity
	}
	head := "INSERT INTO " + t.keys.Table() + " (" + strings.Join(t.quoted, ", ") + ")" + overriding + " VALUES "
	marks := "(" + strings.Repeat("?, ", len(t.columns)-1) + "?)"
	for len(rows) > 0 {
		var args []any
		n, size := 0, 0
		for n < len(rows) && n < insertRows && len(args)+len(t.columns) <= t.features.MaxParams && size < insertBytes {
			args = append(args, rows[n].Values...)
			size += bytesOf(rows[n].Values)
			n++
		}
		done, err := t.exec(ctx, conn, head+strings.Repeat(marks+", ", n-1)+marks, args, all)
		if err == nil && done != int64(n) {
			err = fmt.Errorf("the database has inserted %d", done)
		}
		switch {
		case err != nil && n == 1:
			return fmt.Errorf("insert row %s into table %s: %w", rows[0].Key, t.name, err)
		case err != nil:
			return fmt.Errorf("insert %d rows into table %s, the first %s: %w", n, t.name, rows[0].Key, err)
		}
		rows = rows[n:]
	}
	return nil
}

// bytesOf is about what the values take in a statement.
func bytesOf(values []any) int {
	size := 0
	for _, value := range values {
		switch v := value.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
	}
	return size
}

// Update writes the named columns of row's image, or all that it holds where none are named, to the row that has its key, and returns 1, or 0
// where there is no such row. A column that an UPDATE sets by itself keeps its value unless it is one of them.
func (t *Table) Update(ctx context.Context, conn *db.DB, row Row, columns ...string) (affected int64, err error) {
	if len(columns) == 0 {
		columns = t.Held(row)
	}
	places, err := t.index(columns)
	if err == nil {
		err = t.held(row, places)
	}
	if err == nil && len(places) == 0 {
		err = errNoColumns
	}
	if err != nil {
		return 0, fmt.Errorf("update row: %w", err)
	}
	set := make([]string, 0, len(t.columns))
	args := make([]any, 0, len(places)+len(row.Key))
	for _, i := range places {
		set = append(set, t.quoted[i]+" = ?")
		args = append(args, row.Values[i])
	}
	for i, c := range t.columns {
		if c.Stamped && !slices.Contains(places, i) {
			set = append(set, t.quoted[i]+" = "+t.quoted[i])
		}
	}
	query := "UPDATE " + t.from + " SET " + strings.Join(set, ", ") + " WHERE " + t.match
	affected, err = t.exec(ctx, conn, query, append(args, row.Key...), places)
	if err != nil {
		return 0, fmt.Errorf("update row %s of table %s: %w", row.Key, t.name, err)
	}
	return affected, nil
}

// Delete deletes the rows of those keys that exist and returns their number. There may be any number of keys.
func (t *Table) Delete(ctx context.Context, conn *db.DB, keys []keyset.Values) (n int64, err error) {
	err = t.chunks(keys, func(_ []keyset.Values, where string, args []any) error {
		deleted, err := conn.ExecRows(ctx, "DELETE FROM "+t.keys.Table()+where, args...)
		n += deleted
		return err
	})
	if err != nil {
		return n, fmt.Errorf("delete rows of table %s by key: %w", t.name, err)
	}
	return n, nil
}

// exec runs a statement that writes the columns at places, within the settings that store their values as they are where some need it.
func (t *Table) exec(ctx context.Context, conn *db.DB, query string, args []any, places []int) (int64, error) {
	verbatim := t.features.Verbatim != "" && slices.ContainsFunc(places, func(i int) bool { return t.columns[i].Verbatim })
	if !verbatim {
		return conn.ExecRows(ctx, query, args...)
	}
	query, _, err := sqltext.Rebind(conn.Dialect().Syntax(), query)
	if err != nil {
		return 0, err
	}
	var affected int64
	err = conn.Exchange(ctx, dialect.Exchange{Query: query, Send: func(ctx context.Context, live dialect.Live) (_ int64, err error) {
		if _, err := dialect.ExecArgs(ctx, live.Conn, t.features.Verbatim, nil); err != nil {
			return 0, err
		}
		defer func() { // also when ctx has ended: the connection goes back to its pool
			if _, end := dialect.ExecArgs(context.WithoutCancel(ctx), live.Conn, t.features.VerbatimEnd, nil); end != nil {
				err = errors.Join(err, end)
			}
		}()
		values, err := dialect.Args(live.Conn, args)
		if err != nil {
			return 0, err
		}
		result, err := dialect.ExecArgs(ctx, live.Conn, query, values)
		if err != nil {
			return 0, err
		}
		affected, err = result.RowsAffected()
		return affected, err
	}})
	return affected, err
}
