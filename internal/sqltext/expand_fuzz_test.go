package sqltext

import (
	"slices"
	"strings"
	"testing"
)

// FuzzNamed checks that names become placeholders and nothing else changes.
func FuzzNamed(f *testing.F) {
	for _, text := range slices.Concat(hostile, hostileConditions) {
		f.Add(text)
	}
	f.Add("0:A.0")
	f.Fuzz(func(t *testing.T, text string) {
		for name, s := range syntaxes() {
			got, names, err := Named(s, text)
			if err != nil {
				continue
			}
			if names == nil {
				if got != text {
					t.Fatalf("%s: Named(%q) = %q", name, text, got)
				}
				continue
			}
			rebound, n, err := Rebind(s, got)
			if n != len(names) && err == nil {
				t.Fatalf("%s: Named(%q) = %q, which has %d placeholders, not %q", name, text, got, n, names)
			}
			if err != nil || s.Placeholder != Dollar {
				rebound = got
			}
			want := expectNamed(s, text, rebound != got)
			if slices.Contains(want, ".") && s.DigitIdent {
				continue // what follows is cut by what stands before the dot, :a.0 and ?.0; no server has either
			}
			var tokens []string
			for token := range Tokens(s, rebound) {
				tokens = append(tokens, token.Text)
			}
			if i := matchSpaced(want, tokens); err == nil && i >= 0 {
				t.Fatalf("%s: Named(%q) = %q, rebound %q, differs at token %d: %q, want %q", name, text, got, rebound, i, tokens, want)
			}
		}
	})
}

// expectNamed returns the tokens that a text with names is to have in the end.
func expectNamed(s Syntax, text string, dollar bool) (tokens []string) {
	n := 0
	r := argReader{l: lexer{syntax: s, text: text}}
	for r.next() {
		_, named := r.tok.argName()
		switch {
		case named && dollar:
			n++
			tokens = append(tokens, "$"+itoa(n))
		case named, r.infix, dollar && r.tok.Text == "??":
			tokens = append(tokens, "?")
		default:
			tokens = append(tokens, r.tok.Text)
		}
	}
	return tokens
}

// FuzzExpand checks that only the placeholders of lists change, and the words
// before them, and that Rebind finds as many as Expand has counted.
func FuzzExpand(f *testing.F) {
	addConditions(f)
	f.Add("a IN (?) AND b NOT/**/IN--\n(?)", uint32(0xf))
	f.Add("?1 IN (?)", uint32(4))
	f.Fuzz(func(t *testing.T, text string, seed uint32) {
		for name, s := range syntaxes() {
			for _, arrays := range []bool{false, true} {
				e, err := Expand(s, text, fuzzLists(seed), arrays)
				if err != nil {
					continue
				}
				_, before, err := Rebind(s, text)
				if err == nil && e.Placeholders != before {
					t.Fatalf("%s: Expand(%q) counts %d placeholders, Rebind %d", name, text, e.Placeholders, before)
				}
				if _, n, err := Rebind(s, e.Text); err == nil && n != marks(e) {
					t.Fatalf("%s: Expand(%q) = %+v, but Rebind counts %d", name, text, e, n)
				}
				want := expectExpanded(s, text, seed, arrays)
				var got []string
				for token := range Tokens(s, e.Text) {
					got = append(got, token.Text)
				}
				if i := matchExpanded(want, got); i >= 0 {
					t.Fatalf("%s: Expand(%q, arrays %v) = %q, differs at token %d: %q, want %q", name, text, arrays, e.Text, i, got, want)
				}
			}
		}
	})
}

// expectExpanded returns the tokens that the expanded text is to have, by a look
// at the tokens around each placeholder.
func expectExpanded(s Syntax, text string, seed uint32, arrays bool) []string {
	tokens := make([]string, 0, len(text))
	var solid []int // the indexes of those that mean something
	var open []int  // the places of the placeholders in solid
	literal, numbered := false, false
	for token := range Tokens(s, text) {
		end := token.Pos + len(token.Text)
		switch {
		case token.Kind != QuestionMark || literal:
			literal = false
		case s.Placeholder == Dollar && end < len(text) && text[end] == '?':
			literal = true
		default:
			open = append(open, len(solid))
			numbered = numbered || len(token.Text) > 1
		}
		if !token.blank() && token.Kind != ExecOpen && token.Kind != ExecClose {
			solid = append(solid, len(tokens))
		}
		tokens = append(tokens, token.Text)
	}
	if numbered {
		return tokens // a list would have been an error
	}
	at := func(i int) string {
		if i < 0 || i >= len(solid) {
			return ""
		}
		return strings.ToUpper(tokens[solid[i]])
	}
	words := slices.Clone(tokens)
	for i, p := range open {
		n, ok := fuzzLists(seed)(i)
		if !ok || at(p-2) != "IN" || at(p-1) != "(" || at(p+1) != ")" || at(p-3) == "." {
			continue
		}
		not := at(p-3) == "NOT" && at(p-4) != "."
		switch {
		case arrays && not:
			words[solid[p-3]], words[solid[p-2]] = "<>", "ALL"
		case arrays:
			words[solid[p-2]] = "= ANY"
		case n == 0:
			words[solid[p]] = emptyRows
		default:
			words[solid[p]] = strings.Repeat("?, ", padded(n)-1) + "?"
		}
	}
	// What was put in is cut into tokens by itself.
	var out []string
	for i, word := range words {
		if word == tokens[i] {
			out = append(out, word)
			continue
		}
		for token := range Tokens(s, word) {
			out = append(out, token.Text)
		}
	}
	return out
}

// matchExpanded returns the index of the first of got that is neither as in want
// nor a single space before <>, = or ALL, or -1.
func matchExpanded(want, got []string) int {
	w := 0
	for i, text := range got {
		switch {
		case w < len(want) && want[w] == text:
			w++
		case text == " " && i+1 < len(got) && slices.Contains([]string{"<>", "=", "ALL"}, got[i+1]):
		default:
			return i
		}
	}
	if w < len(want) {
		return len(got)
	}
	return -1
}
