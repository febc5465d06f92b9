package sqltext

// byteClass says what a token that begins with a byte may be.
type byteClass uint8

const (
	cIllegal byteClass = iota
	cSpace
	cQuote
	cLetter
	cDigit
	cPunct
	cQuestion
	cSigil // begins a parameter, a comment or an operator, by syntax
	cOperator
)

// byteSet is a set of bytes, one bit of sets.
type byteSet uint8

const (
	isSpace    byteSet = 1 << iota
	isDigit            // 0-9
	isDigitSep         // 0-9 and _
	isHex              // 0-9, a-f and _
	isIdent            // what an identifier goes on with: letters, digits, _ and $
	isTag              // what the tag of a dollar quote consists of: as isIdent without $
	isQuote            // ' and "
)

// class and sets are what the lexer knows of each byte. All of UTF-8 beyond
// ASCII may be part of an identifier, in every database.
var class, sets = byteTables()

func byteTables() (class [256]byteClass, sets [256]byteSet) {
	fill := func(bytes string, c byteClass, set byteSet) {
		for _, b := range []byte(bytes) {
			class[b] = c
			sets[b] |= set
		}
	}
	fill(" \t\n\v\f\r", cSpace, isSpace)
	fill("0123456789", cDigit, isDigit|isDigitSep|isHex|isIdent|isTag)
	fill("abcdefABCDEF", cLetter, isHex)
	fill("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", cLetter, isIdent|isTag)
	fill("_", cLetter, isDigitSep|isHex|isIdent|isTag)
	fill("$", cSigil, isIdent)
	fill("@:#", cSigil, 0)
	fill("'\"", cQuote, isQuote)
	fill("`", cQuote, 0)
	fill("(),;[].", cPunct, 0)
	fill("?", cQuestion, 0)
	fill("~!^&|+-*/%<>=", cOperator, 0)
	for b := 0x80; b <= 0xff; b++ {
		class[b] = cLetter
		sets[b] |= isIdent | isTag
	}
	return class, sets
}

// foldEqual reports whether s is upper but for the case of its ASCII letters.
// The databases fold no other letters when they look for keywords. upper has
// only upper-case letters, digits and underscores.
func foldEqual(s, upper string) bool {
	if len(s) != len(upper) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}

// upperASCII returns s with its ASCII letters in upper case, in buf, cut off
// where buf ends.
func upperASCII(s string, buf []byte) []byte {
	n := copy(buf, s)
	for i, c := range buf[:n] {
		if 'a' <= c && c <= 'z' {
			buf[i] = c - ('a' - 'A')
		}
	}
	return buf[:n]
}
