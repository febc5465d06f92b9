package pgbinary_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/drover-dev/drover/internal/pgbinary"
)

func TestFrame(t *testing.T) {
	value := append([]byte("x"), 0, 0, 0, 0, 'a', 'b')
	pgbinary.SetLength(value, 1)
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"header", []byte(pgbinary.CopyHeader), "5047434f50590aff0d0a000000000000000000"},
		{"trailer", []byte(pgbinary.CopyTrailer), "ffff"},
		{"row", pgbinary.AppendCopyRow(nil, 258), "0102"},
		{"null", pgbinary.AppendNull([]byte{1}), "01ffffffff"},
		{"length", value, "78000000026162"},
		{"array", pgbinary.AppendArrayHeader(nil, pgbinary.Int8, 3, false), "0000000100000000000000140000000300000001"},
		{"array with NULL", pgbinary.AppendArrayHeader(nil, pgbinary.Int8, 3, true), "0000000100000001000000140000000300000001"},
		{"empty array", pgbinary.AppendArrayHeader(nil, pgbinary.Int8, 0, true), "000000000000000000000014"},
	}
	for _, test := range tests {
		if got := fmt.Sprintf("%x", test.got); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// TestTypes compares OIDs, names and array types with the server's catalog and with pgtype.
func TestTypes(t *testing.T) {
	pg := connect(t)
	m := pgtype.NewMap()
	for _, oid := range types {
		name, ok := pgbinary.TypeName(oid)
		if !ok || !pgbinary.CanDecode(oid) || pgbinary.CanAppend(oid) != (oid != pgbinary.Unknown) {
			t.Errorf("type %d, %s, is not known", oid, name)
		}
		param, err := pgbinary.AppendInt(nil, pgbinary.OID, int64(oid))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := query(t, t, pg, "SELECT typarray, oid = '"+name+"'::regtype FROM pg_type WHERE oid = $1", pgbinary.OID, param)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		want, err := pgbinary.Int(pgbinary.OID, rows[0][0])
		if err != nil {
			t.Fatal(err)
		}
		if named, err := pgbinary.BoolValue(rows[0][1]); err != nil || !named {
			t.Errorf("%d is not %s, %v", oid, name, err)
		}
		if array, ok := pgbinary.ArrayOID(oid); int64(array) != want || ok != (want != 0) {
			t.Errorf("the array of %s is %d, %v, want %d", name, array, ok, want)
		}
		if _, ok := m.TypeForOID(oid); !ok {
			t.Errorf("pgtype does not know %s", name)
		}
	}
	if _, ok := pgbinary.TypeName(600); ok || pgbinary.CanAppend(600) || pgbinary.CanDecode(600) {
		t.Error("point is known")
	}
	if _, ok := pgbinary.ArrayOID(600); ok {
		t.Error("point has an array")
	}
}
