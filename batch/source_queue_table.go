package batch

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/suggest"
)

// queueTable is the SQL of a queue's table.
type queueTable struct {
	table   string
	byKey   string // behind the table's name, where rows are looked up by their keys
	options QueueOptions
	keys    []string
	// Columns, quoted. tried is the number of attempts as an expression.
	status, claimedBy, claimedAt, attempts, tried, errText string
	// What a row is set to: claiming has the parameters status and claimed_by, the others those of their columns.
	claiming, unclaimed, done, failed string
	blank                             map[string]any // the value of a column that says nothing; columns that cannot are missing
	longest                           int            // of the error's text, in characters; 0: no limit
}

// queueColumnError says that a column of a queue is missing.
type queueColumnError struct{ table, column, field, near string }

func (e *queueColumnError) Error() string {
	return fmt.Sprintf("table %s has no column %q, which a queue needs (QueueOptions.%s)", e.table, e.column, e.field)
}

// Hint names the column that was probably meant.
func (e *queueColumnError) Hint() string {
	if e.near == "" {
		return "add the column, or name another one in QueueOptions." + e.field
	}
	return fmt.Sprintf("did you mean %q?", e.near)
}

func newQueueTable(d dialect.Dialect, quoted string, t *dialect.Table, key []string, o QueueOptions) (*queueTable, error) {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	q := &queueTable{table: quoted, byKey: t.IndexHint(d, key), options: o, blank: map[string]any{}}
	for _, c := range key {
		q.keys = append(q.keys, d.Quote(c))
	}
	for _, c := range []struct {
		field, column string
		quoted        *string
		empty         any // where NULL is not possible
	}{
		{"Status", o.Status, &q.status, nil},
		{"ClaimedBy", o.ClaimedBy, &q.claimedBy, ""},
		{"ClaimedAt", o.ClaimedAt, &q.claimedAt, nil},
		{"Attempts", o.Attempts, &q.attempts, nil},
		{"Error", o.Error, &q.errText, ""},
	} {
		i := slices.Index(names, c.column)
		if i < 0 {
			return nil, &queueColumnError{t.FullName(), c.column, c.field, suggest.Nearest(c.column, names)}
		}
		*c.quoted = d.Quote(c.column)
		switch {
		case t.Columns[i].Nullable:
			q.blank[c.column] = nil
		case c.empty != nil:
			q.blank[c.column] = c.empty
		}
		if c.column == o.Error {
			q.longest = maxLength(t.Columns[i].Type)
		}
	}
	q.tried = "COALESCE(" + q.attempts + ", 0)"
	q.claiming = fmt.Sprintf("%s = ?, %s = ?, %s = %s, %s = %s + 1", q.status, q.claimedBy, q.claimedAt, d.Features().Clock, q.attempts, q.tried)
	q.unclaimed = q.status + " = ?" + q.cleared(o.ClaimedBy, q.claimedBy) + q.cleared(o.ClaimedAt, q.claimedAt)
	q.done = q.status + " = ?" + q.cleared(o.Error, q.errText)
	q.failed = q.status + " = ?, " + q.errText + " = ?"
	return q, nil
}

// cleared is the assignment that makes a column say nothing.
func (q *queueTable) cleared(column, quoted string) string {
	switch value, ok := q.blank[column]; {
	case !ok:
		return ""
	case value == nil:
		return ", " + quoted + " = NULL"
	}
	return ", " + quoted + " = ''"
}

var lengthOf = regexp.MustCompile(`(?i)char[a-z ]*\((\d+)\)`)

// maxLength is how many characters a column of that type takes; 0 where it says nothing.
func maxLength(columnType string) int {
	if m := lengthOf.FindStringSubmatch(columnType); m != nil {
		n, _ := strconv.Atoi(m[1]) // it is made of digits; where they are too many there is no limit
		return n
	}
	return 0
}

// of is a condition that holds for the rows of keys.
func (q *queueTable) of(keys []keyset.Values) (cond string, args []any) {
	for _, key := range keys {
		args = append(args, key...)
	}
	if len(q.keys) == 1 {
		return q.keys[0] + " IN (?" + strings.Repeat(", ?", len(keys)-1) + ")", args
	}
	one := "(" + strings.Join(q.keys, " = ? AND ") + " = ?)"
	return "(" + one + strings.Repeat(" OR "+one, len(keys)-1) + ")", args
}

// update changes rows by their keys, if the condition holds for them, and returns for how many it did.
func (q *queueTable) update(ctx context.Context, conn *db.DB, assign string, values []any, keys []keyset.Values, is owned) (total int64, err error) {
	for some := range slices.Chunk(keys, queueKeys) {
		in, of := q.of(some)
		n, err := conn.ExecRows(ctx, "UPDATE "+q.table+q.byKey+" SET "+assign+" WHERE "+in+" AND "+is.cond, slices.Concat(values, of, is.args)...)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// errNotHeld rolls back a batch whose rows are not its own any more.
var errNotHeld = errors.New("rows of the batch are not claimed by this run any more: something else has changed their claim, or deleted them")

// complete notes that rows are done.
func (q *queueTable) complete(ctx context.Context, conn *db.DB, keys []keyset.Values, is owned) error {
	n, err := q.update(ctx, conn, q.done, []any{q.options.Completed}, keys, is)
	if err == nil && n != int64(len(keys)) {
		return Fatal(errNotHeld)
	}
	return err
}

// fail notes that a row cannot be processed.
func (q *queueTable) fail(ctx context.Context, conn *db.DB, key keyset.Values, cause error, is owned) error {
	n, err := q.update(ctx, conn, q.failed, []any{q.options.Failed, q.text(cause.Error())}, []keyset.Values{key}, is)
	if err == nil && n != 1 {
		return Fatal(errNotHeld)
	}
	return err
}

// text makes an error's text fit into its column.
func (q *queueTable) text(text string) string {
	text = runstore.Storable(text)
	if q.longest == 0 || utf8.RuneCountInString(text) <= q.longest {
		return text
	}
	return string([]rune(text)[:q.longest])
}

// giveBack makes claimed rows pending again, or failed where they have had all their attempts. With refund the attempt does not count.
func (q *queueTable) giveBack(ctx context.Context, conn *db.DB, keys []keyset.Values, is owned, refund bool) error {
	assign := q.unclaimed
	if refund {
		assign += ", " + q.attempts + " = " + q.tried + " - 1"
	} else {
		why := fmt.Sprintf("given up: %d attempts ended without a result, because the program died or the run stopped", q.options.MaxAttempts)
		used := owned{is.cond + " AND " + q.tried + " >= ?", append(slices.Clone(is.args), q.options.MaxAttempts)}
		if _, err := q.update(ctx, conn, q.failed, []any{q.options.Failed, q.text(why)}, keys, used); err != nil {
			return err
		}
	}
	_, err := q.update(ctx, conn, assign, []any{q.options.Pending}, keys, is)
	return err
}

// unclaim makes the image of a claimed row that of a pending one.
func (q *queueTable) unclaim(columns []string, values []any) {
	o := q.options
	for i, name := range columns {
		empty, clears := q.blank[name]
		n, counts := values[i].(int64)
		switch {
		case name == o.Status:
			values[i] = o.Pending
		case name == o.Attempts && counts:
			values[i] = n - 1
		case clears && (name == o.ClaimedBy || name == o.ClaimedAt):
			values[i] = empty
		}
	}
}
