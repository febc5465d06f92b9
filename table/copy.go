package table

import (
	"io"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/drover-dev/drover/internal/pgbinary"
)

// copyReader is rows in the format of COPY … WITH (FORMAT binary), encoded as they are read (PostgreSQL manual, COPY, "Binary Format").
type copyReader struct {
	rows   rowList
	record *record
	oids   []uint32
	buffer []byte
	sent   int // of the buffer
	next   int // the row that is encoded next
	ended  bool
	err    error // of the row next-1
}

func newCopyReader(rows rowList, r *record, oids []uint32) *copyReader {
	return &copyReader{rows: rows, record: r, oids: oids, buffer: append(make([]byte, 0, 1<<17), pgbinary.CopyHeader...)}
}

// Read fills p with encoded rows. It is called by pgx's goroutine, one call at a time.
func (c *copyReader) Read(p []byte) (int, error) {
	for !c.ended && c.err == nil && len(c.buffer)-c.sent < len(p) {
		if c.sent > 0 {
			c.buffer = c.buffer[:copy(c.buffer, c.buffer[c.sent:])]
			c.sent = 0
		}
		c.encode(len(p))
	}
	if c.err != nil {
		return 0, c.err
	}
	n := copy(p, c.buffer[c.sent:])
	c.sent += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// encode encodes rows until there are so many bytes.
func (c *copyReader) encode(want int) {
	for len(c.buffer) < want {
		if c.next == c.rows.len() {
			c.buffer = append(c.buffer, pgbinary.CopyTrailer...)
			c.ended = true
			return
		}
		c.rows.load(c.next)
		c.next++
		c.buffer = pgbinary.AppendCopyRow(c.buffer, len(c.oids))
		for i, of := range c.record.cells {
			at := len(c.buffer)
			buf, null, err := appendCell(append(c.buffer, 0, 0, 0, 0), of, c.oids[i])
			switch {
			case err != nil:
				c.err = c.record.fail(i, err)
				return
			case null:
				buf = pgbinary.AppendNull(buf[:at])
			default:
				pgbinary.SetLength(buf, at)
			}
			c.buffer = buf
		}
	}
}

// copyContext is PostgreSQL's context of an error in COPY, up to the number of the line: COPY item, line 731, column name.
var copyContext = regexp.MustCompile(`^COPY .*?, \D*(\d+)(?:, \S+ ([^:]+?))?(?::|$|\n)`)

// copyLine reads from an error in COPY which row it is about, and which column where the server names it.
func copyLine(pe *pgconn.PgError) (row int, column string, ok bool) {
	m := copyContext.FindStringSubmatch(pe.Where)
	if m == nil {
		return 0, "", false
	}
	line, err := strconv.Atoi(m[1])
	return line - 1, m[2], err == nil && line > 0
}
