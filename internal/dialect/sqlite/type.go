package sqlite

import (
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// Type reads the declared type by the rules of column affinity (SQLite manual, datatype3), and before them the names that drivers give a meaning.
// SQLite holds no value to its column's type, and no text to its length.
func (Dialect) Type(c dialect.Column) dialect.Type {
	word, n := dialect.TypeWord(c.Type)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(word, part) {
				return true
			}
		}
		return false
	}
	switch {
	case word == "":
		return dialect.Type{Class: dialect.Any}
	case has("bool"):
		return dialect.Type{Class: dialect.Boolean}
	case has("datetime", "timestamp"):
		return dialect.Type{Class: dialect.Timestamp, Scale: 9, Zoned: true}
	case has("date"):
		return dialect.Type{Class: dialect.Date}
	case has("time"):
		return dialect.Type{Class: dialect.TimeOfDay, Scale: 9}
	case has("int"):
		return dialect.IntegerType(64, false)
	case has("char", "clob", "text"):
		return dialect.Type{Class: dialect.Text}
	case has("uuid"):
		return dialect.Type{Class: dialect.UUID}
	case has("json"):
		return dialect.Type{Class: dialect.JSON}
	case has("blob", "binary"):
		return dialect.Type{Class: dialect.Bytes}
	case has("real", "float", "double"):
		return dialect.Type{Class: dialect.Float}
	case has("dec", "num"):
		return dialect.Type{Class: dialect.Decimal, Digits: dialect.Nth(n, 0, 0), Scale: dialect.Nth(n, 1, 0), Approximate: true}
	}
	return dialect.Type{Class: dialect.Any}
}
