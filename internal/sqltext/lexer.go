package sqltext

import (
	"errors"
	"iter"
	"strings"
)

// Kind is the kind of a [Token].
type Kind uint8

const (
	// Space is a run of white space.
	Space Kind = iota + 1
	// LineComment runs from -- or # to the end of the line, which it does not
	// include.
	LineComment
	// BlockComment is /* … */.
	BlockComment
	// ExecOpen opens an executable comment: /*!, /*!80000, /*M!100100. The
	// tokens after it, up to ExecClose, are code.
	ExecOpen
	// ExecClose is the */ that ends an executable comment.
	ExecClose
	// String is a quoted string with its prefix: '…', E'…', U&'…', x'…', and
	// "…" where that is a string. PostgreSQL's strings that go on after a line
	// break are one token a line.
	String
	// DollarString is $tag$…$tag$.
	DollarString
	// QuotedIdent is a quoted identifier: "…", U&"…", `…` or […].
	QuotedIdent
	// Number is a numeric literal without its sign.
	Number
	// Word is a keyword or an identifier without quotes.
	Word
	// QuestionMark is one "?", with its digits where the syntax has ?NNN.
	// Whether it is a placeholder or (part of) an operator of PostgreSQL is the
	// caller's to know; the operator ?| is a QuestionMark and an Operator.
	QuestionMark
	// Param is $1, :name, @name or @@name, where the syntax has them.
	Param
	// Operator is a run of operator characters; ":", "::" and ":=" as well.
	Operator
	// Punct is one of ( ) , ; [ ] and the dot.
	Punct
	// Illegal is a byte with which no token begins, NUL among them.
	Illegal
)

// Errors of tokens that the text ends before they do; see [Token.Err].
var (
	ErrUnterminatedString  = errors.New("unterminated string")
	ErrUnterminatedIdent   = errors.New("unterminated quoted identifier")
	ErrUnterminatedComment = errors.New("unterminated comment")
)

// Token is a piece of SQL text.
type Token struct {
	// Kind says what the piece is.
	Kind Kind
	// Unterminated is true where the text ends before the token does. Such a
	// token is the last one and reaches to the end.
	Unterminated bool
	// Pos is the offset of the token's first byte.
	Pos int
	// Text is the token as written, never empty.
	Text string
}

// Err returns one of the ErrUnterminated errors where the token is
// unterminated, otherwise nil.
func (t Token) Err() error {
	switch {
	case !t.Unterminated:
		return nil
	case t.Kind == QuotedIdent:
		return ErrUnterminatedIdent
	case t.Kind == BlockComment:
		return ErrUnterminatedComment
	default:
		return ErrUnterminatedString
	}
}

// is reports whether t is the punctuation mark p.
func (t Token) is(p byte) bool { return t.Kind == Punct && t.Text[0] == p }

// word reports whether t is the word upper, which is given in upper case.
func (t Token) word(upper string) bool { return t.Kind == Word && foldEqual(t.Text, upper) }

// blank reports whether t is a space or a comment that holds no code.
func (t Token) blank() bool { return t.Kind <= BlockComment }

// Tokens returns the tokens of text in order. Their texts, put together again,
// are the text: every byte belongs to exactly one token.
func Tokens(s Syntax, text string) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		l := lexer{syntax: s, text: text}
		for {
			t, ok := l.next()
			if !ok || !yield(t) {
				return
			}
		}
	}
}

// lexer cuts a text into tokens. It is a value: a copy looks ahead.
type lexer struct {
	syntax Syntax
	text   string
	pos    int
	// inExec is true between ExecOpen and ExecClose.
	inExec bool
	// skipExec reads executable comments as a server does that is too old for
	// them: as comments.
	skipExec bool
	// goOn is set after an E string, which a quote on a later line continues.
	goOn continuation
}

// continuation is what PostgreSQL's lexer remembers after an E string: that
// 'b\” in E'a'<newline>'b\” is read by the rules of E strings (4.1.2.1).
type continuation uint8

const (
	contNone continuation = iota
	contSameLine
	contNewLine
)

// next returns the next token, or false at the end of the text.
func (l *lexer) next() (Token, bool) {
	start := l.pos
	if start >= len(l.text) {
		return Token{}, false
	}
	escaped := l.goOn == contNewLine
	kind, end, ok := l.scan(start, escaped)
	if !ok {
		end = len(l.text)
	}
	l.pos = end
	t := Token{Kind: kind, Unterminated: !ok, Pos: start, Text: l.text[start:end]}
	if l.syntax.EString {
		l.goOn = l.continues(t, escaped)
	}
	return t, true
}

// continues returns the continuation state after t.
func (l *lexer) continues(t Token, escaped bool) continuation {
	switch t.Kind {
	case Space:
		if l.goOn == contSameLine && strings.ContainsAny(t.Text, "\n\r") {
			return contNewLine
		}
		return l.goOn
	case LineComment:
		return l.goOn
	case String:
		c := t.Text[0]
		if c|0x20 == 'e' || c == '\'' && escaped {
			return contSameLine
		}
	}
	return contNone
}

// scan returns the kind and the end of the token at i. It returns false where
// the token is unterminated. escaped is true where a quote at i continues an E
// string.
func (l *lexer) scan(i int, escaped bool) (Kind, int, bool) {
	s, text := &l.syntax, l.text
	switch c := text[i]; class[c] {
	case cSpace:
		return Space, l.run(i+1, isSpace), true
	case cQuote:
		return l.scanQuote(i, c, escaped)
	case cLetter:
		if s.BOMSpace && strings.HasPrefix(text[i:], "\uFEFF") {
			return Space, i + 3, true
		}
		return l.scanWord(i)
	case cDigit:
		return l.scanNumber(i)
	case cPunct:
		if c == '.' && l.byteAt(i+1, isDigit) && !l.afterName(i) {
			return l.scanNumber(i)
		}
		if c == '[' && s.BracketIdent {
			end := strings.IndexByte(text[i:], ']')
			return QuotedIdent, i + end + 1, end >= 0
		}
		return Punct, i + 1, true
	case cQuestion:
		if s.NamedParams {
			return QuestionMark, l.run(i+1, isDigit), true
		}
		return QuestionMark, i + 1, true
	case cSigil:
		return l.scanSigil(i, c)
	case cOperator:
		if kind, end, ok := l.scanComment(i, c); kind != 0 {
			return kind, end, ok
		}
		return Operator, l.endOfOperator(i + 1), true
	}
	return Illegal, i + 1, true
}

// scanQuote scans a string or identifier whose quote is at i.
func (l *lexer) scanQuote(i int, c byte, escaped bool) (Kind, int, bool) {
	s := &l.syntax
	switch {
	case c == '\'':
		end, ok := l.quoted(i, s.BackslashEscapes || escaped)
		return String, end, ok
	case c == '"' && s.DoubleQuoteString:
		end, ok := l.quoted(i, s.BackslashEscapes)
		return String, end, ok
	case c == '`' && !s.BacktickIdent:
		// PostgreSQL has the backtick among its operator characters.
		return Operator, l.endOfOperator(i + 1), true
	}
	end, ok := l.quoted(i, false)
	return QuotedIdent, end, ok
}

// quoted returns the end of the quoted text whose opening quote is at i. A
// doubled quote stands for one.
func (l *lexer) quoted(i int, backslash bool) (int, bool) {
	q := l.text[i]
	for i++; i < len(l.text); i++ {
		switch l.text[i] {
		case '\\':
			if backslash {
				i++
			}
		case q:
			if i+1 < len(l.text) && l.text[i+1] == q {
				i++
				continue
			}
			return i + 1, true
		}
	}
	return len(l.text), false
}

// scanWord scans a word, or the string or identifier of which it is the prefix.
func (l *lexer) scanWord(i int) (Kind, int, bool) {
	s := &l.syntax
	end := l.run(i+1, isIdent)
	if end == i+1 && end < len(l.text) {
		prefix, quote := l.text[i]|0x20, l.text[end]
		switch {
		case quote == '\'' && prefix == 'e' && s.EString:
			end, ok := l.quoted(end, true)
			return String, end, ok
		case quote == '\'' && (prefix == 'x' || prefix == 'b' || prefix == 'n'):
			end, ok := l.quoted(end, s.BackslashEscapes)
			return String, end, ok
		case quote == '&' && prefix == 'u' && s.EString && l.byteAt(end+1, isQuote):
			kind := String
			if l.text[end+1] == '"' {
				kind = QuotedIdent
			}
			end, ok := l.quoted(end+1, false)
			return kind, end, ok
		}
	}
	return Word, end, true
}

// scanNumber scans a number at i, or the identifier that begins like one. It
// never takes a $ or a letter that may begin a string in PostgreSQL.
func (l *lexer) scanNumber(i int) (Kind, int, bool) {
	s, text := &l.syntax, l.text
	if text[i] == '0' && i+1 < len(text) && strings.IndexByte("xXoObB", text[i+1]) >= 0 {
		if end := l.run(i+2, isHex); end > i+2 {
			return l.orIdent(end, Number)
		}
	}
	end := l.run(i, isDigitSep)
	if !s.EString && l.byteAt(end, isIdent) && !l.exponent(end) {
		return l.orIdent(end, Number)
	}
	if end < len(text) && text[end] == '.' {
		end = l.run(end+1, isDigitSep)
	}
	if l.exponent(end) {
		end = l.run(end+2, isDigitSep)
	}
	return Number, end, true
}

// orIdent goes on to the end of the identifier that a number turned out to be.
func (l *lexer) orIdent(end int, kind Kind) (Kind, int, bool) {
	if l.syntax.EString || !l.byteAt(end, isIdent) {
		return kind, end, true
	}
	if l.syntax.DigitIdent {
		kind = Word
	}
	return kind, l.run(end, isIdent), true
}

// exponent reports whether e5, e+5 or e-5 is at i.
func (l *lexer) exponent(i int) bool {
	if i >= len(l.text) || l.text[i]|0x20 != 'e' {
		return false
	}
	if i+1 < len(l.text) && (l.text[i+1] == '+' || l.text[i+1] == '-') {
		i++
	}
	return l.byteAt(i+1, isDigit)
}

// endOfOperator returns the end of the operator that goes on at i. Nothing in
// an operator begins a comment (PostgreSQL 4.1.3).
func (l *lexer) endOfOperator(i int) int {
	for ; i < len(l.text); i++ {
		c := l.text[i]
		if l.syntax.AtVariables && c == '@' {
			break
		}
		if class[c] == cOperator {
			if l.startsComment(i, c) || l.inExec && strings.HasPrefix(l.text[i:], "*/") {
				break
			}
			continue
		}
		// The characters that only PostgreSQL has in operators.
		if l.syntax.EString && (c == '@' || c == '#' || c == '`') {
			continue
		}
		break
	}
	return i
}

// run returns the end of the run of bytes at i that are in set.
func (l *lexer) run(i int, set byteSet) int {
	for i < len(l.text) && sets[l.text[i]]&set != 0 {
		i++
	}
	return i
}

// byteAt reports whether there is a byte at i and it is in set.
func (l *lexer) byteAt(i int, set byteSet) bool {
	return i < len(l.text) && sets[l.text[i]]&set != 0
}

// afterName reports whether a dot at i is the dot of a qualified name and not of
// .5: where names may begin with a digit, the byte before tells.
func (l *lexer) afterName(i int) bool {
	return l.syntax.DigitIdent && i > 0 && (sets[l.text[i-1]]&(isIdent|isQuote) != 0 || l.text[i-1] == '`')
}
