package pgbinary_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/drover-dev/drover/internal/pgbinary"
)

// encode appends v behind something and returns what was appended.
func encode(t *rapid.T, k kind, v any) []byte {
	t.Helper()
	buf, err := k.append([]byte("before"), v)
	if err != nil {
		t.Fatalf("append %v: %v", v, err)
	}
	return bytes.TrimPrefix(buf, []byte("before"))
}

func wantRead(t *rapid.T, k kind, src []byte, want any) {
	t.Helper()
	got, err := k.read(src)
	if err != nil {
		t.Fatalf("read %v from %x: %v", want, src, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read from %x (-want +got):\n%s", src, diff)
	}
}

func TestRoundTrip_AsPgtype(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			m := pgtype.NewMap()
			rapid.Check(t, func(t *rapid.T) {
				v := k.draw(t)
				src := encode(t, k, v)
				wantRead(t, k, src, v)
				theirs, err := m.Encode(k.oid, pgtype.BinaryFormatCode, k.pgtype(v), []byte{})
				if err != nil {
					t.Fatalf("pgtype of %v: %v", v, err)
				}
				wantRead(t, k, theirs, v)
				if !k.loose && !bytes.Equal(src, theirs) {
					t.Fatalf("%v is %x, but %x for pgtype", v, src, theirs)
				}
			})
		})
	}
}

// TestRoundTrip_ThroughPostgres sends values and NULLs by unnest and by COPY, and reads them in both ways.
func TestRoundTrip_ThroughPostgres(t *testing.T) {
	pg := connect(t)
	for i, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			name, _ := pgbinary.TypeName(k.oid)
			arrayOID, ok := pgbinary.ArrayOID(k.oid)
			if !ok {
				t.Fatalf("%s has no array type", name)
			}
			table := fmt.Sprintf("t%d", i)
			if err := pg.Exec(t.Context(), "CREATE TABLE "+table+" (n int4, v "+name+")").Close(); err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(rt *rapid.T) {
				var want []any
				var values [][]byte
				for range rapid.IntRange(0, 5).Draw(rt, "rows") {
					if rapid.IntRange(0, 5).Draw(rt, "null") == 0 {
						want, values = append(want, nil), append(values, nil)
						continue
					}
					v := k.draw(rt)
					want, values = append(want, v), append(values, encode(rt, k, v))
				}
				check := func(how string, got [][]byte) {
					if len(got) != len(want) {
						rt.Fatalf("%s: %d rows of %d", how, len(got), len(want))
					}
					for i, src := range got {
						if (src == nil) != (want[i] == nil) {
							rt.Fatalf("%s: row %d is %x, want %v", how, i, src, want[i])
						}
						if src == nil {
							continue
						}
						wantRead(rt, k, src, want[i])
						if !bytes.Equal(src, values[i]) && want[i] != "Infinity" && want[i] != "-Infinity" { // see numericTests
							rt.Fatalf("%s: row %d is %x, sent as %x", how, i, src, values[i])
						}
					}
				}

				rows, err := query(t, rt, pg, "SELECT v FROM unnest($1) WITH ORDINALITY AS u(v, n) ORDER BY n",
					arrayOID, array(k.oid, values))
				if err != nil {
					rt.Fatalf("unnest: %v", err)
				}
				var got [][]byte
				for _, row := range rows {
					got = append(got, row[0])
				}
				check("unnest", got)

				out := copyThrough(t, rt, pg, table, values)
				check("COPY", copyValues(rt, out, len(values)))
			})
		})
	}
}

// copyThrough fills the table by COPY and returns what COPY reads from it.
func copyThrough(t *testing.T, rt *rapid.T, pg *pgconn.PgConn, table string, values [][]byte) []byte {
	if err := pg.Exec(t.Context(), "TRUNCATE "+table).Close(); err != nil {
		rt.Fatalf("truncate: %v", err)
	}
	in := []byte(pgbinary.CopyHeader)
	for i, v := range values {
		in = pgbinary.AppendCopyRow(in, 2)
		n, err := pgbinary.AppendInt(nil, pgbinary.Int4, int64(i))
		if err != nil {
			rt.Fatalf("%v", err)
		}
		in = field(field(in, n), v)
	}
	in = append(in, pgbinary.CopyTrailer...)
	if _, err := pg.CopyFrom(t.Context(), bytes.NewReader(in), "COPY "+table+" (n, v) FROM STDIN WITH (FORMAT binary)"); err != nil {
		rt.Fatalf("copy in: %v", err)
	}
	var out bytes.Buffer
	if _, err := pg.CopyTo(t.Context(), &out, "COPY (SELECT v FROM "+table+" ORDER BY n) TO STDOUT WITH (FORMAT binary)"); err != nil {
		rt.Fatalf("copy out: %v", err)
	}
	return out.Bytes()
}

// copyValues takes the rows of one field out of the data of a binary COPY.
func copyValues(t *rapid.T, out []byte, rows int) (values [][]byte) {
	cut := func(prefix []byte) {
		rest, ok := bytes.CutPrefix(out, prefix)
		if !ok {
			t.Fatalf("%x does not begin with %x", out, prefix)
		}
		out = rest
	}
	cut([]byte(pgbinary.CopyHeader))
	for range rows {
		cut(pgbinary.AppendCopyRow(nil, 1))
		if bytes.HasPrefix(out, pgbinary.AppendNull(nil)) {
			cut(pgbinary.AppendNull(nil))
			values = append(values, nil)
			continue
		}
		size, err := pgbinary.Int(pgbinary.Int4, out[:4])
		if err != nil {
			t.Fatalf("%v", err)
		}
		values = append(values, out[4:4+size])
		out = out[4+size:]
	}
	cut([]byte(pgbinary.CopyTrailer))
	if len(out) != 0 {
		t.Fatalf("%x is left over", out)
	}
	return values
}
