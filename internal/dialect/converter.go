package dialect

import "context"

// Converter is a dialect whose database goes on with a warning where a condition compares a text with a number or a date that it is none of, and takes it
// for 0 or for nothing.
type Converter interface {
	// Converted is the first of the warnings of that kind that the statement before has given on the same connection; "" where there are none.
	Converted(ctx context.Context, q Queryer) (string, error)
}
