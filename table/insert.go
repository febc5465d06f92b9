package table

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// CreateOption is an option of [Table.BulkCreate].
type CreateOption func(*creation)

// IgnoreConflicts leaves out rows that violate a unique constraint; the number that BulkCreate returns is that of the rows that were added. No keys
// are read back. Other violations are errors as ever.
func IgnoreConflicts() CreateOption { return func(c *creation) { c.ignore = true } }

// UpdateConflicts makes an upsert of it: where a row with the same values in the columns on is there, its columns update get the new row's
// values; without any, all columns but those of on, of the key and those that the database makes. on must be the columns of a unique constraint, and is required.
// MySQL and MariaDB know no such choice: there every unique key of the table sets the update off, so on is refused unless
// it is the only one that the rows could violate, and so is a row that brings a key which the database would make. What the catalogue says of the
// keys is believed for ten seconds.
//
// Two rows of one call with the same values in on are refused with [*DuplicateKeyError].
func UpdateConflicts(on []string, update ...string) CreateOption {
	return func(c *creation) { c.upsert, c.on, c.update = true, on, update }
}

// NoReadBack leaves generated keys and defaults unread, so that PostgreSQL can take all rows in one COPY.
func NoReadBack() CreateOption { return func(c *creation) { c.noReadBack = true } }

// Assign gives columns the same expression or value in all rows, in place of the rows' own:
//
//	items.BulkCreate(ctx, rows, table.Assign(table.Set{"created_at": table.Now()}))
func Assign(set Set) CreateOption { return func(c *creation) { c.assign = set } }

// creation is what BulkCreate is asked for.
type creation struct {
	ignore, upsert, noReadBack bool
	on, update                 []string
	assign                     Set
}

// insertion is an INSERT of rows that leave out the same columns.
type insertion struct {
	columns   []int        // written, from the rows
	assigned  []assignment // written, the same in all rows
	omitted   []int        // left out, because they are zero
	returning []int        // read back
	on        []int
	update    []int
	ignore    bool
	upsert    bool
}

// insertions plans a call's INSERTs, one for each set of columns that rows leave out.
type insertions struct {
	model    *model
	base     insertion
	readBack bool
	optional []int // columns that a row with a zero value leaves out
	plans    map[uint64]*insertion
}

// plan checks the options against the type.
func (c *creation) plan(m *model, d dialect.Dialect) (*insertions, error) {
	p := &insertions{model: m, readBack: !c.noReadBack && !c.ignore, plans: map[uint64]*insertion{}}
	p.base.ignore, p.base.upsert = c.ignore, c.upsert
	var err error
	if p.base.assigned, err = m.assignments(c.assign, false); err != nil {
		return nil, err
	}
	if err := m.writable(p.base.assigned); err != nil {
		return nil, err
	}
	if err := c.planConflicts(p, d); err != nil {
		return nil, err
	}
	for i, col := range m.mapping.Columns {
		assigned := slices.ContainsFunc(p.base.assigned, func(a assignment) bool { return a.column == i })
		if (col.Auto || col.OmitZero) && !col.Generated && !assigned {
			p.optional = append(p.optional, i)
		}
	}
	if len(p.optional) > 64 {
		return nil, &MappingError{Type: m.mapping.Type.String(), Reason: "it has more than 64 columns that are auto or omitzero"}
	}
	return p, nil
}

func (c *creation) planConflicts(p *insertions, d dialect.Dialect) error {
	m := p.model
	switch {
	case c.ignore && c.upsert:
		return fmt.Errorf("IgnoreConflicts and UpdateConflicts exclude each other: %w", ErrConflictOption)
	case !c.upsert:
		return nil
	case len(c.on) == 0 && !d.Features().OnDuplicateKey:
		return fmt.Errorf("UpdateConflicts needs the columns of a unique constraint on %s: %w", d.Name(), ErrConflictOption)
	}
	var err error
	if p.base.on, err = m.columnsOf(c.on); err != nil {
		return err
	}
	if p.base.update, err = m.columnsOf(c.update); err != nil {
		return err
	}
	for _, i := range p.base.update {
		switch col := m.mapping.Columns[i]; {
		case col.Key:
			return fmt.Errorf("the key column %q cannot be updated by a conflict: %w", col.Name, ErrConflictOption)
		case col.Generated:
			return fmt.Errorf("the computed column %q cannot be updated by a conflict: %w", col.Name, ErrConflictOption)
		}
	}
	if len(c.update) == 0 {
		for i, col := range m.mapping.Columns {
			if !col.Key && !col.Auto && !col.Generated && !slices.Contains(p.base.on, i) {
				p.base.update = append(p.base.update, i)
			}
		}
	}
	if len(p.base.update) == 0 {
		return fmt.Errorf("UpdateConflicts has no columns to update: %w", ErrConflictOption)
	}
	return nil
}

// of returns the plan for rows that leave out these columns.
func (p *insertions) of(mask uint64) *insertion {
	if known := p.plans[mask]; known != nil {
		return known
	}
	plan := p.base
	for i, c := range p.model.mapping.Columns {
		assigned := slices.ContainsFunc(plan.assigned, func(a assignment) bool { return a.column == i })
		n := slices.Index(p.optional, i)
		left := n >= 0 && mask&(1<<n) != 0
		if left {
			plan.omitted = append(plan.omitted, i)
		}
		switch {
		case c.Generated || left || assigned:
			if p.readBack {
				plan.returning = append(plan.returning, i)
			}
		default:
			plan.columns = append(plan.columns, i)
			if p.readBack && plan.upsert && c.Auto {
				plan.returning = append(plan.returning, i)
			}
		}
	}
	p.plans[mask] = &plan
	return &plan
}

// group is rows of a batch that leave out the same columns.
type group struct {
	plan   *insertion
	places []int // in the batch; nil: all of it
	rows   rowList
	old    rowList // the rows as they were, where the database overwrites more than what they left out; else nil
}

func newGroup(plan *insertion, places []int, rows rowList) group {
	g := group{plan: plan, places: places, rows: rows}
	if len(plan.returning) > len(plan.omitted) {
		g.old = rows.pick(nil)
	}
	return g
}

// place is the place in the batch of the group's row n.
func (g group) place(n int) int {
	if g.places == nil {
		return n
	}
	return g.places[n]
}

// writeInto writes INSERT INTO table (columns).
func (p *insertion) writeInto(b *builder, m *model) {
	b.write("INSERT INTO ", m.quoted(b.dialect))
	columns := slices.Clone(p.columns)
	for _, a := range p.assigned {
		columns = append(columns, a.column)
	}
	if len(columns) > 0 {
		b.write(" (").columns(m, columns).write(")")
	}
}

// writeConflict writes what is done where a row is there already.
func (p *insertion) writeConflict(b *builder, m *model) {
	quote := func(i int) string { return b.dialect.Quote(m.mapping.Columns[i].Name) }
	duplicate := b.dialect.Features().OnDuplicateKey
	switch {
	case p.ignore && duplicate:
		// Not INSERT IGNORE, which would swallow other errors too: an update that changes nothing but counts itself.
		first := quote(append(slices.Clone(m.mapping.Keys), 0)[0])
		b.write(" ON DUPLICATE KEY UPDATE ", first, " = IF((", keptVariable, " := ", keptVariable, " + 1) IS NULL, ", first, ", ", first, ")")
	case p.ignore:
		b.write(" ON CONFLICT DO NOTHING")
	case p.upsert && duplicate:
		b.write(" ON DUPLICATE KEY UPDATE ").list(len(p.update), func(n int) {
			b.write(quote(p.update[n]), " = VALUES(", quote(p.update[n]), ")")
		})
	case p.upsert:
		b.write(" ON CONFLICT (").columns(m, p.on).write(") DO UPDATE SET ").list(len(p.update), func(n int) {
			b.write(quote(p.update[n]), " = excluded.", quote(p.update[n]))
		})
	}
}

func (p *insertion) writeReturning(b *builder, m *model) {
	if len(p.returning) > 0 {
		b.write(" RETURNING ").selected(m, p.returning)
	}
}

// readBack takes rows that an INSERT returns into the rows that it was given, in their order.
type readBack struct {
	record *record
	rows   rowList
	next   int
}

func newReadBack(m *model, plan *insertion, rows rowList) *readBack {
	r := &readBack{rows: rows}
	if len(plan.returning) > 0 {
		r.record = rows.scratch().record(plan.returning)
		r.load()
	}
	return r
}

// load puts the row that comes next into the scratch, so that the fields that are not read back stay.
func (r *readBack) load() {
	if r.next < r.rows.len() {
		r.rows.load(r.next)
	}
}

// keep takes what was read into the row that it belongs to.
func (r *readBack) keep() {
	if r.next < r.rows.len() {
		r.rows.store(r.next)
	}
	r.next++
	r.load()
}

// layout is the record, for a statement that returns what is read back.
func (r *readBack) layout([]string) (*record, error) { return r.record, nil }

// check makes sure that every row came back.
func (r *readBack) check() error {
	if r.next != r.rows.len() {
		return fmt.Errorf("the database returned %d rows for %d that were sent; a trigger or a rule may have left some out", r.next, r.rows.len())
	}
	return nil
}

// supports drops what the server cannot return.
func (p *insertions) supports(server dialect.Server) {
	if !server.InsertReturning {
		p.readBack = false
	}
}

// onlyUniqueKey refuses an upsert on a database where any unique key sets the update off, unless on is the only one that these rows could
// violate: of another, the database makes a part where the row does not give it, and then it is new.
func (c *creator) onlyUniqueKey(ctx context.Context) error {
	d, base := c.conn.Dialect(), c.plans.base
	t, err := c.model.described(ctx, c.conn)
	if err != nil {
		return err
	}
	on := make([]string, len(base.on))
	for n, i := range base.on {
		on[n] = c.model.mapping.Columns[i].Name
	}
	found := false
	for _, k := range t.Unique {
		if sameSet(k.Columns, on) {
			found = found || k.Whole
			continue
		}
		made := c.madeByDatabase(k.Columns)
		if made < 0 {
			return fmt.Errorf("on %s any unique key sets the update off, and %s (%s) is one beside (%s); leave the columns out to accept that: %w",
				d.Name(), k.Name, strings.Join(k.Columns, ", "), strings.Join(on, ", "), ErrConflictOption)
		}
		c.makesKey = c.isZero(made)
	}
	if !found {
		return fmt.Errorf("table %s has no unique key of (%s) without NULLs: %w", c.model.fullName(), strings.Join(on, ", "), ErrConflictOption)
	}
	return nil
}

// madeByDatabase returns the column of a key that the database makes where it is zero, or -1.
func (c *creator) madeByDatabase(key []string) int {
	for _, name := range key {
		if i := c.model.mapping.Column(name); i >= 0 && c.model.mapping.Columns[i].Auto {
			return i
		}
	}
	return -1
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}
