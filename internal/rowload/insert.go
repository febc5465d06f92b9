package rowload

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

const (
	// insertRows is the most rows of a statement: more are not faster.
	insertRows = 500
	// insertBytes is about what the values of a statement may take: MySQL and MariaDB limit what is sent at a time.
	insertBytes = 1 << 20
)

// inserting sends records with a prepared INSERT of many rows.
type inserting struct {
	*Loader
	rows int // of a statement
}

// values are those of records, one after the other; those of a bad record are NULL.
type values struct {
	all  []driver.Value
	size []int // about what those of each record take
}

func newInserting(l *Loader) *inserting {
	return &inserting{l, max(1, min(insertRows, l.conn.Dialect().Features().MaxParams/len(l.columns)))}
}

func (w *inserting) prepare(p *datafile.Page) (any, map[int]error) {
	bad := map[int]error{}
	v := &values{all: make([]driver.Value, p.Len()*len(w.columns)), size: make([]int, p.Len())}
	var fields [][]byte
	var scratch []byte
	for i := range p.Len() {
		if p.Bad(i) != nil {
			continue
		}
		fields, scratch = p.Fields(i, fields, scratch)
		v.size[i] = len(p.Text(i))
		row := v.all[i*len(w.columns) : (i+1)*len(w.columns)]
		for n, c := range w.columns {
			field := fields[c.Field]
			err := w.check(c, field)
			if err == nil && field != nil {
				if row[n], err = w.parse[n](field); err != nil {
					err = w.unfit(c, err)
				}
			}
			if err != nil {
				bad[p.First()+i] = err
				break
			}
		}
	}
	return v, bad
}

func (w *inserting) write(ctx context.Context, p *datafile.Page, work any, bad func(i int) bool) (n int64, err error) {
	v := work.(*values)
	var good []int // places in the page that was read
	for i := range p.Len() {
		if !bad(i) {
			good = append(good, p.First()+i)
		}
	}
	err = w.conn.Exchange(ctx, dialect.Exchange{Query: w.insert(min(w.rows, max(len(good), 1))), Send: func(ctx context.Context, live dialect.Live) (int64, error) {
		err := w.verbatim(ctx, live.Conn, func() (err error) {
			n, err = w.send(ctx, live.Conn, v, good)
			return err
		})
		return n, err
	}})
	return n, err
}

// verbatim calls fn within the settings that store values as they are, where some need it.
func (w *inserting) verbatim(ctx context.Context, conn driver.Conn, fn func() error) (err error) {
	features := w.conn.Dialect().Features()
	if features.Verbatim == "" {
		return fn()
	}
	if _, err := dialect.ExecArgs(ctx, conn, features.Verbatim, nil); err != nil {
		return err
	}
	defer func() { // also when ctx has ended: the connection goes back to its pool
		if _, end := dialect.ExecArgs(context.WithoutCancel(ctx), conn, features.VerbatimEnd, nil); end != nil {
			err = errors.Join(err, end)
		}
	}()
	return fn()
}

// send sends statements of as many rows as may be, and one of the rest.
func (w *inserting) send(ctx context.Context, conn driver.Conn, v *values, good []int) (total int64, err error) {
	var stmt dialect.Stmt
	var has int // rows of stmt; 0: there is none
	defer func() {
		if has > 0 {
			err = errors.Join(err, stmt.Close())
		}
	}()
	args := make([]driver.NamedValue, 0, w.rows*len(w.columns))
	for len(good) > 0 {
		count, size := 0, 0
		args = args[:0]
		for count < min(w.rows, len(good)) && size < insertBytes {
			at := good[count]
			for _, value := range v.all[at*len(w.columns) : (at+1)*len(w.columns)] {
				args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: value})
			}
			size += v.size[at]
			count++
		}
		if count != has {
			if has > 0 {
				has = 0
				if err := stmt.Close(); err != nil {
					return total, err
				}
			}
			if stmt, err = dialect.Prepare(ctx, conn, w.insert(count)); err != nil {
				return total, err
			}
			has = count
		}
		result, err := stmt.Exec(ctx, args)
		if err != nil {
			return total, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return total, err
		}
		total += n
		good = good[count:]
	}
	return total, nil
}

func (w *inserting) statement() string { return w.insert(1) }

// insert is the statement for n rows.
func (w *inserting) insert(n int) string {
	row := "(" + strings.Repeat("?, ", len(w.columns)-1) + "?)"
	into := w.name
	if w.upsert != nil && !w.conn.Dialect().Features().OnDuplicateKey {
		into += " AS t"
	}
	text := "INSERT INTO " + into + " (" + strings.Join(w.quoted(), ", ") + ") VALUES " + strings.Repeat(row+", ", n-1) + row + w.conflict()
	bound, _, err := sqltext.Rebind(w.conn.Dialect().Syntax(), text)
	if err != nil {
		return text
	}
	return bound
}

// conflict is what becomes of a row that is there. One that has its values already is not touched: MySQL sees to that by itself.
func (w *inserting) conflict() string {
	if w.upsert == nil {
		return ""
	}
	others := w.others()
	var set, differs []string
	if w.conn.Dialect().Features().OnDuplicateKey {
		for _, name := range others {
			set = append(set, name+" = VALUES("+name+")")
		}
		if len(set) == 0 {
			set = append(set, w.key()[0]+" = "+w.key()[0])
		}
		return " ON DUPLICATE KEY UPDATE " + strings.Join(set, ", ")
	}
	text := " ON CONFLICT (" + strings.Join(w.key(), ", ") + ") DO "
	if len(others) == 0 {
		return text + "NOTHING"
	}
	for _, name := range others {
		set = append(set, name+" = excluded."+name)
		differs = append(differs, "t."+name+" IS NOT excluded."+name)
	}
	return text + "UPDATE SET " + strings.Join(set, ", ") + " WHERE " + strings.Join(differs, " OR ")
}
