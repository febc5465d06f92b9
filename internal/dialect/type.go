package dialect

import (
	"math"
	"strconv"
	"strings"
)

// Class is what kind of values a column holds, in words that all databases share.
type Class string

// The classes.
const (
	Opaque    Class = ""              // known to one kind of database alone
	Integer   Class = "integer"       // between Min and Max
	Decimal   Class = "decimal"       // Digits digits, Scale of them behind the point; 0 and 0 for any
	Float     Class = "float"         // binary; of single precision where Single is set
	Boolean   Class = "boolean"       //
	Text      Class = "text"          // at most Length characters
	Bytes     Class = "bytes"         // at most Length bytes
	Date      Class = "date"          // a day of the calendar
	TimeOfDay Class = "time of day"   // Scale digits of a second
	Timestamp Class = "date and time" // Scale digits of a second; an instant where Zoned is set, else taken for one in UTC
	UUID      Class = "uuid"
	JSON      Class = "json"
	Any       Class = "anything" // each value has a type of its own (SQLite, a column without a type)
)

// Type is a class and its limits.
type Type struct {
	Class         Class
	Min           int64
	Max           uint64
	Digits, Scale int
	Length        int // 0: no limit
	Single        bool
	Zoned         bool
	// Padded says that values are filled up to Length: text with blanks, which do not count, and bytes with zeros, which do.
	Padded bool
	// Approximate says that a Decimal is kept as a binary number where it has more digits than that holds (SQLite).
	Approximate bool
	// Flag says that an Integer stands for a Boolean, by its users' custom: 1 and 0 are true and false (tinyint(1) of MySQL, which BOOLEAN makes).
	Flag bool
	// Folded says that the database writes a value in a form of its own, and two spellings of it are the same (jsonb).
	Folded bool
}

// Types tells the types of columns.
type Types interface {
	// Type says what a column of a table that the catalogue described holds.
	Type(c Column) Type
}

// IntegerType is an integer of so many bits.
func IntegerType(bits int, unsigned bool) Type {
	if unsigned {
		return Type{Class: Integer, Max: math.MaxUint64 >> (64 - bits)}
	}
	return Type{Class: Integer, Min: math.MinInt64 >> (64 - bits), Max: math.MaxInt64 >> (64 - bits)}
}

// TypeWord splits a type as the catalogue writes it into its words in lower case, without what stands in parentheses, and the numbers there:
// "numeric(10,2)" is "numeric", 10 and 2; "timestamp(3) with time zone" is "timestamp with time zone" and 3.
func TypeWord(declared string) (word string, numbers []int) {
	before, rest, found := strings.Cut(strings.ToLower(declared), "(")
	if !found {
		return strings.Join(strings.Fields(before), " "), nil
	}
	inside, behind, _ := strings.Cut(rest, ")")
	for part := range strings.SplitSeq(inside, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			numbers = nil // enum('a', 'b')
			break
		}
		numbers = append(numbers, n)
	}
	return strings.Join(strings.Fields(before+" "+behind), " "), numbers
}

// Nth is the i-th number of a type, or otherwise where it has fewer.
func Nth(numbers []int, i, otherwise int) int {
	if i < len(numbers) {
		return numbers[i]
	}
	return otherwise
}
