package sqltext

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// WhereError says why [CheckWhere] or [CheckCondition] refused a condition, and
// where.
type WhereError struct {
	// Offset is the place of the trouble in characters, from 0. The message
	// counts from 1, as the databases do.
	Offset int
	// Reason is what is wrong, in lower case, with "the condition" as its
	// subject.
	Reason string
	// Excerpt is the condition from Offset on, cut short. It is empty where no
	// single place is to blame.
	Excerpt string
	// Advice says how to put it right. It may be empty.
	Advice string
}

// Error returns the reason and its place, such as
//
//	the condition closes a parenthesis that it did not open (at character 4: ") OR (1=1")
func (e *WhereError) Error() string {
	if e.Excerpt == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s (at character %d: %q)", e.Reason, e.Offset+1, e.Excerpt)
}

// Hint returns Advice, what the user may do about the error.
func (e *WhereError) Hint() string { return e.Advice }

// whereError returns the error for the trouble at the byte pos.
func whereError(where string, pos int, reason, advice string) error {
	offset, excerpt := place(where, pos)
	return &WhereError{Offset: offset, Reason: reason, Excerpt: excerpt, Advice: advice}
}

// ListError says that [Expand] has a list for a placeholder that takes one value.
type ListError struct {
	// Placeholder is the number of the placeholder, from 0. The message counts
	// from 1.
	Placeholder int
	// Offset is the place of the placeholder in characters, from 0. The message
	// counts from 1.
	Offset int
	// Excerpt is the text from Offset on, cut short.
	Excerpt string
}

// Error returns the place, such as
//
//	argument 2 is a list, and its placeholder does not stand alone in IN (?) (at character 7: "? AND c = 1")
func (e *ListError) Error() string {
	return fmt.Sprintf("argument %d is a list, and its placeholder does not stand alone in IN (?) (at character %d: %q)",
		e.Placeholder+1, e.Offset+1, e.Excerpt)
}

// Hint returns what the user may do about the error.
func (e *ListError) Hint() string {
	return "write IN (?) or NOT IN (?) for a list, without other values or ?1 beside it, or pass a single value"
}

// place returns the number of characters before the byte pos, and the beginning
// of the text from there on.
func place(text string, pos int) (offset int, excerpt string) {
	const most = 24
	excerpt = text[pos:]
	n := 0
	for i := range excerpt {
		if n == most {
			excerpt = strings.TrimRight(excerpt[:i], " \t\n\r") + "…"
			break
		}
		n++
	}
	return utf8.RuneCountInString(text[:pos]), excerpt
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8.
func invalidUTF8(text string) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(text)
}

// firstDifference returns the offset of the first token that a and b cut
// differently.
func firstDifference(a, b Syntax, text string) int {
	x, y := lexer{syntax: a, text: text}, lexer{syntax: b, text: text}
	for {
		t, ok := x.next()
		u, _ := y.next()
		if !ok || t != u {
			return min(t.Pos, u.Pos)
		}
	}
}

// samePieces reports whether a and b cut text at the same places.
func samePieces(a, b Syntax, text string) bool {
	x, y := lexer{syntax: a, text: text}, lexer{syntax: b, text: text}
	for {
		t, ok := x.next()
		u, _ := y.next()
		if !ok || t.Pos != u.Pos || len(t.Text) != len(u.Text) {
			return !ok
		}
	}
}
