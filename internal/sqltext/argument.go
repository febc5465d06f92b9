package sqltext

// argReader reads the tokens of a text that has placeholders. It tells them
// from what looks like them: each ":name" is one Param, in every syntax, and in
// a syntax with $1 placeholders each "??" is one Operator, as [Rebind] takes it.
type argReader struct {
	l lexer
	// tok is the current token; its Kind is 0 at the end of the text.
	tok Token
	// infix is true where tok is a "?" in the place of an operator: jsonb's.
	infix bool
	// back are the tokens before tok that mean something, the latest first, with
	// Kind 0 before the first of the text.
	back [4]Token
}

// next goes on to the next token and reports whether there is one.
func (r *argReader) next() bool {
	if !r.tok.blank() && r.tok.Kind != ExecOpen && r.tok.Kind != ExecClose {
		copy(r.back[1:], r.back[:])
		r.back[0] = r.tok
		if r.infix {
			r.back[0].Kind = Operator
		}
	}
	t, ok := r.l.next()
	if !ok {
		r.tok, r.infix = Token{Pos: len(r.l.text)}, false
		return false
	}
	r.tok = r.join(t)
	r.infix = r.tok.Kind == QuestionMark && r.l.syntax.Placeholder == Dollar && !r.operandExpected()
	return true
}

// join returns the token that t, just read, is the beginning of.
func (r *argReader) join(t Token) Token {
	ahead := r.l
	switch {
	case t.Kind == QuestionMark && r.l.syntax.Placeholder == Dollar:
		if next, ok := ahead.next(); !ok || next.Kind != QuestionMark {
			return t
		}
		t.Kind = Operator
	case t.Kind == Operator && t.Text == ":" && r.operandExpected():
		if next, ok := ahead.next(); !ok || next.Kind != Word || class[next.Text[0]] != cLetter {
			return t
		}
		t.Kind = Param
	default:
		return t
	}
	r.l = ahead
	t.Text = r.l.text[t.Pos:r.l.pos]
	return t
}

// peek returns the token that means something after the current one.
func (r *argReader) peek() Token { return newCursor(r.l).tok }

// operandExpected reports whether an operand has to follow back. Where a colon
// has no use between operands that is not asked, and the answer is true.
func (r *argReader) operandExpected() bool {
	if !r.l.syntax.Slices {
		return true
	}
	p, before := r.back[0], r.back[1]
	switch p.Kind {
	case 0, Operator:
		return true
	case Punct:
		switch p.Text[0] {
		case '(', ',', ';':
			return true
		case '[': // of an array and not of its subscript
			return before.is('[') || before.is(',') || before.word("ARRAY") && !r.back[2].is('.')
		}
	case Word:
		if before.is('.') {
			return false
		}
		var buf [10]byte
		after, ok := operandWords[string(upperASCII(p.Text, buf[:]))]
		return ok && (after == "" || before.word(after))
	}
	return false
}

// operandWords are PostgreSQL's keywords of at most 9 letters that an operand
// follows, each with the word that has to stand before it, where it may be a
// name as well.
var operandWords = map[string]string{
	"AND": "", "OR": "", "NOT": "", "IS": "", "IN": "", "LIKE": "", "ILIKE": "", "BETWEEN": "", "SYMMETRIC": "", "ESCAPE": "",
	"CASE": "", "WHEN": "", "THEN": "", "ELSE": "", "ALL": "", "ANY": "", "SOME": "", "DISTINCT": "", "VARIADIC": "",
	"SELECT": "", "FROM": "", "WHERE": "", "HAVING": "", "ON": "", "RETURNING": "", "LIMIT": "", "OFFSET": "", "USING": "",
	"FOR": "", "TO": "", "PLACING": "", "BOTH": "", "LEADING": "", "TRAILING": "",
	"ZONE": "TIME", "FIRST": "FETCH", "NEXT": "FETCH", "BY": "ORDER",
}

// argName returns the name of a ":name", and false for every other token.
func (t Token) argName() (string, bool) {
	if t.Kind != Param || t.Text[0] != ':' || class[t.Text[1]] != cLetter {
		return "", false
	}
	for i := 1; i < len(t.Text); i++ {
		if sets[t.Text[i]]&isIdent == 0 {
			return "", false // the suffix of the Tcl interface
		}
	}
	return t.Text[1:], true
}
