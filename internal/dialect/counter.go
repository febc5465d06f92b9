package dialect

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"

	"github.com/drover-dev/drover/internal/sqltext"
)

// Change counts the rows of one table that a transaction has inserted, updated and deleted.
type Change struct {
	Inserted, Updated, Deleted int64
}

// Changes maps a table, as a person would write it, to what happened to its rows.
type Changes map[string]Change

// Less returns c without the counts of other; tables that are left with none are dropped.
func (c Changes) Less(other Changes) Changes {
	diff := Changes{}
	for table, n := range c {
		o := other[table]
		n.Inserted -= o.Inserted
		n.Updated -= o.Updated
		n.Deleted -= o.Deleted
		if n != (Change{}) {
			diff[table] = n
		}
	}
	return diff
}

// Plus returns the counts of c and other together.
func (c Changes) Plus(other Changes) Changes {
	sum := Changes{}
	maps.Copy(sum, c)
	for table, o := range other {
		n := sum[table]
		sum[table] = Change{n.Inserted + o.Inserted, n.Updated + o.Updated, n.Deleted + o.Deleted}
	}
	return sum
}

// Tables returns the names of the changed tables, sorted.
func (c Changes) Tables() []string { return slices.Sorted(maps.Keys(c)) }

// Counter starts the counting of row changes for a dry run.
type Counter interface {
	// Count starts counting on a live connection that has just begun a transaction, on which q runs.
	Count(ctx context.Context, conn driver.Conn, q Queryer) (Tally, error)
}

// Tally counts the row changes of one transaction. It is used by one goroutine at a time.
type Tally interface {
	// Allow refuses a statement whose effect could not be rolled back.
	Allow(query string) error
	// Statement is told each statement that the transaction has run and the rows it reports as affected; less than 0
	// where the driver does not tell, as for INSERT … RETURNING.
	Statement(query string, affected int64)
	// Changes returns the counts so far, those of rolled-back savepoints included; the caller subtracts them.
	Changes(ctx context.Context) (Changes, error)
	// Notes says in sentences what the counts cannot see of the tables that changed.
	Notes(ctx context.Context, changed Changes) ([]string, error)
	// Stop ends the counting and leaves the connection as it was.
	Stop()
}

// StatementTally counts by what each statement says of itself: its verb, its table and its affected rows. It is
// for databases that do not count per transaction; rows that triggers and cascades change are not in it.
type StatementTally struct {
	Syntax sqltext.Syntax
	counts Changes
	opaque bool // a statement changed rows, but not to be known how many or of which table
}

// Statement adds one statement's rows to its table.
func (t *StatementTally) Statement(query string, affected int64) {
	if affected == 0 {
		return
	}
	verb, table, ok := sqltext.Target(t.Syntax, query)
	if !ok || affected < 0 {
		t.opaque = t.opaque || sqltext.Classify(t.Syntax, query)&sqltext.Writes != 0
		return
	}
	var n Change
	switch verb {
	case "INSERT", "REPLACE", "LOAD DATA", "LOAD":
		n.Inserted = affected
	case "UPDATE":
		n.Updated = affected
	case "DELETE":
		n.Deleted = affected
	default:
		return
	}
	t.counts = t.counts.Plus(Changes{table: n})
}

// Changes returns the counts so far.
func (t *StatementTally) Changes(context.Context) (Changes, error) { return maps.Clone(t.counts), nil }

// Notes says that the counts are the statements' own.
func (t *StatementTally) Notes(_ context.Context, changed Changes) ([]string, error) {
	var notes []string
	if len(changed) > 0 {
		notes = append(notes, "counts are the rows that the statements reported; rows changed by triggers and cascades are not in them")
	}
	if t.opaque {
		notes = append(notes, "a statement did not tell how many rows it changed or of which table (INSERT … RETURNING, say); they are not counted")
	}
	return notes, nil
}

// Allow refuses nothing.
func (t *StatementTally) Allow(string) error { return nil }

// Stop does nothing.
func (t *StatementTally) Stop() {}
