package table_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/drover-dev/drover/internal/testdb"
)

// typesTexts are texts that something on the way could take for its own.
var typesTexts = []string{
	"", "plain", "it's", `"quoted"`, `back\slash\`, "two\nlines\r\n\ttab", "é ß ж 漢字", "😀👩‍👩‍👧", "\u2028\u2029\u00a0", "\x01\x02\x1f\x7f", "%_", "$1 ? ?? :name", "-- no comment",
	"/* */ ; DROP", "NULL", "null", "{}", `{"a","b"}`, `\N`, `\x41`, `\\`, "  spaces  ", "<>&", "\ufeffbom", "0", "1e3", "true", strings.Repeat("long ", 1000),
}

type typesStrings struct {
	ID       int64 `db:"id,pk,auto"`
	Text     string
	Status   typesStatus
	Textp    *string
	Statusp  *typesStatus
	Short    string
	Bytetext []byte
	Nulltext sql.NullString
	Nullof   sql.Null[string]
	Any      any

	Bytes, Fixed []byte
	Blob         typesBlob
	Bytesp       *[]byte
	Nullbytes    sql.Null[[]byte]

	Null64, Zero64 sql.NullInt64
	Null32         sql.NullInt32
	Null16         sql.NullInt16
	Nullbyte       sql.NullByte
	Nullfloat      sql.NullFloat64
	Nullbool       sql.NullBool
	Nullcents      sql.Null[typesCents]
	Nulluint       sql.Null[uint16]
}

func TestTypes_Strings(t *testing.T) {
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	binary := [][]byte{{}, {0}, all, []byte(`\x41`), []byte("text"), []byte(strings.Repeat("\x00\xff'\\", 500))}
	text, short := typesSQL{"text", "longtext COLLATE utf8mb4_nopad_bin", "text"}, typesSQL{"varchar(20)", "varchar(20)", "varchar(20)"}
	bytes, number := typesSQL{"bytea", "longblob", "blob"}, typesSQL{"bigint", "bigint", "integer"}
	typesEach(t, func(t *testing.T, w *typesWorld) {
		texts := typesTexts
		if w.name != testdb.NamePostgres {
			texts = append(texts, "nul \x00 byte", "\x00")
		}
		typesGroup[typesStrings]{columns: []typesColumn{
			{"Text", text, texts, false},
			{"Status", text, []typesStatus{"", "new", `it's "so"`}, false},
			{"Textp", text, typesPointers(texts[2:6]...), false},
			{"Statusp", text, typesPointers[typesStatus]("", "new"), false},
			{"Short", short, []string{"", "twenty characters: é", "😀"}, false},
			{"Bytetext", text, [][]byte{nil, {}, []byte("text"), nil}, true},
			{"Nulltext", text, []sql.NullString{{String: "x", Valid: true}, {}, {Valid: true}}, false},
			{"Nullof", text, []sql.Null[string]{{V: "x", Valid: true}, {}}, false},
			{"Any", number, []any{int64(7), nil, int64(-1)}, true},
			{"Bytes", bytes, append([][]byte{nil}, binary...), false},
			{"Fixed", typesSQL{"bytea", "varbinary(300)", "blob"}, [][]byte{all, {}, nil}, false},
			{"Blob", bytes, []typesBlob{{}, all, nil}, false},
			{"Bytesp", bytes, typesPointers(binary...), false},
			{"Nullbytes", bytes, []sql.Null[[]byte]{{V: all, Valid: true}, {}, {V: []byte{}, Valid: true}}, false},
			{"Null64", number, []sql.NullInt64{{Int64: -7, Valid: true}, {}, {Valid: true}}, false},
			{"Zero64", number, []sql.NullInt64{{}}, false},
			{"Null32", number, []sql.NullInt32{{Int32: -7, Valid: true}, {}}, false},
			{"Null16", number, []sql.NullInt16{{Int16: -7, Valid: true}, {}}, false},
			{"Nullbyte", number, []sql.NullByte{{Byte: 255, Valid: true}, {}}, false},
			{"Nullfloat", typesSQL{"float8", "double", "real"}, []sql.NullFloat64{{Float64: 0.1, Valid: true}, {}}, false},
			{"Nullbool", typesSQL{"boolean", "boolean", "boolean"}, []sql.NullBool{{Bool: true, Valid: true}, {}, {Valid: true}}, false},
			{"Nullcents", number, []sql.Null[typesCents]{{V: 5, Valid: true}, {}}, false},
			{"Nulluint", number, []sql.Null[uint16]{{V: 5, Valid: true}, {}}, false},
		}}.run(t, w)
	})
}

type typesObjects struct {
	ID                             int64 `db:"id,pk,auto"`
	Array, Arraytext, Arraychar    [16]byte
	Uuid, Uuidtext, Uuidchar, Blob uuid.UUID
	Uuidp                          *uuid.UUID
	Uuidnull                       uuid.NullUUID
	Uuidof                         sql.Null[uuid.UUID]
	Raw                            typesRawUUID

	Dec, Whole decimal.Decimal
	Decp       *decimal.Decimal
	Decnull    decimal.NullDecimal
	Digits     string
	Digitsp    *string

	Point  typesPoint
	Pointp *typesPoint
	Odd    typesOdd
	Tags   typesTags
}

func TestTypes_OwnMethods(t *testing.T) {
	one := uuid.MustParse("00010203-0405-0607-0809-0a0b0c0d0eff")
	text, uuidSQL := typesSQL{"text", "varchar(60)", "text"}, typesSQL{"uuid", "uuid", "text"}
	char := typesSQL{"char(36)", "char(36)", "char(36)"}
	parse := decimal.RequireFromString
	number := typesSQL{"numeric(30,10)", "decimal(30,10)", "text"}
	decimals := []decimal.Decimal{parse("0"), parse("0.1"), parse("-12345678901234567890.0123456789"), parse("99999999999999999999.9999999999"), parse("1e10")}
	typesEach(t, func(t *testing.T, w *typesWorld) {
		typesGroup[typesObjects]{columns: []typesColumn{
			{"Array", uuidSQL, [][16]byte{one, {}, uuid.Max}, false},
			{"Arraytext", text, [][16]byte{one, {}}, false},
			{"Arraychar", char, [][16]byte{one, {}}, false},
			{"Uuid", uuidSQL, []uuid.UUID{one, uuid.Nil, uuid.Max}, false},
			{"Uuidtext", text, []uuid.UUID{one, uuid.Nil}, false},
			{"Uuidchar", char, []uuid.UUID{one, uuid.Nil}, false},
			{"Blob", typesSQL{"uuid", "char(36) CHARACTER SET latin1", "blob"}, []uuid.UUID{one, uuid.Nil}, false},
			{"Uuidp", uuidSQL, typesPointers(one, uuid.Nil), false},
			{"Uuidnull", uuidSQL, []uuid.NullUUID{{UUID: one, Valid: true}, {}}, false},
			{"Uuidof", uuidSQL, []sql.Null[uuid.UUID]{{V: uuid.Max, Valid: true}, {}}, false},
			{"Raw", typesSQL{"bytea", "binary(16)", "blob"}, []typesRawUUID{typesRawUUID(one), {}}, false},
			{"Dec", number, decimals, false},
			{"Whole", typesSQL{"numeric", "decimal(20)", "text"}, []decimal.Decimal{parse("0"), parse("12345678901234567890")}, false},
			{"Decp", number, typesPointers(decimals...), false},
			{"Decnull", number, []decimal.NullDecimal{{Decimal: decimals[2], Valid: true}, {}, {Decimal: decimals[0], Valid: true}}, false},
			{"Digits", number, []string{"0.0000000000", "-12345678901234567890.0123456789", "0.5000000000"}, false},
			{"Digitsp", number, []*string{nil, new("1.5000000000")}, false},
			{"Point", text, []typesPoint{{1, 2}, {}, {3, -4}}, true},
			{"Pointp", text, typesPointers(typesPoint{1, 2}), false},
			{"Odd", typesSQL{"bigint", "bigint", "integer"}, []typesOdd{0, 21, -3}, false},
			{"Tags", text, []typesTags{{"a": 1}, {"b": 2}, {}}, true},
		}}.run(t, w)
	})
}

// typesRawUUID stores its bytes.
type typesRawUUID [16]byte

func (u typesRawUUID) Value() (driver.Value, error) { return u[:], nil }

func (u *typesRawUUID) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != 16 {
		return fmt.Errorf("%T of %d bytes", src, len(b))
	}
	copy(u[:], b)
	return nil
}

// typesPoint stores its zero value as NULL.
type typesPoint struct{ X, Y int }

func (p typesPoint) Value() (driver.Value, error) {
	if p == (typesPoint{}) {
		return nil, nil
	}
	if p.X < 0 {
		return nil, errors.New("a point is not negative")
	}
	return fmt.Sprintf("%d,%d", p.X, p.Y), nil
}

func (p *typesPoint) Scan(src any) error {
	switch s := src.(type) {
	case nil:
		*p = typesPoint{}
		return nil
	case []byte:
		return p.Scan(string(s))
	case string:
		_, err := fmt.Sscanf(s, "%d,%d", &p.X, &p.Y)
		return err
	}
	return fmt.Errorf("a point of %T", src)
}

// typesOdd gives out a kind that is no driver's, which database/sql converts.
type typesOdd int

func (o *typesOdd) Scan(src any) error {
	n, ok := src.(int64)
	*o = typesOdd(n / 2)
	if !ok {
		return fmt.Errorf("odd: %T", src)
	}
	return nil
}

func (o typesOdd) Value() (driver.Value, error) { return int32(o * 2), nil }

// typesTags is a map that adds what it scans to what it has.
type typesTags map[string]int

func (m *typesTags) Scan(src any) error {
	if b, ok := src.([]byte); ok {
		src = string(b)
	}
	return json.Unmarshal([]byte(src.(string)), m)
}

func (m typesTags) Value() (driver.Value, error) { return json.Marshal(m) }
