// Package stmtcache keeps the statements of one driver connection prepared, by their texts, so that a text that is sent again is not
// compiled again.
package stmtcache

import (
	"context"
	"database/sql/driver"
	"hash/maphash"
	"io"
	"strings"

	"github.com/drover-dev/drover/internal/sqltext"
)

// Bounds of a cache. A compiled INSERT of many rows takes 35 times the memory of its text, in SQLite.
const (
	MaxStatements = 64
	MaxLength     = 64 << 10  // bytes of SQL of one statement
	MaxLengths    = 256 << 10 // and of all
	// maxSeen is how many texts a cache remembers to have seen once.
	maxSeen = 512
)

// Cache is the statements of one connection. As of any driver's connection, one goroutine uses it at a time.
type Cache struct {
	// Prepare prepares a text on the connection. A nil statement without an error is one that cannot be kept.
	Prepare func(ctx context.Context, query string) (driver.Stmt, error)
	// Verbs begin the statements that are worth keeping. A text is kept if it is one of them alone.
	Verbs  map[string]bool
	Syntax sqltext.Syntax
	// Again keeps a text only from its second use on: where to prepare a text takes longer than to run it once.
	Again bool

	idle    map[string]*statement // by text: prepared, and in nobody's hands
	lengths int                   // of their texts together
	// ends closes the ring of the idle statements: after it the one used last, before it the one not used for longest.
	ends statement
	// epoch tells the statements that were in use when the cache was emptied: they are closed when they come back.
	epoch int
	seen  map[uint64]struct{} // hashes of texts that came once
	seed  maphash.Seed
}

// Stmt is what a driver's statement must be to be kept.
type Stmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement is one prepared statement.
type statement struct {
	Stmt
	text          string
	epoch         int
	before, after *statement // in the ring, while it is idle
}

// Exec runs a kept statement. With ok false it has done nothing, and the text is to be passed on.
func (c *Cache) Exec(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, ok bool, err error) {
	s, err := c.take(ctx, query)
	if s == nil {
		return nil, err != nil, err
	}
	result, err = s.ExecContext(ctx, args)
	c.give(s, err)
	return result, true, err
}

// Query runs a kept statement, which belongs to the rows until they are closed. With nil rows and no error it has done nothing, and the
// text is to be passed on.
func (c *Cache) Query(ctx context.Context, query string, args []driver.NamedValue) (*Rows, error) {
	s, err := c.take(ctx, query)
	if s == nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		c.give(s, err)
		return nil, err
	}
	return &Rows{Rows: rows, cache: c, statement: s}, nil
}

// take returns the prepared statement for a text, for which there must be a give, or nil for a text that is to be passed on.
func (c *Cache) take(ctx context.Context, query string) (*statement, error) {
	if s := c.idle[query]; s != nil {
		c.remove(s)
		return s, nil
	}
	if len(query) > MaxLength || c.Again && c.first(query) || !c.keeps(query) {
		return nil, nil
	}
	// SQLite's driver takes anything behind the semicolon for a second statement, and keeps no such text compiled.
	prepared, err := c.Prepare(ctx, strings.TrimRight(query, " \t\r\n"))
	if err != nil || prepared == nil {
		return nil, err
	}
	live, ok := prepared.(Stmt)
	if !ok {
		return nil, prepared.Close()
	}
	return &statement{Stmt: live, text: query, epoch: c.epoch}, nil
}

// keeps reports whether a text is one statement of a kind worth keeping.
func (c *Cache) keeps(query string) bool {
	n := 0
	for s := range sqltext.Statements(c.Syntax, query) {
		if n++; !c.Verbs[s.Verb] {
			return false
		}
	}
	return n == 1
}

// first reports whether a text comes for the first time, as far as is remembered.
func (c *Cache) first(query string) bool {
	if c.seen == nil {
		c.seen, c.seed = map[uint64]struct{}{}, maphash.MakeSeed()
	}
	hash := maphash.String(c.seed, query)
	if _, again := c.seen[hash]; again {
		return false
	}
	if len(c.seen) >= maxSeen {
		clear(c.seen)
	}
	c.seen[hash] = struct{}{}
	return true
}

// give takes a statement back. One that has failed is not used again, nor one whose text has another by now.
func (c *Cache) give(s *statement, err error) {
	if err != nil || s.epoch != c.epoch || c.idle[s.text] != nil {
		_ = s.Close() // says again what its run has said
		return
	}
	for len(c.idle) >= MaxStatements || c.lengths+len(s.text) > MaxLengths {
		oldest := c.ends.before
		c.remove(oldest)
		_ = oldest.Close()
	}
	if c.idle == nil {
		c.idle = map[string]*statement{}
		c.ends.before, c.ends.after = &c.ends, &c.ends
	}
	s.before, s.after = &c.ends, c.ends.after
	s.before.after, s.after.before = s, s
	c.idle[s.text] = s
	c.lengths += len(s.text)
}

// remove takes s out of the cache.
func (c *Cache) remove(s *statement) {
	s.before.after, s.after.before = s.after, s.before
	delete(c.idle, s.text)
	c.lengths -= len(s.text)
}

// Forget closes all statements; one that is in use is closed when it comes back.
func (c *Cache) Forget() {
	c.epoch++
	for _, s := range c.idle {
		c.remove(s)
		_ = s.Close()
	}
}

// Rows is the open result set of a kept statement.
type Rows struct {
	driver.Rows
	cache     *Cache
	statement *statement // nil when closed
}

// Next reads the next row. After Close there is none: the statement may be another's.
func (r *Rows) Next(dest []driver.Value) error {
	if r.statement == nil {
		return io.EOF
	}
	return r.Rows.Next(dest)
}

// Close gives the statement back. It tells an error of Next again, as the driver's Close does. A second call does nothing.
func (r *Rows) Close() error {
	s := r.statement
	if s == nil {
		return nil
	}
	r.statement = nil
	err := r.Rows.Close()
	r.cache.give(s, err)
	return err
}
