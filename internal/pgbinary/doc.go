// Package pgbinary writes and reads PostgreSQL's binary formats of the common types, without reflection and without
// garbage: the hot paths of COPY … WITH (FORMAT binary), of array parameters for unnest and of binary result rows.
//
// An encoder appends one value and returns the buffer, as strconv's do. Where the protocol wants a length in front of a
// value, reserve four bytes and set them afterwards; a row of COPY with two columns is
//
//	buf = pgbinary.AppendCopyRow(buf, 2)
//	at := len(buf)
//	buf = append(buf, 0, 0, 0, 0)
//	buf, err = pgbinary.AppendInt(buf, pgbinary.Int8, id)
//	…
//	pgbinary.SetLength(buf, at)
//	buf = pgbinary.AppendNull(buf)
//
// between one [CopyHeader] and one [CopyTrailer]. An array is [AppendArrayHeader] followed by its elements, each with
// its length in the same way.
//
// The trap of binary formats is that the server believes the type it is told: the bytes of an int4 for a column that is
// an int8 are an error at best. The OID that is given here must be the column's or the parameter's own, never a guess.
//
// # Errors
//
// An encoder that fails returns the buffer as it was given. A value that the type cannot hold is a [*RangeError], text
// that is no value of the type a [*SyntaxError], bytes that are no value of the type a [*FormatError]; a Go kind that
// has no binary format for an OID is [ErrUnsupported], for which the caller falls back to the text format. Input of any
// length gives a value or an error. The functions keep no state and may be called from any goroutine.
//
// # Allocations
//
// Encoders allocate only to grow the buffer. [Int], [BoolValue], [TimeValue] and [UUIDValue] never allocate, [Float]
// only for a numeric of more than some 20 significant digits. [String] and [Bytes] allocate what they return.
//
// # Sources
//
// The formats are those of the functions typsend and typreceive of each type in PostgreSQL 15 to 18,
// src/backend/utils/adt: int.c, int8.c, float.c, bool.c, char.c, name.c, varchar.c, varlena.c, json.c, jsonb.c, xml.c,
// uuid.c, oid.c, date.c, timestamp.c, numeric.c and, for arrays, arrayfuncs.c (array_recv). The frame of COPY is in the
// manual, SQL Commands, COPY, "Binary Format". Text is UTF-8, so client_encoding must be UTF8.
package pgbinary
