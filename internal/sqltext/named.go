package sqltext

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMixedNames is returned by [Named] for a text that has both "?" and ":name"
// placeholders.
var ErrMixedNames = errors.New("the text mixes ? and :name placeholders; write all of them as ? or all as :name")

// Named replaces the ":name" placeholders of text by "?" and returns the names,
// without the colon, in the order of the placeholders. A name that is written
// twice is returned twice.
//
// A name begins with a letter or _ and directly follows the colon. It is none in
// a string, a quoted identifier or a comment, nor after "::"; where the syntax
// has array slices (PostgreSQL 8.15.3) it is one only where an operand is
// expected, so that a[1:n], a[:n] and JSON_OBJECT('k':v) stay as they are, and
// a[1 : :n] has a name.
//
// The result is made for [Rebind]. Where the syntax has $1 placeholders, a "?"
// in the place of an operator, as in a ? :key, is written "??", and "??" is
// left alone. A "?" in the place of an operand, or any "?" elsewhere, is a
// placeholder, and Named refuses a text that has both kinds with
// [ErrMixedNames].
//
// The error is that, or one of the ErrUnterminated errors. A text without names
// is returned as it is, without allocation, whatever else is in it.
func Named(s Syntax, text string) (rewritten string, names []string, err error) {
	if !strings.Contains(text, ":") {
		return text, nil, nil
	}
	n, err := countNames(s, text)
	if n == 0 || err != nil {
		return text, nil, err
	}
	var b strings.Builder
	b.Grow(len(text))
	names = make([]string, 0, n)
	r := argReader{l: lexer{syntax: s, text: text}}
	done := 0 // how much of text is in b
	for r.next() {
		switch name, ok := r.tok.argName(); {
		case ok:
			names = append(names, name)
			b.WriteString(text[done:r.tok.Pos])
			b.WriteByte('?')
			if done = r.l.pos; done < len(text) && text[done] == '?' {
				b.WriteByte(' ') // two of them would be an operator
			}
		case r.infix:
			b.WriteString(text[done:r.l.pos])
			b.WriteByte('?')
			done = r.l.pos
		case r.tok.Kind == QuestionMark:
			return "", nil, fmt.Errorf("named: %w", ErrMixedNames)
		}
	}
	b.WriteString(text[done:])
	return b.String(), names, nil
}

// countNames returns the number of ":name" placeholders in text.
func countNames(s Syntax, text string) (int, error) {
	r, n := argReader{l: lexer{syntax: s, text: text}}, 0
	for r.next() {
		if _, ok := r.tok.argName(); ok {
			n++
		}
		if err := r.tok.Err(); err != nil {
			return 0, fmt.Errorf("named: %w", err)
		}
	}
	return n, nil
}
