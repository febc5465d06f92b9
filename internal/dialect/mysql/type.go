package mysql

import (
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// integerBits are the sizes of the integer types.
var integerBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}

// textBytes and blobBytes are how much the types without a length hold (MariaDB manual, string data types). A character takes up to four bytes.
var (
	textBytes = map[string]int{"tinytext": 255, "text": 65535, "mediumtext": 1<<24 - 1, "longtext": 0}
	blobBytes = map[string]int{"tinyblob": 255, "blob": 65535, "mediumblob": 1<<24 - 1, "longblob": 0}
)

// Type reads the type as COLUMN_TYPE has it.
func (Dialect) Type(c dialect.Column) dialect.Type {
	declared, n := dialect.TypeWord(c.Type)
	word, rest, _ := strings.Cut(declared, " ")
	if bits, ok := integerBits[word]; ok {
		typ := dialect.IntegerType(bits, strings.Contains(rest, "unsigned"))
		typ.Flag = word == "tinyint" && dialect.Nth(n, 0, 0) == 1
		return typ
	}
	if size, ok := textBytes[word]; ok {
		return dialect.Type{Class: dialect.Text, Length: size / 4}
	}
	if size, ok := blobBytes[word]; ok {
		return dialect.Type{Class: dialect.Bytes, Length: size}
	}
	switch word {
	case "decimal":
		return dialect.Type{Class: dialect.Decimal, Digits: dialect.Nth(n, 0, 10), Scale: dialect.Nth(n, 1, 0)}
	case "float":
		return dialect.Type{Class: dialect.Float, Single: true}
	case "double":
		return dialect.Type{Class: dialect.Float}
	case "varchar":
		return dialect.Type{Class: dialect.Text, Length: dialect.Nth(n, 0, 0)}
	case "char":
		return dialect.Type{Class: dialect.Text, Length: dialect.Nth(n, 0, 1), Padded: true}
	case "enum", "set":
		return dialect.Type{Class: dialect.Text}
	case "varbinary":
		return dialect.Type{Class: dialect.Bytes, Length: dialect.Nth(n, 0, 0)}
	case "binary":
		return dialect.Type{Class: dialect.Bytes, Length: dialect.Nth(n, 0, 1), Padded: true}
	case "date":
		return dialect.Type{Class: dialect.Date}
	case "time":
		return dialect.Type{Class: dialect.TimeOfDay, Scale: dialect.Nth(n, 0, 0)}
	case "datetime":
		return dialect.Type{Class: dialect.Timestamp, Scale: dialect.Nth(n, 0, 0)}
	case "timestamp":
		return dialect.Type{Class: dialect.Timestamp, Scale: dialect.Nth(n, 0, 0), Zoned: true}
	case "uuid":
		return dialect.Type{Class: dialect.UUID}
	case "json":
		return dialect.Type{Class: dialect.JSON, Folded: true}
	case "year":
		return dialect.Type{Class: dialect.Integer, Min: 0, Max: 2155}
	}
	return dialect.Type{}
}
