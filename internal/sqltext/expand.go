package sqltext

import (
	"fmt"
	"strings"
)

// Expansion is what [Expand] has made of a text.
type Expansion struct {
	// Text is the text with its placeholders, still as "?".
	Text string
	// Placeholders is the number of placeholders in the text that was given, as
	// [Rebind] counts them. The caller compares it with its arguments.
	Placeholders int
	// Pieces has, for each placeholder of the text that was given, what has
	// become of it. It is nil where each is still one placeholder.
	Pieces []Piece
	// Impossible is true where the text as a whole is one condition
	//
	//	name IN (?)
	//
	// with an empty list. No row fulfils it, and no statement need be sent.
	Impossible bool
}

// Piece is the run of placeholders that takes one argument.
type Piece struct {
	// Marks is the number of placeholders in the run: 0 for an empty list.
	Marks int
	// Elements is true where they take the elements of the list in order, and
	// those that are left over its last element once more. Otherwise the one
	// placeholder takes the argument as a whole.
	Elements bool
}

// emptyRows is a subquery without rows. Not every server has WHERE without FROM,
// and SQLite has no DUAL.
const emptyRows = "SELECT 1 FROM (SELECT 1 AS x) AS x WHERE 1 = 0"

// Expand makes the "?" placeholders of text, counted from 0, that stand for
// lists fit for them. lists is asked for each placeholder in order whether its
// argument is a list, and of how many elements; it has to return false for an
// index without an argument.
//
// A list belongs alone in the parentheses after IN or NOT IN. Where arrays is
// true (PostgreSQL) the condition becomes
//
//	name = ANY (?)
//	name <> ALL (?)
//
// with one argument, the whole array, which may be empty; a list in another
// place is left to the caller's own ANY(?) or @> ?. The two bind a little weaker
// than IN, so that b = a IN (?) needs parentheses there. Otherwise the
// placeholder becomes as many as the list has elements, from 9 on the next power
// of two, so that lists of every length make few different statements; from 4097
// on their exact number, so that filling up costs no statement that the
// database's limit would allow. An empty list becomes a subquery without rows:
// as in SQL, IN is then false and NOT IN true even for NULL. A list in another
// place is refused with a *[ListError], and so is one beside SQLite's ?NNN.
//
// Everything else in text stays as it is, "??" included. The error is that, or
// those of [Rebind]. A text without lists is returned without allocation.
func Expand(s Syntax, text string, lists func(i int) (n int, ok bool), arrays bool) (Expansion, error) {
	if !strings.Contains(text, "?") {
		return Expansion{Text: text}, nil
	}
	x := expander{argReader: argReader{l: lexer{syntax: s, text: text}}, arrays: arrays}
	for x.next() {
		if err := x.tok.Err(); err != nil {
			return Expansion{}, fmt.Errorf("expand: %w", err)
		}
		if x.tok.Kind != QuestionMark {
			continue
		}
		i, err := questionIndex(x.tok, x.count)
		if err != nil {
			return Expansion{}, fmt.Errorf("expand: %w", err)
		}
		x.count = max(x.count, i+1)
		x.numbered = x.numbered || len(x.tok.Text) > 1
		if err := x.placeholder(i, lists); err != nil {
			return Expansion{}, err
		}
	}
	return x.expansion(), nil
}

// expander is the state of one pass over a text.
type expander struct {
	argReader
	arrays bool
	count  int // placeholders so far
	// first is the placeholder of the first list, and firstIndex its argument.
	first      Token
	firstIndex int
	numbered   bool // there is a ?NNN
	empty      bool // a list was empty, where IN would be false

	b      strings.Builder
	done   int // how much of the text is in b
	pieces []Piece
}

// placeholder handles the current token, which stands for the argument i.
func (x *expander) placeholder(i int, lists func(i int) (n int, ok bool)) error {
	n, isList := 0, false
	if i >= 0 {
		n, isList = lists(i)
	}
	if isList && x.first.Kind == 0 {
		x.first, x.firstIndex = x.tok, i
	}
	if x.numbered && x.first.Kind != 0 {
		return x.refuse(x.firstIndex, x.first)
	}
	if !isList {
		if x.pieces != nil {
			x.pieces = append(x.pieces, Piece{Marks: 1})
		}
		return nil
	}
	in, not, ok := x.members()
	switch {
	case ok && x.arrays:
		x.compare(in, not)
	case x.arrays:
		return nil
	case !ok:
		return x.refuse(i, x.tok)
	default:
		x.list(i, n)
	}
	x.empty = x.empty || n == 0 && not.Kind == 0
	return nil
}

// refuse returns the error for a list as argument i, at t.
func (x *expander) refuse(i int, t Token) error {
	offset, excerpt := place(x.l.text, t.Pos)
	return &ListError{Placeholder: i, Offset: offset, Excerpt: excerpt}
}

// members returns the words IN and, where there is one, NOT before the current
// token, and false where that is not alone in parentheses after them.
func (x *expander) members() (in, not Token, ok bool) {
	in = x.back[1]
	if !x.back[0].is('(') || !in.word("IN") || x.back[2].is('.') || !x.peek().is(')') {
		return Token{}, Token{}, false
	}
	if x.back[2].word("NOT") && !x.back[3].is('.') {
		not = x.back[2]
	}
	return in, not, true
}

// compare replaces IN and NOT IN by the comparison with an array.
func (x *expander) compare(in, not Token) {
	if not.Kind == 0 {
		x.replace(in, "= ANY")
		return
	}
	x.replace(not, "<>")
	x.replace(in, "ALL")
}

// replace writes the text up to t, and text for t, set off from an operator.
func (x *expander) replace(t Token, text string) {
	x.b.WriteString(x.l.text[x.done:t.Pos])
	if t.Pos > 0 {
		switch class[x.l.text[t.Pos-1]] {
		case cSpace, cLetter, cDigit, cPunct:
		default:
			x.b.WriteByte(' ')
		}
	}
	x.b.WriteString(text)
	x.done = t.Pos + len(t.Text)
}

// list replaces the current token by placeholders for n elements.
func (x *expander) list(i, n int) {
	for len(x.pieces) < i {
		x.pieces = append(x.pieces, Piece{Marks: 1})
	}
	marks := padded(n)
	x.pieces = append(x.pieces, Piece{Marks: marks, Elements: true})
	x.b.WriteString(x.l.text[x.done:x.tok.Pos])
	x.done = x.l.pos
	if marks == 0 {
		x.b.WriteString(emptyRows)
		return
	}
	x.b.Grow(3*marks + len(x.l.text) - x.done)
	x.b.WriteByte('?')
	for range marks - 1 {
		x.b.WriteString(", ?")
	}
}

// padded returns the number of placeholders for a list of n elements.
func padded(n int) int {
	const exact, most = 8, 4096
	if n <= exact || n > most {
		return n
	}
	marks := exact
	for marks < n {
		marks *= 2
	}
	return marks
}

func (x *expander) expansion() Expansion {
	e := Expansion{Text: x.l.text, Placeholders: x.count, Pieces: x.pieces}
	if x.done > 0 {
		x.b.WriteString(x.l.text[x.done:])
		e.Text = x.b.String()
	}
	e.Impossible = x.empty && onlyMembers(x.l.syntax, x.l.text)
	return e
}

// onlyMembers reports whether text is name IN (?) and nothing else.
func onlyMembers(s Syntax, text string) bool {
	c := newCursor(lexer{syntax: s, text: text})
	if !c.takeColumn() || c.takePunct('.') && !c.takeColumn() || !c.take("IN") || !c.takePunct('(') || c.tok.Kind != QuestionMark {
		return false
	}
	c.next()
	return c.takePunct(')') && c.tok.Kind == 0
}

// takeColumn goes past a name and reports whether there was one.
func (c *cursor) takeColumn() bool {
	if c.tok.Kind != QuotedIdent && (c.tok.Kind != Word || c.tok.word("NOT")) {
		return false
	}
	c.next()
	return true
}
