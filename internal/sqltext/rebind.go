package sqltext

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrMixedPlaceholders is returned by [Rebind] for a query that has both "?"
// and "$1".
var ErrMixedPlaceholders = errors.New("the query mixes ? and $1 placeholders; write an operator ? as ??")

// Rebind spells the "?" placeholders of query as the database does and returns
// the query with their number. A "?" in a string, a quoted identifier or a
// comment is none.
//
// Where the syntax has $1 placeholders, "?" becomes $1, $2, … from the left,
// set off by a space where it would otherwise grow together with a word beside
// it, and "??" stands for an operator's literal "?" (the convention of JDBC), so
// that jsonb's ?| is written ??|. A query that has $1 placeholders of its own
// and no "?" is returned as it is, with the number 0; one that has both is
// refused with [ErrMixedPlaceholders].
//
// Elsewhere the query is returned as it is. In SQLite ?NNN raises the number to
// NNN, as sqlite3_bind_parameter_count does; :name, @name and $name are not
// counted.
//
// The error is that, or one of the ErrUnterminated errors. A query without "?"
// is returned without looking at it further and without allocation.
func Rebind(s Syntax, query string) (string, int, error) {
	if !strings.Contains(query, "?") {
		return query, 0, nil
	}
	if s.Placeholder != Dollar {
		n, err := countQuestions(s, query)
		return query, n, err
	}
	var (
		b       strings.Builder
		l       = lexer{syntax: s, text: query}
		n, done int // placeholders so far; how much of query is in b
		dollar  bool
	)
	for {
		t, ok := l.next()
		if !ok {
			break
		}
		if err := t.Err(); err != nil {
			return "", 0, fmt.Errorf("rebind: %w", err)
		}
		if t.Kind == Param {
			dollar = true
		}
		if t.Kind != QuestionMark {
			continue
		}
		if b.Len() == 0 {
			b.Grow(len(query) + 16)
		}
		b.WriteString(query[done:t.Pos])
		done = l.pos
		if done < len(query) && query[done] == '?' {
			l.next()
			done = l.pos
			b.WriteByte('?')
			continue
		}
		n++
		if t.Pos > 0 && sets[query[t.Pos-1]]&isIdent != 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		if l.byteAt(done, isIdent) {
			b.WriteByte(' ')
		}
	}
	if n > 0 && dollar {
		return "", 0, fmt.Errorf("rebind: %w", ErrMixedPlaceholders)
	}
	if done == 0 {
		return query, 0, nil
	}
	b.WriteString(query[done:])
	return b.String(), n, nil
}

// countQuestions returns the number of arguments that the "?" in query ask for.
func countQuestions(s Syntax, query string) (int, error) {
	l, n := lexer{syntax: s, text: query}, 0
	for {
		t, ok := l.next()
		if !ok {
			return n, nil
		}
		if err := t.Err(); err != nil {
			return 0, fmt.Errorf("rebind: %w", err)
		}
		if t.Kind != QuestionMark {
			continue
		}
		i, err := questionIndex(t, n)
		if err != nil {
			return 0, fmt.Errorf("rebind: %w", err)
		}
		n = max(n, i+1)
	}
}

// questionIndex returns the index of the argument of t, a QuestionMark before
// which arguments up to n are in use. It is -1 for ?0, which has none.
func questionIndex(t Token, n int) (int, error) {
	if len(t.Text) == 1 {
		return n, nil
	}
	number, err := strconv.Atoi(t.Text[1:])
	if err != nil {
		return 0, fmt.Errorf("the number of %.12s is too large", t.Text)
	}
	return number - 1, nil
}
