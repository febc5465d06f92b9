package rowload

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
)

// loading loads records with a statement that takes a stream, in a savepoint. Where it has not loaded exactly these rows, or is not allowed, they are
// inserted, so that the database says of the row what is wrong with it.
type loading struct {
	*inserting
	with   dialect.BulkLoader
	barred atomic.Bool // the server does not allow it
}

// loadable is records in both forms.
type loadable struct {
	*values
	text   []byte
	bounds []int // where each record begins in text, and the end of the last one
}

// newLoading returns nil where the statement would not do the same as an INSERT.
func newLoading(l *Loader) *loading {
	with, ok := l.conn.Dialect().(dialect.BulkLoader)
	if !ok || l.upsert != nil {
		return nil
	}
	for _, c := range l.columns {
		switch l.conn.Dialect().Type(c.Column).Class {
		case dialect.Integer, dialect.Decimal, dialect.Float, dialect.Boolean, dialect.Text, dialect.JSON, dialect.Date, dialect.TimeOfDay, dialect.Timestamp:
		default:
			return nil
		}
	}
	return &loading{inserting: newInserting(l), with: with}
}

func (w *loading) statement() string {
	return "LOAD DATA LOCAL INFILE 'records' INTO TABLE " + w.name + " (" + strings.Join(w.quoted(), ", ") + ")"
}

func (w *loading) prepare(p *datafile.Page) (any, map[int]error) {
	work, bad := w.inserting.prepare(p)
	b := &loadable{values: work.(*values), bounds: make([]int, 1, p.Len()+1)}
	for i := range p.Len() {
		if p.Bad(i) == nil && bad[p.First()+i] == nil {
			for n, value := range b.all[i*len(w.columns) : (i+1)*len(w.columns)] {
				if n > 0 {
					b.text = append(b.text, '\t')
				}
				b.text = appendValue(b.text, value)
			}
			b.text = append(b.text, '\n')
		}
		b.bounds = append(b.bounds, len(b.text))
	}
	return b, bad
}

// appendValue appends a parameter in the text format of COPY.
func appendValue(out []byte, value driver.Value) []byte {
	switch v := value.(type) {
	case nil:
		return append(out, `\N`...)
	case string:
		return appendCopy(out, []byte(v))
	case int64:
		return strconv.AppendInt(out, v, 10)
	case uint64:
		return strconv.AppendUint(out, v, 10)
	case float64:
		return strconv.AppendFloat(out, v, 'g', -1, 64)
	case bool:
		if v {
			return append(out, '1')
		}
		return append(out, '0')
	}
	return appendCopy(out, fmt.Append(nil, value))
}

// errNotWhole takes back what was not loaded as it is.
var errNotWhole = errors.New("other rows were loaded")

func (w *loading) write(ctx context.Context, p *datafile.Page, work any, bad func(i int) bool) (int64, error) {
	b := work.(*loadable)
	if w.barred.Load() {
		return w.inserting.write(ctx, p, b.values, bad)
	}
	var count int64
	for i := range p.Len() {
		if !bad(i) {
			count++
		}
	}
	text := bytes.NewReader(b.text[b.bounds[p.First()]:b.bounds[p.First()+p.Len()]]) // in which bad records have no place
	err := w.conn.Atomic(ctx, func(ctx context.Context) error {
		return w.conn.Exchange(ctx, dialect.Exchange{Query: w.statement(), Send: func(ctx context.Context, live dialect.Live) (n int64, err error) {
			err = w.verbatim(ctx, live.Conn, func() error {
				whole, able, err := w.with.Load(ctx, live.Conn, w.name, w.quoted(), text, count)
				switch {
				case err != nil:
					return err
				case !able:
					w.barred.Store(true)
					return errNotWhole
				case !whole:
					return errNotWhole
				}
				n = count
				return nil
			})
			return n, err
		}})
	})
	if errors.Is(err, errNotWhole) {
		return w.inserting.write(ctx, p, b.values, bad)
	}
	if err != nil {
		return 0, err
	}
	return count, nil
}
