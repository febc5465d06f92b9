package pgbinary_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/drover-dev/drover/internal/pgbinary"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// types are all OIDs that the package knows.
var types = []uint32{
	pgbinary.Bool, pgbinary.Bytea, pgbinary.Char, pgbinary.Name, pgbinary.Int8, pgbinary.Int2, pgbinary.Int4,
	pgbinary.Text, pgbinary.OID, pgbinary.JSON, pgbinary.XML, pgbinary.Float4, pgbinary.Float8, pgbinary.Unknown,
	pgbinary.BPChar, pgbinary.Varchar, pgbinary.Date, pgbinary.Time, pgbinary.Timestamp, pgbinary.Timestamptz,
	pgbinary.Numeric, pgbinary.UUID, pgbinary.JSONB,
}

// connect returns a connection to a fresh PostgreSQL database.
func connect(t *testing.T) *pgconn.PgConn {
	t.Helper()
	conn, err := testdb.Fresh(t, testdb.NamePostgres).RawDB(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var pg *pgconn.PgConn
	if err := conn.Raw(func(c any) error {
		pg = c.(*stdlib.Conn).Conn().PgConn()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return pg
}

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// query runs one query with one parameter in binary format and returns the rows, in binary format.
func query(t *testing.T, f failer, pg *pgconn.PgConn, sql string, oid uint32, param []byte) ([][][]byte, error) {
	f.Helper()
	r := pg.ExecParams(t.Context(), sql, [][]byte{param}, []uint32{oid}, []int16{1}, []int16{1}).Read()
	return r.Rows, r.Err
}

// array encodes values, each without its length, as an array; nil is NULL.
func array(element uint32, values [][]byte) []byte {
	hasNull := false
	for _, v := range values {
		hasNull = hasNull || v == nil
	}
	buf := pgbinary.AppendArrayHeader(nil, element, len(values), hasNull)
	for _, v := range values {
		buf = field(buf, v)
	}
	return buf
}

// field appends a value with its length; nil is NULL.
func field(buf, v []byte) []byte {
	if v == nil {
		return pgbinary.AppendNull(buf)
	}
	at := len(buf)
	buf = append(append(buf, 0, 0, 0, 0), v...)
	pgbinary.SetLength(buf, at)
	return buf
}
