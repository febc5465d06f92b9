package sqltext

import "strings"

// scanSigil scans what begins with one of $ @ : # at i. Each database has its
// own use for them.
func (l *lexer) scanSigil(i int, c byte) (Kind, int, bool) {
	s, text := &l.syntax, l.text
	if c == '#' && s.HashComments {
		return LineComment, l.endOfLine(i), true
	}
	if s.NamedParams {
		return l.scanNamedParam(i)
	}
	switch c {
	case '$':
		return l.scanDollar(i)
	case '@':
		if s.AtVariables {
			end := i + 1
			if end < len(text) && text[end] == '@' {
				end++
			}
			return Param, l.run(end, isIdent), true
		}
	case ':':
		if i+1 < len(text) && (text[i+1] == ':' || text[i+1] == '=') {
			return Operator, i + 2, true
		}
		return Operator, i + 1, true
	}
	if s.EString {
		return Operator, l.endOfOperator(i + 1), true
	}
	return Illegal, i + 1, true
}

// scanDollar scans a $ that is not a named parameter: $1, $tag$…$tag$ or an
// identifier.
func (l *lexer) scanDollar(i int) (Kind, int, bool) {
	s, text := &l.syntax, l.text
	if s.Placeholder == Dollar && l.byteAt(i+1, isDigit) {
		return Param, l.run(i+1, isDigit), true
	}
	if s.DollarQuotes {
		end := l.run(i+1, isTag)
		if end >= len(text) || text[end] != '$' || l.byteAt(i+1, isDigit) {
			return Illegal, i + 1, true
		}
		tag := text[i : end+1]
		n := strings.Index(text[end+1:], tag)
		return DollarString, end + 1 + n + len(tag), n >= 0
	}
	if s.DigitIdent {
		return Word, l.run(i+1, isIdent), true
	}
	return Illegal, i + 1, true
}

// scanNamedParam scans SQLite's $name, @name, :name and #name. After its name
// a parameter may have :: and a suffix in parentheses, for the Tcl interface;
// the suffix may hold quotes, so it has to be read.
func (l *lexer) scanNamedParam(i int) (Kind, int, bool) {
	text, named := l.text, false
	end := i + 1
	for end < len(text) {
		switch c := text[end]; {
		case sets[c]&isIdent != 0:
			named = true
			end++
		case c == ':' && end+1 < len(text) && text[end+1] == ':':
			end += 2
		case c == '(' && named:
			stop := strings.IndexAny(text[end:], ") \t\n\v\f\r")
			if stop < 0 || text[end+stop] != ')' {
				return Illegal, i + 1, true
			}
			return Param, end + stop + 1, true
		default:
			if !named {
				return Illegal, i + 1, true
			}
			return Param, end, true
		}
	}
	if !named {
		return Illegal, i + 1, true
	}
	return Param, end, true
}
