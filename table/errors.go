package table

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/drover-dev/drover/internal/mapping"
)

// What a caller can branch on besides the kinds of package db.
var (
	// ErrNotFound says that no row matches. errors.Is(err, sql.ErrNoRows) holds too.
	ErrNotFound error = notFoundError{}
	// ErrMultiple says that more than one row matches where one was asked for.
	ErrMultiple = errors.New("more than one row matches")
	// ErrLockOutsideBlock refuses a query that locks rows outside a block, where the locks would end with the query.
	ErrLockOutsideBlock = errors.New("a query that locks rows must run in a block: its locks would end at once")
	// ErrLockUnsupported refuses an option of ForUpdate that the database does not have.
	ErrLockUnsupported = errors.New("the database has no such row lock")
	// ErrSliced refuses to update or delete a query with a limit or an offset.
	ErrSliced = errors.New("a query with a limit or an offset cannot be updated or deleted as a whole")
	// ErrNoKey says that the call needs a primary key and the type has none.
	ErrNoKey = errors.New("the type has no primary key: mark its fields pk")
	// ErrBatchSize refuses a batch size, page size or count that is not positive.
	ErrBatchSize = errors.New("the size must be positive")
	// ErrConflictOption refuses options of BulkCreate that contradict each other or the database.
	ErrConflictOption = errors.New("the conflict cannot be handled so")
)

type notFoundError struct{}

func (notFoundError) Error() string { return "no row matches" }

func (notFoundError) Is(target error) bool { return target == sql.ErrNoRows }

// MappingError says in a sentence why a type cannot be the rows of a table.
type MappingError = mapping.Error

// ColumnError says that a table, as the type describes it, has no such column.
type ColumnError struct {
	Table   string
	Column  string
	Nearest string // the column that was probably meant, or ""
}

// Error names the column and the table.
func (e *ColumnError) Error() string {
	return fmt.Sprintf("table %s has no column %q", e.Table, e.Column)
}

// Hint names the column that was probably meant.
func (e *ColumnError) Hint() string {
	if e.Nearest == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", e.Nearest)
}

// ValueError says that a value does not fit its column, before it is sent or when it was read.
type ValueError struct {
	Table  string
	Column string
	Key    string // of the row, where it is known
	Err    error
}

// Error names the table, the column and the reason.
func (e *ValueError) Error() string {
	text := fmt.Sprintf("table %s, column %q", e.Table, e.Column)
	if e.Key != "" {
		text += ", row " + e.Key
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *ValueError) Unwrap() error { return e.Err }

// RowError says which row of a bulk write failed. Nothing of the call's transaction is kept.
type RowError struct {
	Op         string // "create", "update", "delete"
	Table      string
	Row        int    // its place in the call's input, from 0; -1 where it could not be found
	Key        string // what identifies the row: "id 17", or the values that were refused
	Column     string // the column or columns at fault, where the database tells
	Constraint string // where the database names it
	Err        error
}

// Error says what, where and why in one line.
func (e *RowError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", e.Op, e.Table)
	if e.Row >= 0 {
		fmt.Fprintf(&b, "row %d", e.Row)
		if e.Key != "" {
			fmt.Fprintf(&b, " (%s)", e.Key)
		}
		b.WriteString(": ")
	}
	if e.Column != "" {
		fmt.Fprintf(&b, "column %s: ", e.Column)
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns the database's error.
func (e *RowError) Unwrap() error { return e.Err }

// Hint says what became of the other rows.
func (e *RowError) Hint() string {
	return "nothing of the transaction was kept; mend or leave out the row and run again"
}

// DuplicateKeyError says that two rows of one call have the same key, so that which of them would win is chance.
type DuplicateKeyError struct {
	Table         string
	Key           string
	First, Second int // the rows' places in the call's input, from 0
}

// Error names the rows.
func (e *DuplicateKeyError) Error() string {
	return fmt.Sprintf("table %s: rows %d and %d have the same key (%s)", e.Table, e.First, e.Second, e.Key)
}
