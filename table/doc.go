// Package table gives typed access to the rows of one table: filter and stream them, and create, update and delete them in bulk, with the
// statement that each database does fastest.
//
//	type Item struct {
//		ID     int64    `db:"id,pk,auto"`
//		Name   string   `db:"name" validate:"required,max=100"`
//		Status string   `db:"status"`
//		Score  *float64 `db:"score"`
//	}
//
//	items := table.Of[Item](conn)
//	n, err := items.Where("status = ?", "obsolete").Count(ctx)
//	for item, err := range items.Where("id > ?", 5).OrderBy("id").All(ctx) { … }      // constant memory
//	n, err = items.Where("status = ?", "pending").Update(ctx, table.Set{"status": "done", "views": table.Expr("views + ?", 1)})
//	n, err = items.BulkCreate(ctx, rows)                                             // keys are read back
//	n, err = items.BulkUpdate(ctx, rows, "score")                                    // different values for each row
//
// It is no ORM: there are no relations. A [Table] and a [Query] are immutable values; each method that refines one returns a new one, so
// they can be kept and shared between goroutines. What is wrong with one is told by the call that would send it, before anything is sent.
//
// All calls take part in the context's block of package db. A bulk write without a block is one transaction, or one for each batch with
// [Query.TransactionPerBatch].
//
// # Reading much
//
// [Query.All] holds one row, or one page of rows, at a time. There are three ways, and the default is the first where the order is the key's:
//
//   - [ByKey] sends a query for each page that goes on behind the last key. It needs no long transaction, works behind poolers, and leaves
//     the connection free for statements inside the loop. Rows that others change meanwhile are seen as they are when their page is read.
//   - [Cursor] reads a server-side cursor: one consistent snapshot, in any order, with the connection free between pages inside a block.
//   - [Direct] keeps one result set open: the fastest, for exports. In a block nothing else can be sent until the loop is over.
//
// # Types
//
// A field may be of any basic type, time.Time, []byte, [16]byte (a UUID), a sql.Null type, any type with the methods Scan and Value, a
// pointer to one of these, with the tag option json anything that encoding/json takes, and on PostgreSQL a slice for an array. Decimals
// are read into a string or into a type such as shopspring's. Times are written in UTC, truncated to microseconds, and read in UTC.
//
// The behaviours follow Django's QuerySet (Django 6.1 documentation, "QuerySet API reference") but where the documentation of a name says
// otherwise.
package table
