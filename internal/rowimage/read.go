package rowimage

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// maxKeyValues is how many values a statement names its keys with at most. With more, planners come to prefer other ways than the index: PostgreSQL
// to read the whole table, MariaDB to make a table of the list, from 1000 on.
const maxKeyValues = 500

// Read returns the rows of a WHERE clause, as [keyset.Keyset.Within] writes it and with its parameters, in the key's order; an empty within
// means all rows. With lock the rows are locked until the end of the block, which there must be then, else the error is [db.ErrNoBlock]; SQLite
// needs no lock, since the block is alone.
func (t *Table) Read(ctx context.Context, conn *db.DB, within string, args []any, lock bool) ([]Row, error) {
	rows, err := t.read(ctx, conn, within, args, lock)
	if err != nil {
		return nil, fmt.Errorf("read rows of table %s: %w", t.name, err)
	}
	return rows, nil
}

// Page returns the first rows of the range of keys (after, through] that match where, at most size, in the order of the key. after is nil for the
// start; where is a condition in SQL, "" for all. Nothing is locked.
func (t *Table) Page(ctx context.Context, conn *db.DB, after, through keyset.Values, where string, size int) ([]Row, error) {
	var lower keyset.Predicate
	var args []any
	if after != nil {
		lower = t.keys.After()
		args = lower.Args(args, after)
	}
	rows, err := t.query(ctx, conn, t.keys.FirstWithin(lower, where), t.keys.Until().Args(args, through), " LIMIT "+strconv.Itoa(size))
	if err != nil {
		return nil, fmt.Errorf("read rows of table %s: %w", t.name, err)
	}
	return rows, nil
}

// ReadKeys returns the rows of those keys that exist, in the order of keys; a key that is there twice has its row twice. There may be any number
// of keys. lock is that of [Table.Read]; so that sessions do not wait for each other in a circle, give the keys in order.
func (t *Table) ReadKeys(ctx context.Context, conn *db.DB, keys []keyset.Values, lock bool) ([]Row, error) {
	rows := make([]Row, 0, len(keys))
	err := t.chunks(keys, func(chunk []keyset.Values, where string, args []any) error {
		found, err := t.read(ctx, conn, where, args, lock)
		if err != nil {
			return err
		}
		ordered, err := t.inOrder(ctx, conn, chunk, found, lock)
		rows = append(rows, ordered...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read rows of table %s by key: %w", t.name, err)
	}
	return rows, nil
}

// inOrder puts the rows of keys in the order of keys. A key may be spelled otherwise than its row has it, under a collation that does not tell
// upper case from lower: such a row is asked for by itself.
func (t *Table) inOrder(ctx context.Context, conn *db.DB, keys []keyset.Values, found []Row, lock bool) ([]Row, error) {
	places := make(map[string]int, len(found))
	for i, row := range found {
		spelled, err := spell(row.Key)
		if err != nil {
			return nil, err
		}
		places[spelled] = i
	}
	spelled := make([]string, len(keys))
	unclaimed := len(places)
	claimed := make(map[string]bool, len(keys))
	for i, key := range keys {
		var err error
		if spelled[i], err = spell(key); err != nil {
			return nil, err
		}
		if _, ok := places[spelled[i]]; ok && !claimed[spelled[i]] {
			claimed[spelled[i]] = true
			unclaimed--
		}
	}
	rows := make([]Row, 0, len(found))
	for i, key := range keys {
		if place, ok := places[spelled[i]]; ok {
			rows = append(rows, found[place])
			continue
		}
		if unclaimed == 0 {
			continue
		}
		single, err := t.read(ctx, conn, " WHERE "+t.match, key, lock)
		if err != nil {
			return nil, err
		}
		rows = append(rows, single...)
	}
	return rows, nil
}

// spell writes a key so that it can be looked up. Times of different zones may be the same key.
func spell(key keyset.Values) (string, error) {
	utc := make(keyset.Values, len(key))
	for i, value := range key {
		if at, ok := value.(time.Time); ok {
			value = at.UTC()
		}
		utc[i] = value
	}
	return keyset.Encode(utc)
}

func (t *Table) read(ctx context.Context, conn *db.DB, within string, args []any, lock bool) ([]Row, error) {
	if !lock {
		return t.query(ctx, conn, within, args, "")
	}
	if !conn.InBlock(ctx) {
		return nil, fmt.Errorf("lock the rows: %w", db.ErrNoBlock)
	}
	server, err := conn.Server(ctx)
	if err != nil {
		return nil, err
	}
	locking := ""
	if server.RowLocks {
		locking = " FOR UPDATE"
	}
	return t.query(ctx, conn, within, args, locking)
}

// query reads rows in the order of the key; end is what stands behind that in the statement.
func (t *Table) query(ctx context.Context, conn *db.DB, within string, args []any, end string) ([]Row, error) {
	query := "SELECT " + t.selects + " FROM " + t.from + within + " ORDER BY " + t.keys.OrderBy() + end
	var rows []Row
	dest := make([]any, len(t.columns))
	err := dialect.Each(ctx, conn, query, args, func(scan func(...any) error) (err error) {
		row := Row{Values: make([]any, len(t.columns))}
		for i := range row.Values {
			dest[i] = &row.Values[i]
		}
		if row.Key, err = t.keys.Scan(scan, dest...); err != nil {
			return err
		}
		for i, c := range t.columns {
			row.Values[i] = c.Value(row.Values[i])
			if b, ok := row.Values[i].([]byte); ok && b == nil {
				row.Values[i] = []byte{} // SQLite's driver hands out nil for it; other drivers take that for NULL
			}
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// chunks calls do with the WHERE clause of every statement that it takes to name all keys.
func (t *Table) chunks(keys []keyset.Values, do func(chunk []keyset.Values, where string, args []any) error) error {
	size := max(1, maxKeyValues/len(t.key))
	for len(keys) > 0 {
		chunk := keys[:min(size, len(keys))]
		keys = keys[len(chunk):]
		args := make([]any, 0, len(chunk)*len(t.key))
		for _, key := range chunk {
			if len(key) != len(t.key) {
				return fmt.Errorf("the key %s has %d values, not %d", key, len(key), len(t.key))
			}
			args = append(args, key...)
		}
		if err := do(chunk, t.where(len(chunk)), args); err != nil {
			return err
		}
	}
	return nil
}

// where matches n keys, in the shape that every database makes index lookups of. For keys of several columns that is a list of rows on MySQL. The
// others make an OR of it, which takes 0.1 ms a key to plan; they take rows of VALUES. There nothing would tell PostgreSQL the types of the parameters
// but a first row, whose types are the columns' and whose values are NULL.
func (t *Table) where(n int) string {
	if len(t.key) == 1 {
		return " WHERE " + t.keyList + " IN (" + strings.Repeat("?, ", n-1) + "?)"
	}
	row := "(" + strings.Repeat("?, ", len(t.key)-1) + "?)"
	rows := strings.Repeat(row+", ", n-1) + row
	if t.features.RowComparison {
		rows = "VALUES " + t.keyTypes + rows
	}
	return " WHERE (" + t.keyList + ") IN (" + rows + ")"
}
