package dialect

import (
	"context"
	"fmt"
	"time"
)

// Ages compares the times in a column with a moment.
type Ages interface {
	// Before gives the condition that holds for the rows of a table, by its quoted name, whose time in the column lies before at. Where each value has a type of its own
	// (SQLite) it looks at the values first. The error is a *NoTimeError where the column holds no times, or some that cannot be told.
	Before(ctx context.Context, q Queryer, table string, c Column, at time.Time) (Before, error)
}

// Before is a condition on a time.
type Before struct {
	SQL  string // without parameters; it does not hold for NULL
	Form string // what the column holds, for people
}

// NoTimeError says why a column cannot be compared with a moment.
type NoTimeError struct{ Reason string }

func (e *NoTimeError) Error() string { return e.Reason }

// The forms of a moment in SQL, in UTC.
const (
	DayLayout    = "2006-01-02"
	MomentLayout = "2006-01-02 15:04:05.000000"
)

// The forms of times, for people.
const (
	FormDate    = "a date: whole days before that of the boundary in UTC"
	FormZoned   = "date and time with a zone"
	FormUnzoned = "date and time without a zone, taken for UTC"
)

// TypedBefore is [Ages] where the column's type tells what it holds; zoned writes a moment as a value with a zone.
func TypedBefore(c Column, t Type, quoted string, at time.Time, zoned func(at time.Time) string) (Before, error) {
	switch {
	case t.Class == Date: // a day is older only when all of it is
		return Before{quoted + " < DATE '" + at.UTC().Format(DayLayout) + "'", FormDate}, nil
	case t.Class == Timestamp && t.Zoned:
		return Before{quoted + " < " + zoned(at.UTC()), FormZoned}, nil
	case t.Class == Timestamp:
		return Before{quoted + " < TIMESTAMP '" + at.UTC().Format(MomentLayout) + "'", FormUnzoned}, nil
	}
	return Before{}, &NoTimeError{fmt.Sprintf("it is of the type %s, which is neither a date nor a date with a time", c.Type)}
}
