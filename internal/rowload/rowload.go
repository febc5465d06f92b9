// Package rowload writes the records of a file to a table, a page at a time.
//
//	l, err := rowload.New(conn, table, columns, []string{"id"})
//	l.Prepare(page)                  // in the goroutine that reads ahead: the values are looked at, and brought into the form that is sent
//	bad := l.Bad(page)               // records that the table does not hold
//	n, err := l.Write(ctx, page)     // the others, in a block
//
// PostgreSQL gets them by COPY, as they stand in the file where it may; MySQL and MariaDB by LOAD DATA LOCAL, where it does the same as an INSERT and is
// allowed. All else goes by a prepared INSERT of many rows. A value that a database would round, cut or take for another one is refused beforehand; all
// others are for the database to refuse.
package rowload

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/transfer"
)

// Column is a column that gets the values of a field.
type Column struct {
	dialect.Column
	Field int // its place in a record
}

// Loader writes pages to a table. It is immutable and safe for concurrent use.
type Loader struct {
	conn    *db.DB
	table   *dialect.Table
	name    string // quoted
	columns []Column
	parse   []func(text []byte) (driver.Value, error)
	upsert  []string // the columns of the key by which rows are found that are there already; nil: there must be none
	known   []string // the columns by whose values the rows are found again
	way     way
}

// way is how records go to one kind of database.
type way interface {
	// prepare brings records into the form that is sent. A record that it returns an error for, by its place, is not sent.
	prepare(p *datafile.Page) (work any, bad map[int]error)
	// statement is what is sent, for people.
	statement() string
	// write sends the records of a page but for those that bad says of. It returns how many rows were written: inserted, or changed.
	write(ctx context.Context, p *datafile.Page, work any, bad func(i int) bool) (int64, error)
}

// prepared is what Prepare leaves with a page.
type prepared struct {
	bad  map[int]error
	work any
}

// New returns a loader of columns of a table. With upsert, the columns of a unique key, a record replaces the values of the row that is there.
func New(conn *db.DB, table *dialect.Table, columns []Column, upsert []string) (*Loader, error) {
	if len(columns) == 0 {
		return nil, errors.New("no column gets a value")
	}
	l := &Loader{
		conn: conn, table: table, name: keyset.TableName(conn.Dialect(), table.Schema, table.Name), columns: columns, upsert: upsert,
	}
	for _, c := range columns {
		l.parse = append(l.parse, transfer.Parse(conn.Dialect(), c.Column))
	}
	if conn.Dialect().Features().Copy {
		l.way = newCopying(l)
	} else if w := newLoading(l); w != nil {
		l.way = w
	} else {
		l.way = newInserting(l)
	}
	return l, nil
}

// Table is the table's name in SQL.
func (l *Loader) Table() string { return l.name }

// Statement is what is sent for a page, for people.
func (l *Loader) Statement() string { return l.way.statement() }

// KnowBy makes a record bad whose row could not be found again by these columns: one without a value there, or with one in a form that the database
// alone reads. It must be called before Prepare.
func (l *Loader) KnowBy(columns []string) { l.known = columns }

// Prepare looks at the records of a page that was read. It must be called once, before Bad and Write.
func (l *Loader) Prepare(p *datafile.Page) {
	work, bad := l.way.prepare(p)
	p.Work = &prepared{bad, work}
	if len(l.known) == 0 {
		return
	}
	places := l.places(l.known)
	l.good(p, func(i int, fields [][]byte) {
		for _, at := range places {
			c := l.columns[at]
			err := errors.New("it has no value by which the row could be found again")
			if field := fields[c.Field]; field != nil {
				_, err = l.parse[at](field)
			}
			if err != nil {
				bad[p.First()+i] = l.unfit(c, err)
			}
		}
	})
}

// good calls fn with the fields of each record that is not bad.
func (l *Loader) good(p *datafile.Page, fn func(i int, fields [][]byte)) {
	bad := l.Bad(p)
	var fields [][]byte
	var scratch []byte
	for i := range p.Len() {
		if bad[i] == nil {
			fields, scratch = p.Fields(i, fields, scratch)
			fn(i, fields)
		}
	}
}

// places are the places of columns among those that get values.
func (l *Loader) places(names []string) []int {
	places := make([]int, len(names))
	for n, name := range names {
		places[n] = slices.IndexFunc(l.columns, func(c Column) bool { return c.Name == name })
	}
	return places
}

// Bad says why records of a page, by their places, are not written.
func (l *Loader) Bad(p *datafile.Page) map[int]error {
	bad := map[int]error{}
	work := p.Work.(*prepared)
	for i := range p.Len() {
		if err := p.Bad(i); err != nil {
			bad[i] = err
		} else if err := work.bad[p.First()+i]; err != nil {
			bad[i] = err
		}
	}
	return bad
}

// Write writes the records of a page that are not bad, in a block, and returns how many rows it has made or, in an upsert, made or changed. Where the
// database does not tell a changed row from one that had the values already, those count too.
func (l *Loader) Write(ctx context.Context, p *datafile.Page) (int64, error) {
	work := p.Work.(*prepared)
	return l.way.write(ctx, p, work.work, func(i int) bool { return p.Bad(i) != nil || work.bad[p.First()+i] != nil })
}

// Keys are the values of columns, of the records that are not bad, each once. Where the database reads a value that Go does not, it is NULL: see KnowBy.
func (l *Loader) Keys(p *datafile.Page, names []string) []keyset.Values {
	places := l.places(names)
	seen := map[string]bool{}
	var keys []keyset.Values
	l.good(p, func(_ int, fields [][]byte) {
		key := make(keyset.Values, len(names))
		for n, at := range places {
			if field := fields[l.columns[at].Field]; field != nil {
				key[n], _ = l.parse[at](field)
			}
		}
		if text := key.String(); !seen[text] {
			seen[text] = true
			keys = append(keys, key)
		}
	})
	return keys
}

// check refuses NULL where the column or the key of an upsert has none.
func (l *Loader) check(c Column, field []byte) error {
	if field != nil {
		return nil
	}
	switch {
	case slices.Contains(l.upsert, c.Name):
		return l.unfit(c, errors.New("it is NULL, and belongs to the key of --upsert-on"))
	case !c.Nullable && !c.Auto:
		return l.unfit(c, errors.New("it is NULL, and the column is NOT NULL"))
	}
	return nil
}

// unfit is the error of a value.
func (l *Loader) unfit(c Column, err error) error {
	return &db.Error{Op: "import", Alias: l.conn.Alias(), Kind: db.ErrData, Table: l.table.FullName(), Column: c.Name, Err: fmt.Errorf("column %s: %w", c.Name, err)}
}

// quoted are the names of the columns in SQL.
func (l *Loader) quoted() []string {
	names := make([]string, len(l.columns))
	for i, c := range l.columns {
		names[i] = l.conn.Dialect().Quote(c.Name)
	}
	return names
}

// others are the names in SQL of the columns that an upsert changes.
func (l *Loader) others() []string {
	var names []string
	for i, name := range l.quoted() {
		if !slices.Contains(l.upsert, l.columns[i].Name) {
			names = append(names, name)
		}
	}
	return names
}

// key are the names in SQL of the columns of the upsert's key.
func (l *Loader) key() []string {
	names := make([]string, len(l.upsert))
	for i, name := range l.upsert {
		names[i] = l.conn.Dialect().Quote(name)
	}
	return names
}
