package dialect

import (
	"context"
	"database/sql/driver"
	"io"
)

// BulkLoader is a dialect with a statement that loads rows from a stream, but turns values that do not fit into others and passes over rows whose keys
// are there, and only tells of it afterwards: what was loaded must be taken back then.
type BulkLoader interface {
	// Load sends rows to a table, both named in SQL, in the text format of PostgreSQL's COPY: fields between tabs, \N for NULL. whole is false where not
	// exactly these rows were loaded. able is false where the server does not allow it, and nothing has happened.
	Load(ctx context.Context, conn driver.Conn, table string, columns []string, rows io.Reader, count int64) (whole, able bool, err error)
}
