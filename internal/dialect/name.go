package dialect

import (
	"fmt"
	"strings"
)

// Ident is one part of a table's name as a user wrote it.
type Ident struct {
	Text   string
	Quoted bool // written in quotes: it means exactly this spelling
}

// SplitName cuts a table's name as a user wrote it, "t" or "schema.t", into its parts. quotes holds the
// characters that open a quoted identifier; the closing one is the same, but "]" for "[", and doubled inside.
// schema is the zero Ident where the name has none.
func SplitName(name, quotes string) (schema, table Ident, err error) {
	var parts []Ident
	rest := name
	for {
		var part Ident
		if part, rest, err = nextPart(rest, quotes); err != nil {
			return Ident{}, Ident{}, fmt.Errorf("table name %q: %w", name, err)
		}
		parts = append(parts, part)
		if rest == "" {
			break
		}
		rest = rest[1:] // nextPart stops only at a dot or at the end
	}
	switch len(parts) {
	case 1:
		return Ident{}, parts[0], nil
	case 2:
		return parts[0], parts[1], nil
	}
	return Ident{}, Ident{}, fmt.Errorf("table name %q: more than a schema and a table", name)
}

// nextPart takes one identifier off s; rest is empty or begins with a dot.
func nextPart(s, quotes string) (part Ident, rest string, err error) {
	if s == "" || s[0] == '.' {
		return Ident{}, "", fmt.Errorf("an empty part")
	}
	if !strings.ContainsRune(quotes, rune(s[0])) {
		if dot := strings.IndexByte(s, '.'); dot >= 0 {
			return Ident{Text: s[:dot]}, s[dot:], nil
		}
		return Ident{Text: s}, "", nil
	}
	end := s[0]
	if end == '[' {
		end = ']'
	}
	var text strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != end {
			text.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == end && end != ']' {
			text.WriteByte(end)
			i++
			continue
		}
		rest = s[i+1:]
		if text.Len() == 0 {
			return Ident{}, "", fmt.Errorf("an empty part")
		}
		if rest != "" && rest[0] != '.' {
			return Ident{}, "", fmt.Errorf("text after the closing %c", end)
		}
		return Ident{Text: text.String(), Quoted: true}, rest, nil
	}
	return Ident{}, "", fmt.Errorf("no closing %c", end)
}
