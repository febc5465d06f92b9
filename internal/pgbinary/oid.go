package pgbinary

// The OIDs of the types that this package knows. They are fixed in src/include/catalog/pg_type.dat.
const (
	Bool        uint32 = 16
	Bytea       uint32 = 17
	Char        uint32 = 18 // "char", the single byte of the system catalogs; char(n) is [BPChar]
	Name        uint32 = 19
	Int8        uint32 = 20
	Int2        uint32 = 21
	Int4        uint32 = 23
	Text        uint32 = 25
	OID         uint32 = 26
	JSON        uint32 = 114
	XML         uint32 = 142
	Float4      uint32 = 700
	Float8      uint32 = 701
	Unknown     uint32 = 705 // a literal without a type; only read, since the server infers another type for a parameter
	BPChar      uint32 = 1042
	Varchar     uint32 = 1043
	Date        uint32 = 1082
	Time        uint32 = 1083
	Timestamp   uint32 = 1114
	Timestamptz uint32 = 1184
	Numeric     uint32 = 1700
	UUID        uint32 = 2950
	JSONB       uint32 = 3802
)

// ArrayOID returns the OID of the array type over element; ok is false for a type that this package does not know, and
// for [Unknown], which has no array type.
func ArrayOID(element uint32) (array uint32, ok bool) {
	switch element {
	case Bool:
		array = 1000
	case Bytea:
		array = 1001
	case Char:
		array = 1002
	case Name:
		array = 1003
	case Int8:
		array = 1016
	case Int2:
		array = 1005
	case Int4:
		array = 1007
	case Text:
		array = 1009
	case OID:
		array = 1028
	case JSON:
		array = 199
	case XML:
		array = 143
	case Float4:
		array = 1021
	case Float8:
		array = 1022
	case BPChar:
		array = 1014
	case Varchar:
		array = 1015
	case Date:
		array = 1182
	case Time:
		array = 1183
	case Timestamp:
		array = 1115
	case Timestamptz:
		array = 1185
	case Numeric:
		array = 1231
	case UUID:
		array = 2951
	case JSONB:
		array = 3807
	}
	return array, array != 0
}

// TypeName returns the type's name as it is written in a cast: int8, varchar, timestamptz, "char" with its quotes. ok
// is false for a type that this package does not know.
func TypeName(oid uint32) (name string, ok bool) {
	switch oid {
	case Bool:
		name = "bool"
	case Bytea:
		name = "bytea"
	case Char:
		name = `"char"`
	case Name:
		name = "name"
	case Int8:
		name = "int8"
	case Int2:
		name = "int2"
	case Int4:
		name = "int4"
	case Text:
		name = "text"
	case OID:
		name = "oid"
	case JSON:
		name = "json"
	case XML:
		name = "xml"
	case Float4:
		name = "float4"
	case Float8:
		name = "float8"
	case Unknown:
		name = "unknown"
	case BPChar:
		name = "bpchar"
	case Varchar:
		name = "varchar"
	case Date:
		name = "date"
	case Time:
		name = "time"
	case Timestamp:
		name = "timestamp"
	case Timestamptz:
		name = "timestamptz"
	case Numeric:
		name = "numeric"
	case UUID:
		name = "uuid"
	case JSONB:
		name = "jsonb"
	}
	return name, name != ""
}

// CanAppend reports whether some encoder knows the type. Which one is a matter of the Go value: see the encoders.
func CanAppend(oid uint32) bool { return oid != Unknown && CanDecode(oid) }

// CanDecode reports whether some decoder knows the type. [String] reads every such type except [Bytea].
func CanDecode(oid uint32) bool {
	_, ok := TypeName(oid)
	return ok
}

// plainText reports whether the type's binary format is its text: see textsend, namesend, json_send, xml_send and
// unknownsend.
func plainText(oid uint32) bool {
	switch oid {
	case Text, Varchar, BPChar, Name, JSON, XML, Unknown:
		return true
	}
	return false
}
