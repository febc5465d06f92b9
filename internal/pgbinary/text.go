package pgbinary

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	nameLength   = 64 // NAMEDATALEN, with the NUL byte at its end
	jsonbVersion = 1  // see jsonb_recv
)

// AppendText appends v as a [Text], [Varchar], [BPChar], [Name], [JSON], [JSONB], [XML], [UUID], [Numeric] or [Char].
//
// A NUL byte or invalid UTF-8 is a [*SyntaxError]; a name of more than 63 bytes is a [*RangeError], as it is in
// PostgreSQL's own binary input. The length n of a varchar(n) and the grammar of JSON and XML are checked by the server
// only. An XML value that declares another encoding than UTF-8 is read in that encoding: see xml_recv.
//
// A UUID is read as uuid_in reads it: in either case, with or without braces, with or without a hyphen after every four
// digits. A numeric is read as numeric_in reads it up to PostgreSQL 15, with spaces around it, with an exponent, NaN
// and Infinity; the hexadecimal and underscored notations of PostgreSQL 16 are a [*SyntaxError]. A [Char] is one ASCII
// byte, the backslash and three octal digits of another byte, or empty.
func AppendText(buf []byte, oid uint32, v string) ([]byte, error) {
	switch oid {
	case Text, Varchar, BPChar, Name, JSON, XML, JSONB:
		if i := strings.IndexByte(v, 0); i >= 0 {
			return buf, textError(oid, "NUL", i)
		}
		if !utf8.ValidString(v) {
			return buf, textError(oid, "invalid UTF-8", validPrefix([]byte(v)))
		}
		if oid == Name && len(v) >= nameLength {
			return buf, rangeError(oid, v)
		}
		if oid == JSONB {
			buf = append(buf, jsonbVersion)
		}
		return append(buf, v...), nil
	case UUID:
		return appendUUIDText(buf, v)
	case Numeric:
		out, problem := appendDecimal(buf, v)
		switch problem {
		case badSyntax:
			return buf, &SyntaxError{Type: typeName(oid), Problem: quote(v)}
		case badRange:
			return buf, rangeError(oid, v)
		}
		return out, nil
	case Char:
		return appendCharText(buf, v)
	}
	return buf, unsupported("a string", oid)
}

// AppendBytes appends v as a [Bytea], [Text], [Varchar], [BPChar], [Name], [JSON], [JSONB] or [XML]. Text is checked as
// in [AppendText].
func AppendBytes(buf []byte, oid uint32, v []byte) ([]byte, error) {
	switch oid {
	case Bytea:
		return append(buf, v...), nil
	case Text, Varchar, BPChar, Name, JSON, XML, JSONB:
		if i := bytes.IndexByte(v, 0); i >= 0 {
			return buf, textError(oid, "NUL", i)
		}
		if !utf8.Valid(v) {
			return buf, textError(oid, "invalid UTF-8", validPrefix(v))
		}
		if oid == Name && len(v) >= nameLength {
			return buf, rangeError(oid, string(v))
		}
		if oid == JSONB {
			buf = append(buf, jsonbVersion)
		}
		return append(buf, v...), nil
	}
	return buf, unsupported("bytes", oid)
}

func textError(oid uint32, what string, at int) error {
	return &SyntaxError{Type: typeName(oid), Problem: what + " at byte " + strconv.Itoa(at)}
}

// validPrefix is the number of bytes in front of the first that is no UTF-8.
func validPrefix(v []byte) int {
	n := 0
	for n < len(v) {
		r, size := utf8.DecodeRune(v[n:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		n += size
	}
	return n
}

// appendUUIDText follows string_to_uuid in uuid.c.
func appendUUIDText(buf []byte, v string) ([]byte, error) {
	var id [16]byte
	s, braces := strings.CutPrefix(v, "{")
	ok := true
	for i := range id {
		if len(s) < 2 {
			ok = false
			break
		}
		high, low := hexDigit(s[0]), hexDigit(s[1])
		if high > 15 || low > 15 {
			ok = false
			break
		}
		id[i] = high<<4 | low
		s = s[2:]
		if i%2 == 1 && i < len(id)-1 {
			s = strings.TrimPrefix(s, "-")
		}
	}
	if braces {
		var closed bool
		s, closed = strings.CutPrefix(s, "}")
		ok = ok && closed
	}
	if !ok || s != "" {
		return buf, &SyntaxError{Type: typeName(UUID), Problem: quote(v)}
	}
	return append(buf, id[:]...), nil
}

// hexDigit is the value of a hexadecimal digit, or more than 15.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// uuidText is the canonical notation of a UUID.
func uuidText(src []byte) string {
	var text [36]byte
	hex.Encode(text[:8], src[:4])
	text[8] = '-'
	hex.Encode(text[9:13], src[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], src[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], src[8:10])
	text[23] = '-'
	hex.Encode(text[24:], src[10:])
	return string(text[:])
}

// appendCharText follows charin in char.c, which since PostgreSQL 16 takes the octal notation, but refuses what charin
// would cut off.
func appendCharText(buf []byte, v string) ([]byte, error) {
	switch {
	case v == "":
		return append(buf, 0), nil
	case len(v) == 1 && v[0] < utf8.RuneSelf:
		return append(buf, v[0]), nil
	case len(v) == 4 && v[0] == '\\':
		if c, err := strconv.ParseUint(v[1:], 8, 8); err == nil {
			return append(buf, byte(c)), nil
		}
	}
	return buf, &SyntaxError{Type: typeName(Char), Problem: quote(v)}
}

// charText follows charout in char.c since PostgreSQL 16: a byte that is not ASCII is written in octal.
func charText(c byte) string {
	switch {
	case c == 0:
		return ""
	case c < utf8.RuneSelf:
		return string(rune(c))
	}
	return string([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
}
