package keyset

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/internal/dialect"
)

// Range is the part of a walk's rows that lies between two keys: those that Lower lets in for the cursor, through Last, that Where matches.
type Range struct {
	Lower  Predicate // [Keyset.From] or [Keyset.After]
	Cursor Values
	Last   Values
	Where  string // empty for all rows
	Args   []any  // the parameters of Where
}

// Cut divides a range of about rows matching rows into at most n parts of equally many, within one row where rows is their number, and returns
// the last key of every part, in order. The final one is the range's own last key, so that the parts are the range whatever rows says: where it
// is too large there are fewer parts, and where it is too small the final part is the largest. No part but the final one is empty.
//
// All of the range's index entries are read once. Rows that come or go meanwhile make parts uneven and nothing worse.
func (k *Keyset) Cut(ctx context.Context, q dialect.Queryer, r Range, rows int64, n int) ([]Values, error) {
	var ends []Values
	lower, cursor := r.Lower, r.Cursor
	for parts := int64(n); parts > 1 && rows > 1; parts-- {
		size := (rows + parts - 1) / parts
		args := append(k.Through().Args(lower.Args(nil, cursor), r.Last), r.Args...)
		var end Values
		err := dialect.Each(ctx, q, k.PageEnd(lower, r.Where, int(size)), args, func(scan func(...any) error) (err error) {
			end, err = k.Scan(scan)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cut the rows of %s after part %d: %w", k.table, len(ends), err)
		}
		if end == nil || end.Equal(r.Last) {
			break
		}
		ends = append(ends, end)
		lower, cursor, rows = k.After(), end, rows-size
	}
	return append(ends, r.Last), nil
}
