package postgres

import "github.com/drover-dev/drover/internal/dialect"

// Type reads the type as format_type writes it (PostgreSQL manual, data types). A domain is known to its database alone, for what it allows is.
func (Dialect) Type(c dialect.Column) dialect.Type {
	word, n := dialect.TypeWord(c.Type)
	switch word {
	case "smallint":
		return dialect.IntegerType(16, false)
	case "integer":
		return dialect.IntegerType(32, false)
	case "bigint":
		return dialect.IntegerType(64, false)
	case "numeric":
		return dialect.Type{Class: dialect.Decimal, Digits: dialect.Nth(n, 0, 0), Scale: dialect.Nth(n, 1, 0)}
	case "real":
		return dialect.Type{Class: dialect.Float, Single: true}
	case "double precision":
		return dialect.Type{Class: dialect.Float}
	case "boolean":
		return dialect.Type{Class: dialect.Boolean}
	case "text", "character varying":
		return dialect.Type{Class: dialect.Text, Length: dialect.Nth(n, 0, 0)}
	case "character":
		return dialect.Type{Class: dialect.Text, Length: dialect.Nth(n, 0, 1), Padded: true}
	case "bytea":
		return dialect.Type{Class: dialect.Bytes}
	case "date":
		return dialect.Type{Class: dialect.Date}
	case "time without time zone":
		return dialect.Type{Class: dialect.TimeOfDay, Scale: dialect.Nth(n, 0, 6)}
	case "timestamp without time zone":
		return dialect.Type{Class: dialect.Timestamp, Scale: dialect.Nth(n, 0, 6)}
	case "timestamp with time zone":
		return dialect.Type{Class: dialect.Timestamp, Scale: dialect.Nth(n, 0, 6), Zoned: true}
	case "uuid":
		return dialect.Type{Class: dialect.UUID}
	case "json":
		return dialect.Type{Class: dialect.JSON}
	case "jsonb":
		return dialect.Type{Class: dialect.JSON, Folded: true}
	}
	return dialect.Type{}
}
