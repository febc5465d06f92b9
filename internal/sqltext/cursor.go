package sqltext

import "slices"

// cursor walks over the tokens of one statement that mean something: it leaves
// out spaces, comments and the delimiters of executable comments.
type cursor struct {
	l lexer
	// tok is the current token; its Kind is 0 at the end of the text.
	tok Token
	// prev is the token before tok, with Kind 0 before the first.
	prev Token
}

func newCursor(l lexer) cursor {
	c := cursor{l: l}
	c.next()
	return c
}

// next goes on to the next token.
func (c *cursor) next() {
	c.prev = c.tok
	for {
		t, ok := c.l.next()
		if !ok {
			c.tok = Token{Pos: len(c.l.text)}
			return
		}
		if !t.blank() && t.Kind != ExecOpen && t.Kind != ExecClose {
			c.tok = t
			return
		}
	}
}

// peek returns the token after the current one.
func (c *cursor) peek() Token {
	ahead := *c
	ahead.next()
	return ahead.tok
}

// more reports whether tok is a token of the statement.
func (c *cursor) more() bool { return c.tok.Kind != 0 && !c.tok.is(';') }

// take goes past the word upper and reports whether it was there.
func (c *cursor) take(upper string) bool {
	if !c.tok.word(upper) {
		return false
	}
	c.next()
	return true
}

// takeAny goes past one of the words and reports whether one was there.
func (c *cursor) takeAny(upper ...string) bool { return slices.ContainsFunc(upper, c.take) }

// wordIn reports whether the current token is one of the words.
func (c *cursor) wordIn(upper ...string) bool { return slices.ContainsFunc(upper, c.tok.word) }

// takePunct goes past the punctuation mark p and reports whether it was there.
func (c *cursor) takePunct(p byte) bool {
	if !c.tok.is(p) {
		return false
	}
	c.next()
	return true
}

// skipGroup goes past the group in parentheses that the current token opens.
// It returns false where the statement ends before the group does.
func (c *cursor) skipGroup() bool {
	depth := 0
	for c.more() {
		switch {
		case c.tok.is('('):
			depth++
		case c.tok.is(')'):
			depth--
		}
		c.next()
		if depth <= 0 {
			return true
		}
	}
	return false
}

// skipRoutine goes past the body BEGIN …; …; END of the trigger, procedure,
// function or event that a CREATE statement makes. It stays where it is when
// there is none, or none that ends.
func (c *cursor) skipRoutine() {
	ahead := *c
	for !ahead.wordIn("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT") {
		if !ahead.more() || ahead.tok.is('(') || ahead.wordIn("TABLE", "VIEW", "INDEX", "AS") {
			return
		}
		ahead.next()
	}
	for !ahead.tok.word("BEGIN") {
		if !ahead.more() {
			return
		}
		ahead.next()
	}
	if ahead.next(); ahead.skipBody() {
		*c = ahead
	}
}

// skipBody goes from the token after BEGIN past the END that belongs to it. Only
// where a statement may begin is an END that of a block: in an expression it ends
// CASE, or is a name. Blocks inside one another are MySQL's.
func (c *cursor) skipBody() bool {
	blocks, cases := 1, 0
	for ; c.tok.Kind != 0; c.next() {
		begins := c.prev.is(';') || c.prev.word("BEGIN") || c.prev.word("ATOMIC")
		switch {
		case c.prev.is('.'):
		case c.tok.word("CASE"):
			cases++
		case c.tok.word("BEGIN") && c.l.syntax.ImplicitCommit && (begins || c.prev.is(':') || c.prev.word("THEN") || c.prev.word("ELSE") || c.prev.word("DO")):
			blocks++
		case !c.tok.word("END"):
		case cases > 0:
			cases--
			if c.peek().word("CASE") {
				c.next()
			}
		case !begins:
		case c.l.syntax.ImplicitCommit && endsLoop(c.peek()):
			c.next()
		default:
			if blocks--; blocks == 0 {
				c.next()
				return true
			}
		}
	}
	return false
}

// endsLoop reports whether END before t ends one of MySQL's compound statements
// that begin without BEGIN.
func endsLoop(t Token) bool {
	return t.word("IF") || t.word("LOOP") || t.word("WHILE") || t.word("REPEAT") || t.word("FOR")
}

// skipStatement goes to the semicolon that ends the statement, or to the end of
// the text.
func (c *cursor) skipStatement() {
	for c.more() {
		c.next()
	}
}
