package sqltext

import "strings"

// startsComment reports whether a comment, executable or not, begins at i,
// where the byte is c.
func (l *lexer) startsComment(i int, c byte) bool {
	text := l.text
	switch c {
	case '-':
		if i+1 >= len(text) || text[i+1] != '-' {
			return false
		}
		if !l.syntax.DashDashNeedsSpace || i+2 >= len(text) {
			return true
		}
		next := text[i+2]
		return next <= ' ' || next == 0x7f
	case '/':
		return i+1 < len(text) && text[i+1] == '*'
	case '#':
		return l.syntax.HashComments
	}
	return false
}

// scanComment scans the comment, or the delimiter of an executable comment,
// at i, where the byte is c. It returns the kind 0 where there is none.
func (l *lexer) scanComment(i int, c byte) (Kind, int, bool) {
	if c == '*' && l.inExec && strings.HasPrefix(l.text[i:], "*/") {
		l.inExec = false
		return ExecClose, i + 2, true
	}
	if !l.startsComment(i, c) {
		return 0, 0, true
	}
	if c != '/' {
		return LineComment, l.endOfLine(i), true
	}
	if n := l.execPrefix(i); n > 0 {
		if l.skipExec {
			end, ok := l.endOfComment(i+2, 1)
			return BlockComment, end, ok
		}
		l.inExec = true
		return ExecOpen, i + n, true
	}
	nesting := 0
	if l.syntax.NestedComments {
		nesting = -1
	}
	end, ok := l.endOfComment(i+2, nesting)
	return BlockComment, end, ok
}

// execPrefix returns the length of the /*!80000 or /*M!100100 at i, or 0. The
// version has up to six digits.
func (l *lexer) execPrefix(i int) int {
	if !l.syntax.ExecutableComments {
		return 0
	}
	n := 0
	switch rest := l.text[i:]; {
	case strings.HasPrefix(rest, "/*!"):
		n = 3
	case strings.HasPrefix(rest, "/*M!"):
		n = 4
	default:
		return 0
	}
	for digits := 0; digits < 6 && l.byteAt(i+n, isDigit); digits++ {
		n++
	}
	return n
}

// endOfLine returns the end of the line comment that begins before i.
func (l *lexer) endOfLine(i int) int {
	var end int
	if l.syntax.CREndsComment {
		end = strings.IndexAny(l.text[i:], "\n\r")
	} else {
		end = strings.IndexByte(l.text[i:], '\n')
	}
	if end < 0 {
		return len(l.text)
	}
	return i + end
}

// endOfComment returns the end of the block comment whose inside begins at i
// and in which comments may nest the given number of levels deep; -1 is
// without limit.
func (l *lexer) endOfComment(i, nesting int) (int, bool) {
	depth := 1
	for ; i+1 < len(l.text); i++ {
		switch {
		case l.text[i] == '*' && l.text[i+1] == '/':
			i++
			if depth--; depth == 0 {
				return i + 1, true
			}
		case l.text[i] == '/' && l.text[i+1] == '*' && (nesting < 0 || depth <= nesting):
			i++
			depth++
		}
	}
	return len(l.text), false
}
