package sqltext

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// kindNames are the letters by which the tests write kinds.
var kindNames = map[Kind]string{
	LineComment: "line", BlockComment: "block", ExecOpen: "exec", ExecClose: "end",
	String: "str", DollarString: "dollar", QuotedIdent: "ident", Number: "num", Word: "word",
	QuestionMark: "?", Param: "param", Operator: "op", Punct: "punct", Illegal: "illegal",
}

// describe writes the tokens of text, without the spaces, as "kind:text".
func describe(s Syntax, text string) []string {
	var out []string
	for t := range Tokens(s, text) {
		if t.Kind == Space {
			continue
		}
		name := kindNames[t.Kind]
		if t.Unterminated {
			name = "open " + name
		}
		out = append(out, name+":"+t.Text)
	}
	return out
}

func TestTokens(t *testing.T) {
	tests := []struct {
		name   string
		syntax Syntax
		text   string
		want   []string
	}{
		{"empty", Postgres, "", nil},
		{"spaces", Postgres, " \t\r\n\f\v", nil},
		{"statement", Postgres, "SELECT a.b, 1.5e-3 FROM t;", []string{
			"word:SELECT", "word:a", "punct:.", "word:b", "punct:,", "num:1.5e-3", "word:FROM", "word:t", "punct:;",
		}},

		{"postgres: backslash in a plain string", Postgres, `'a\'b`, []string{`str:'a\'`, "word:b"}},
		{"postgres: E string", Postgres, `e'a\'b' E'\\'`, []string{`str:e'a\'b'`, `str:E'\\'`}},
		{"postgres: E string goes on after a line break", Postgres, "E'a' \n 'b\\'c' 'd\\'", []string{`str:E'a'`, `str:'b\'c'`, `str:'d\'`}},
		{"postgres: E string goes on after a comment", Postgres, "E'a' -- x\n 'b\\''", []string{`str:E'a'`, "line:-- x", `str:'b\''`}},
		{"postgres: E string does not go on in the line", Postgres, `E'a' 'b\'`, []string{`str:E'a'`, `str:'b\'`}},
		{"postgres: E string does not go on after a block comment", Postgres, "E'a' /**/ \n 'b\\'", []string{`str:E'a'`, "block:/**/", `str:'b\'`}},
		{"postgres: plain string stays plain after a line break", Postgres, "'a'\n'b\\'", []string{`str:'a'`, `str:'b\'`}},
		{"postgres: E ends a longer word", Postgres, `te'a\'`, []string{"word:te", `str:'a\'`}},
		{"postgres: Unicode string and name", Postgres, `U&'\0041''' u&"a""b" u & 'x'`, []string{
			`str:U&'\0041'''`, `ident:u&"a""b"`, "word:u", "op:&", "str:'x'",
		}},
		{"postgres: other prefixes", Postgres, `x'1F' B'01' n'\'`, []string{"str:x'1F'", "str:B'01'", `str:n'\'`}},
		{"postgres: quoted name", Postgres, `"a""b"`, []string{`ident:"a""b"`}},
		{"postgres: dollar quotes", Postgres, `$$a'$$ $tag$ $$ $TAG$ $tag$`, []string{`dollar:$$a'$$`, `dollar:$tag$ $$ $TAG$ $tag$`}},
		{"postgres: overlapping tag", Postgres, `$a$ $b$a$ x`, []string{`dollar:$a$ $b$a$`, "word:x"}},
		{"postgres: dollar in a name", Postgres, `a$b$ x$$y`, []string{"word:a$b$", "word:x$$y"}},
		{"postgres: dollar quote after a number", Postgres, `1$$'$$`, []string{"num:1", "dollar:$$'$$"}},
		{"postgres: dollar quote after a parameter", Postgres, `$1$$'$$`, []string{"param:$1", "dollar:$$'$$"}},
		{"postgres: lone dollar", Postgres, `$ $a`, []string{"illegal:$", "illegal:$", "word:a"}},
		{"postgres: open dollar quote", Postgres, `$a$ $b$`, []string{"open dollar:$a$ $b$"}},
		{"postgres: nested comment", Postgres, `/* a /* b */ ' */ c`, []string{"block:/* a /* b */ ' */", "word:c"}},
		{"postgres: comment of stars and slashes", Postgres, `/*/*/**/*/*/ a`, []string{"block:/*/*/**/*/*/", "word:a"}},
		{"postgres: carriage return ends a comment", Postgres, "--a\rb", []string{"line:--a", "word:b"}},
		{"postgres: no executable comments", Postgres, "/*! a */", []string{"block:/*! a */"}},
		{"postgres: operators", Postgres, `a::int @> b #>> c ~* d|| -1 := :`, []string{
			"word:a", "op:::", "word:int", "op:@>", "word:b", "op:#>>", "word:c", "op:~*", "word:d", "op:||", "op:-", "num:1", "op::=", "op::",
		}},
		{"postgres: jsonb operators", Postgres, `a ?| b ?& c ? 'd'`, []string{
			"word:a", "?:?", "op:|", "word:b", "?:?", "op:&", "word:c", "?:?", "str:'d'",
		}},
		{"postgres: comment ends an operator", Postgres, "a+--b\n*/*c*/d", []string{"word:a", "op:+", "line:--b", "op:*", "block:/*c*/", "word:d"}},
		{"postgres: backtick is an operator", Postgres, "a`+`b", []string{"word:a", "op:`+`", "word:b"}},
		{"postgres: number and E string", Postgres, `1E'\''`, []string{"num:1", `str:E'\''`}},
		{"postgres: numbers", Postgres, "1_000 0x1F .5 5. 1e10 a.5", []string{
			"num:1_000", "num:0x1F", "num:.5", "num:5.", "num:1e10", "word:a", "num:.5",
		}},
		{"postgres: array", Postgres, "a[1:2]", []string{"word:a", "punct:[", "num:1", "op::", "num:2", "punct:]"}},
		{"postgres: letters beyond ASCII", Postgres, "größe=日本", []string{"word:größe", "op:=", "word:日本"}},

		{"mysql: strings", MySQL, `'a\'b''c' "d\"e""f" N'\'' _utf8'x'`, []string{
			`str:'a\'b''c'`, `str:"d\"e""f"`, `str:N'\''`, "word:_utf8", "str:'x'",
		}},
		{"mysql: names", MySQL, "`a``b` `c\\` 1a 2024_x $d 1e5 1e5x 0x1F 0xZ", []string{
			"ident:`a``b`", "ident:`c\\`", "word:1a", "word:2024_x", "word:$d", "num:1e5", "num:1e5", "word:x", "num:0x1F", "word:0xZ",
		}},
		{"mysql: digits after a dot", MySQL, "a.1b `a`.2", []string{"word:a", "punct:.", "word:1b", "ident:`a`", "punct:.", "num:2"}},
		{"mysql: hash comment", MySQL, "a # 'b\rc\nd", []string{"word:a", "line:# 'b\rc", "word:d"}},
		{"mysql: two dashes", MySQL, "a--1 -- b\nc--\td", []string{"word:a", "op:--", "num:1", "line:-- b", "word:c", "line:--\td"}},
		{"mysql: two dashes at the end", MySQL, "a--", []string{"word:a", "line:--"}},
		{"mysql: dashes before a comment", MySQL, "a---- b", []string{"word:a", "op:--", "line:-- b"}},
		{"mysql: comments do not nest", MySQL, "/* /* */ a", []string{"block:/* /* */", "word:a"}},
		{"mysql: executable comment", MySQL, "/*!80000 a*/ /*! b '*/' */ /*M!100100 c**/ d", []string{
			"exec:/*!80000", "word:a", "end:*/", "exec:/*!", "word:b", "str:'*/'", "end:*/", "exec:/*M!100100", "word:c", "op:*", "end:*/", "word:d",
		}},
		{"mysql: comment in an executable comment", MySQL, "/*! /* a */ b */ c", []string{"exec:/*!", "block:/* a */", "word:b", "end:*/", "word:c"}},
		{"mysql: variables", MySQL, "@a=@@b @@global.c @'d' u@`h`", []string{
			"param:@a", "op:=", "param:@@b", "param:@@global", "punct:.", "word:c", "param:@", "str:'d'", "word:u", "param:@", "ident:`h`",
		}},
		{"mysql: placeholder", MySQL, "?=?1", []string{"?:?", "op:=", "?:?", "num:1"}},
		{"mysql: backslash", MySQL, `\N`, []string{`illegal:\`, "word:N"}},

		{"sqlite: names", SQLite, "[a\"]b] \"c\"\"d\" `e``f`", []string{"ident:[a\"]", "word:b", "punct:]", `ident:"c""d"`, "ident:`e``f`"}},
		{"sqlite: strings", SQLite, `'a\' x'00' e'\'`, []string{`str:'a\'`, "str:x'00'", "word:e", `str:'\'`}},
		{"sqlite: comments", SQLite, "a--b\rc\nd/* /* */e", []string{"word:a", "line:--b\rc", "word:d", "block:/* /* */", "word:e"}},
		{"sqlite: parameters", SQLite, "? ?12 :a @b $c $d::e(;') :", []string{
			"?:?", "?:?12", "param::a", "param:@b", "param:$c", "param:$d::e(;')", "illegal::",
		}},
		{"sqlite: byte order mark", SQLite, "\uFEFFa\uFEFF", []string{"word:a\uFEFF"}},
		{"sqlite: operators", SQLite, "a->>'b'||c<<1==2", []string{"word:a", "op:->>", "str:'b'", "op:||", "word:c", "op:<<", "num:1", "op:==", "num:2"}},

		{"open string", Postgres, "a 'b", []string{"word:a", "open str:'b"}},
		{"open string after a backslash", MySQL, `'a\`, []string{`open str:'a\`}},
		{"open name", SQLite, "[a", []string{"open ident:[a"}},
		{"open comment", Postgres, "a /* /* */", []string{"word:a", "open block:/* /* */"}},
		{"shortest comment", SQLite, "/*/ a", []string{"open block:/*/ a"}},
		{"NUL", SQLite, "a\x00b", []string{"word:a", "illegal:\x00", "word:b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, describe(tt.syntax, tt.text)); diff != "" {
				t.Errorf("tokens of %q (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestToken_Err(t *testing.T) {
	tests := []struct {
		text string
		want error
	}{
		{"'a'", nil},
		{"'a", ErrUnterminatedString},
		{"$$a", ErrUnterminatedString},
		{`"a`, ErrUnterminatedIdent},
		{"/* a", ErrUnterminatedComment},
	}
	for _, tt := range tests {
		for token := range Tokens(Postgres, tt.text) {
			if got := token.Err(); got != tt.want { //nolint:errorlint // Err returns the sentinel itself
				t.Errorf("Err of %q = %v, want %v", tt.text, got, tt.want)
			}
		}
	}
}

// syntaxes are the readings that the fuzz targets go through.
func syntaxes() map[string]Syntax {
	m := map[string]Syntax{"postgres": Postgres, "mysql": MySQL, "sqlite": SQLite, "standard": {}}
	for name, s := range map[string]Syntax{"postgres": Postgres, "mysql": MySQL} {
		n := 0
		s.sessions(func(other Syntax) bool {
			n++
			m[name+strings.Repeat("'", n)] = other
			return true
		})
	}
	return m
}

// hostile are texts in which one reading of a character would be mistaken for
// another. Every fuzz target starts from them.
var hostile = []string{
	"", " ", "a = 1", "1=1) OR (1=1", "a = 'x' -- y", "a = 'x' # y", "a /* b */ = 1", "a = '\\' OR 1=1 --'",
	"E'a'\n'b\\''", "E'a' -- c\n'\\'' ) --'", "1E'\\''", "$$a'$$", "$a$ $b$a$", "1$$)$$", "a$$)b$$", "$1$$)$$", "$1$a$)$a$",
	"/*! ; */", "/*!99999 ' */ ; -- '", "/*M! a */", "/*/ a */", "/*/*/**/*/*/", "/*!99999 /* */ ' */ COMMIT -- '",
	"--", "a--", "a---- )", "-- a\r) b", "[a'] = ']'", "[a]]", "`a``)` = '`'", "\"a\"\")\"", "\"a\\\")\"",
	":a(')')", "$a::b(;)", "@'a)'", "@`)`", "x'\\')'", "U&'\\')'", "u&\"a)\"", "n'\\')", "\uFEFFCOMMIT", "\\'", "\\N",
	"a ?| b", "??", "???", "????", "?1", "a?b", "$?", "?$$x$$", "'?'", "a = ? AND b = ?", "a = ?; SELECT 1",
	"a = '\\') OR (1=1) -- '", "0000000000000000?.0", "EXPLAIN(", "EXPLAIN(;", "SET STATEMENT", "ANALYZE",
	"a[1:2] = b", "(a[1)]", "a = (SELECT 1)", "(DELETE FROM t)", "(WITH a AS (SELECT 1) DELETE FROM t)", "insert(a,1,2,'b') = 'c'",
	"a.b.1c = .5", "0x1G", "1.e5", "é = 'é'", "a\xff", "a\x00b", "'a\x00b'",
}

func FuzzTokens(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, s := range syntaxes() {
			for _, skip := range []bool{false, true} {
				l := lexer{syntax: s, text: text, skipExec: skip}
				pos := 0
				for {
					token, ok := l.next()
					if !ok {
						break
					}
					if token.Pos != pos || token.Text == "" || !strings.HasPrefix(text[pos:], token.Text) {
						t.Fatalf("%s: token %+v at %d of %q", name, token, pos, text)
					}
					pos += len(token.Text)
					if token.Unterminated && pos != len(text) {
						t.Fatalf("%s: unterminated token %+v is not the last of %q", name, token, text)
					}
					if token.Kind == Word && strings.ContainsFunc(token.Text, func(r rune) bool { return r < 0x80 && (unicode.IsSpace(r) || strings.ContainsRune("'\"`();", r)) }) {
						t.Fatalf("%s: word %q", name, token.Text)
					}
				}
				if pos != len(text) {
					t.Fatalf("%s: the tokens of %q end at %d", name, text, pos)
				}
			}
		}
	})
}
