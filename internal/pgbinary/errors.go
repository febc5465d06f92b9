package pgbinary

import (
	"errors"
	"fmt"
	"strconv"
)

var (
	// ErrUnsupported is wrapped by the error for a Go kind that has no binary format for the OID, as a string for an
	// int8 has none. The text format may know it.
	ErrUnsupported = errors.New("no binary format")

	// ErrInfinity is wrapped by the error of [TimeValue] for the values infinity and -infinity, which time.Time does
	// not have. [String] reads them.
	ErrInfinity = errors.New("infinity is no time.Time")
)

// RangeError reports a value that the target type cannot hold: an int64 too large for an int2, a time before 4713 BC, or
// in [Int] a numeric with a fraction.
type RangeError struct {
	Type  string // the type that cannot hold the value, as [TypeName] writes it
	Value any    // an int64, uint64, float64, string or time.Time: what was given, or the text of what was read
}

// Error says which value is out of the range of which type.
func (e *RangeError) Error() string {
	if s, ok := e.Value.(string); ok {
		return fmt.Sprintf("value %s is out of range for type %s", quote(s), e.Type)
	}
	return fmt.Sprintf("value %v is out of range for type %s", e.Value, e.Type)
}

// SyntaxError reports text that is no value of the type.
type SyntaxError struct {
	Type    string // as [TypeName] writes it
	Problem string // what is wrong: "invalid UTF-8 at byte 12", or the value of a type with a short notation
}

// Error says which type the text is no value of.
func (e *SyntaxError) Error() string { return "invalid text for type " + e.Type + ": " + e.Problem }

// FormatError reports bytes that are no value of the type in binary format. It comes from a server that speaks another
// format than this package, or from an OID that is not the value's.
type FormatError struct {
	Type    string // as [TypeName] writes it
	Problem string // what is wrong: "3 bytes in place of 4"
}

// Error says which type the bytes are no value of.
func (e *FormatError) Error() string {
	return "invalid binary value of type " + e.Type + ": " + e.Problem
}

func rangeError(oid uint32, value any) error { return &RangeError{Type: typeName(oid), Value: value} }

func formatError(oid uint32, problem string) error {
	return &FormatError{Type: typeName(oid), Problem: problem}
}

func sizeError(oid uint32, got, want int) error {
	return formatError(oid, fmt.Sprintf("%d bytes in place of %d", got, want))
}

func unsupported(kind string, oid uint32) error {
	return fmt.Errorf("%s and type %s: %w", kind, typeName(oid), ErrUnsupported)
}

// typeName names a type in errors, also one that this package does not know.
func typeName(oid uint32) string {
	if name, ok := TypeName(oid); ok {
		return name
	}
	return "with OID " + strconv.FormatUint(uint64(oid), 10)
}

// quote shortens what is told of a value: a numeric may have a hundred thousand digits.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
