package sqltext

import (
	"strings"
	"unicode/utf8"
)

// CheckWhere reports whether where, which a user has written to follow WHERE,
// is one expression that stays one when it is put in parentheses and placed in
// a statement: after
//
//	"DELETE FROM t WHERE (" + where + ") AND (k >= 1)"
//
// the first parenthesis is closed by the one written after where, and by no
// other. It returns nil or a *WhereError.
//
// It refuses an empty condition, invalid UTF-8, characters that begin no token
// (NUL, a backslash, braces), comments of every kind, semicolons, parentheses
// and brackets that do not match, strings and names without an end,
// placeholders (a condition given as text has no arguments), a comma outside
// parentheses, and the words that end or go beyond an expression: INTO anywhere;
// SELECT, ORDER, LIMIT, UNION, RETURNING and their like outside parentheses;
// and the verbs of statements that change something, outside parentheses or as
// the first word in them. A word that is quoted, follows a dot or stands before
// one is a name and never refused, and INSERT(…), REPLACE(…) and TRUNCATE(…)
// are functions. A column that is called like a refused word has to be quoted.
// Subqueries are accepted.
//
// Where a setting of the session could change what the text means (see
// [Syntax.SessionBackslash]) the condition must be safe either way. On MySQL,
// which may have NO_BACKSLASH_ESCAPES, a quote that is escaped with a backslash
// is refused, and one that is doubled is not.
//
// In PostgreSQL "?" is an operator of jsonb (PostgreSQL 9.16) and accepted,
// because the statements that drover builds have $1 placeholders and must not
// go through [Rebind] with the condition in them. ":x" is refused where an
// operand is expected, and legal in array slices; elsewhere it is always refused. MySQL's user variables are
// refused, its @@settings are not.
//
// CheckWhere does not make a condition harmless: it may still be true for every
// row, be a syntax error, or call a function that changes data.
func CheckWhere(s Syntax, where string) error {
	return checkSessions(s, where, false)
}

// CheckCondition is [CheckWhere] for a condition that comes with arguments: it
// accepts placeholders, and refuses what CheckWhere refuses besides. It returns
// nil or a *[WhereError].
//
// A placeholder is "?", on every database, as [Rebind] reads it: where the
// syntax has $1 placeholders an operator's "?" is written "??". Or it is a
// ":name" as [Named] finds it. Those that belong to one database, $1, ?1, @name
// and $name, are refused, for a condition does not know which number it begins
// with. That a condition has only one kind is for Named to say.
//
// Where a setting of the session could change which characters are in a string
// the condition is refused, even if it were safe either way.
//
// What Named, [Expand] and Rebind make of an accepted condition is as safe in
// parentheses as one that CheckWhere accepts.
func CheckCondition(s Syntax, where string) error {
	return checkSessions(s, where, true)
}

// checkSessions checks where under each reading that the session may have.
func checkSessions(s Syntax, where string, arguments bool) error {
	if err := checkWhere(s, where, arguments); err != nil {
		return err
	}
	var err error
	s.sessions(func(other Syntax) bool {
		if checkWhere(other, where, arguments) == nil && (!arguments || samePieces(s, other, where)) {
			return true
		}
		err = whereError(where, firstDifference(s, other, where),
			"the condition has a backslash or quote whose meaning depends on a setting of the session",
			"write a quote in a string twice ('O''Brien'), and a backslash at the end of a string in another way")
		return false
	})
	return err
}

// whereChecker is the state of one pass over a condition.
type whereChecker struct {
	argReader
	where string
	// arguments is true where the condition comes with arguments.
	arguments bool
	groups    []group
}

// group is an open parenthesis or bracket.
type group struct {
	open Token
	with bool // its first word is WITH
}

func checkWhere(s Syntax, where string, arguments bool) error {
	if !utf8.ValidString(where) {
		return whereError(where, invalidUTF8(where), "the condition is not valid UTF-8", "")
	}
	if i := strings.IndexByte(where, 0); i >= 0 {
		return whereError(where, i, "the condition contains a NUL byte", "")
	}
	w := whereChecker{where: where, arguments: arguments, argReader: argReader{l: lexer{syntax: s, text: where}}}
	for w.next() {
		if w.tok.Kind == Space {
			continue
		}
		if err := w.check(w.tok); err != nil {
			return err
		}
	}
	if w.prev().Kind == 0 {
		return &WhereError{Reason: "the condition is empty", Advice: "write a condition, or TRUE to mean every row"}
	}
	if n := len(w.groups); n > 0 {
		return w.refuse(w.groups[n-1].open, "the condition opens a "+bracketName(w.groups[n-1].open)+" that it does not close", "")
	}
	return nil
}

// prev returns the token before the current one.
func (w *whereChecker) prev() Token { return w.back[0] }

// check refuses or accepts t. It returns error and not *WhereError so that nil
// stays nil.
func (w *whereChecker) check(t Token) error {
	if t.Unterminated {
		what := t.Err().Error()
		return w.refuse(t, "the condition has an "+what, "close it")
	}
	switch t.Kind {
	case LineComment, BlockComment, ExecOpen, ExecClose:
		return w.refuse(t, "the condition contains a comment", "leave the comment out")
	case Illegal:
		return w.refuse(t, "the condition contains a character that SQL has no use for here", "")
	case Punct:
		return w.checkPunct(t)
	case QuestionMark, Param, Operator:
		return w.checkParam(t)
	case Word:
		return w.checkWord(t)
	}
	return nil
}

func (w *whereChecker) checkPunct(t Token) error {
	switch t.Text[0] {
	case ';':
		return w.refuse(t, "the condition contains a semicolon", "write one condition, not a statement")
	case ',':
		if len(w.groups) == 0 {
			return w.refuse(t, "the condition contains a comma outside parentheses", "join conditions with AND or OR")
		}
	case '(', '[':
		w.groups = append(w.groups, group{open: t})
	case ')', ']':
		n := len(w.groups)
		if n == 0 {
			return w.refuse(t, "the condition closes a "+bracketName(t)+" that it did not open", "")
		}
		if open := w.groups[n-1].open; bracketName(open) != bracketName(t) {
			return w.refuse(t, "the condition closes a "+bracketName(t)+" where a "+bracketName(open)+" is open", "")
		}
		w.groups = w.groups[:n-1]
	}
	return nil
}

// checkParam refuses the variables of a session, and placeholders that have no
// argument.
func (w *whereChecker) checkParam(t Token) error {
	advice := "write the value itself"
	if w.arguments {
		advice = "write ? or :name for the place of an argument"
	}
	_, named := t.argName()
	switch {
	case w.arguments && (named || t.Kind == QuestionMark && len(t.Text) == 1):
		return nil
	case t.Kind == QuestionMark && w.l.syntax.Placeholder == Dollar:
		return nil
	case t.Kind == Param && w.l.syntax.AtVariables && len(t.Text) > 2 && t.Text[1] == '@':
		return nil
	case t.Kind == Param && w.l.syntax.AtVariables && !named:
		return w.refuse(t, "the condition contains a variable of the session", advice)
	case t.Kind == Operator && (t.Text != ":" || !w.l.byteAt(w.l.pos, isIdent) || !w.operandExpected()):
		return nil
	case w.arguments:
		return w.refuse(t, "the condition contains a placeholder of another kind than ? and :name", advice)
	}
	return w.refuse(t, "the condition contains a placeholder, for which there is no argument", advice)
}

// checkWord refuses the keywords that have no place where t stands.
func (w *whereChecker) checkWord(t Token) error {
	if w.prev().is('.') {
		return nil
	}
	if t.Text[0] == '$' {
		return w.refuse(t, "the condition contains a name that begins with $", "quote it if it is the name of a column")
	}
	depth := len(w.groups)
	first := w.prev().Kind == 0 || w.prev().is('(') || w.prev().is('[')
	if first && depth > 0 && t.word("WITH") {
		w.groups[depth-1].with = true
	}
	var buf [10]byte
	role, ok := whereWords[string(upperASCII(t.Text, buf[:]))]
	if !ok {
		return nil
	}
	next := w.peek()
	if next.is('.') {
		return nil
	}
	name := strings.ToUpper(t.Text)
	const advice = "quote it if it is the name of a column"
	switch {
	case role == roleWhere && depth == 0:
		return w.refuse(t, "the condition contains the word WHERE", "leave the word WHERE out")
	case role == roleInto:
		return w.refuse(t, "the condition contains the word INTO", advice)
	case role == roleClause && depth == 0:
		return w.refuse(t, "the condition goes beyond an expression with the word "+name, advice)
	case role == roleFirst && depth == 0 && first:
		return w.refuse(t, "the condition begins with the word "+name, "put a subquery in parentheses")
	case role == roleFunction && next.is('('), role != roleVerb && role != roleFunction:
		return nil
	case depth == 0, first, w.groups[depth-1].with && w.prev().is(')'):
		return w.refuse(t, "the condition contains the statement "+name, advice)
	}
	return nil
}

// whereRole is what a keyword does in a condition.
type whereRole uint8

const (
	roleWhere    whereRole = iota + 1 // WHERE
	roleInto                          // never part of a condition
	roleClause                        // ends or extends an expression
	roleFirst                         // makes the whole a query when it comes first
	roleVerb                          // changes something
	roleFunction                      // as roleVerb, unless ( follows: MySQL's functions
)

// whereWords has the words of at most 9 letters that checkWord looks at.
var whereWords = map[string]whereRole{
	"WHERE": roleWhere,
	"INTO":  roleInto,

	"SELECT": roleClause, "UNION": roleClause, "INTERSECT": roleClause, "EXCEPT": roleClause,
	"ORDER": roleClause, "GROUP": roleClause, "HAVING": roleClause, "LIMIT": roleClause,
	"OFFSET": roleClause, "FETCH": roleClause, "FOR": roleClause, "RETURNING": roleClause,
	"WINDOW": roleClause, "PROCEDURE": roleClause, "LOCK": roleClause,

	"WITH": roleFirst, "VALUES": roleFirst, "TABLE": roleFirst,

	"INSERT": roleFunction, "REPLACE": roleFunction, "TRUNCATE": roleFunction,
	"UPDATE": roleVerb, "DELETE": roleVerb, "MERGE": roleVerb, "DROP": roleVerb,
	"ALTER": roleVerb, "CREATE": roleVerb, "GRANT": roleVerb, "REVOKE": roleVerb,
	"COPY": roleVerb, "CALL": roleVerb,
}

func (w *whereChecker) refuse(t Token, reason, advice string) error {
	return whereError(w.where, t.Pos, reason, advice)
}

func bracketName(t Token) string {
	if t.is('[') || t.is(']') {
		return "bracket"
	}
	return "parenthesis"
}
