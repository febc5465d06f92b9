package sqltext

import (
	"iter"
	"strings"
)

// Class says what a statement does, as far as its verb tells. It is a set of
// bits; a text with several statements has the bits of all of them.
type Class uint8

const (
	// Reads is set for SELECT, VALUES, TABLE, SHOW, HELP, CHECKSUM, EXPLAIN and
	// DESCRIBE (which count as the statement they explain when they run it, with
	// ANALYZE), a WITH that has no other verb, and a PRAGMA that only reports.
	Reads Class = 1 << iota
	// Writes is set for everything that may change data or the schema, and for
	// every statement that the package does not know.
	Writes
	// Session is set for statements that change the session and no data: SET,
	// RESET, USE, PREPARE, DEALLOCATE, DISCARD.
	Session
	// TransactionControl is set for what begins or ends a transaction: BEGIN,
	// START TRANSACTION, COMMIT, END, ABORT, ROLLBACK, PREPARE TRANSACTION,
	// COMMIT PREPARED, ROLLBACK PREPARED, XA … and SET autocommit.
	TransactionControl
	// SavepointControl is set for SAVEPOINT, RELEASE and ROLLBACK TO.
	SavepointControl
	// TransactionSettings is set for SET TRANSACTION and SET SESSION
	// CHARACTERISTICS.
	TransactionSettings
	// ImplicitCommit is set, with Writes, for statements before which the
	// database commits the open transaction by itself. See
	// [Syntax.ImplicitCommit].
	ImplicitCommit
	// Opaque is set, with Writes, for CALL, DO and EXECUTE: they run code that is
	// not in the text, and MySQL lets that code commit.
	Opaque
)

// Has reports whether c has one of the bits of other.
func (c Class) Has(other Class) bool { return c&other != 0 }

// Statement is one statement of a text.
type Statement struct {
	// Pos is the offset of Text in the query.
	Pos int
	// Text is the statement without the semicolon and the space around it.
	Text string
	// Verb is its first word in upper case, or "" where it begins with
	// something else. Opening parentheses are skipped.
	Verb string
	// Class says what the statement does.
	Class Class
}

// Statements returns the statements of query in order. Empty ones, with nothing
// but space and comments, are left out.
//
// A statement ends at each semicolon outside strings, quoted names, comments
// and the body of a trigger, procedure, function or event, BEGIN …; …; END. The
// inside of an executable comment counts as code here, whatever its version.
func Statements(s Syntax, query string) iter.Seq[Statement] {
	return func(yield func(Statement) bool) {
		c := newCursor(lexer{syntax: s, text: query})
		start := 0
		for c.tok.Kind != 0 {
			if c.takePunct(';') {
				start = c.prev.Pos + 1
				continue
			}
			verb, class := c.statement()
			end := c.tok.Pos
			text := query[start:end]
			trimmed := strings.TrimLeft(text, spaces)
			st := Statement{Pos: end - len(trimmed), Verb: verb, Class: class}
			st.Text = strings.TrimRight(trimmed, spaces)
			if !yield(st) {
				return
			}
		}
	}
}

const spaces = " \t\n\v\f\r"

// Classify returns the classes of the statements in query together, 0 where
// there is none.
//
// It goes by verbs. A SELECT counts as Reads though it may call a function that
// writes, or have an INTO, and what CALL, DO and EXECUTE run is unknown
// ([Opaque]): a guard that must be sure asks the server as well. An executable
// comment counts both ways, as code and as a comment, because the version of
// the server decides.
//
// It is made for use on every statement: one that begins with SELECT, INSERT,
// UPDATE, DELETE or REPLACE and has no semicolon but at its end is recognised
// without cutting it into tokens. Nothing is allocated.
func Classify(s Syntax, query string) Class {
	if class, ok := quickClass(query); ok {
		return class
	}
	l := lexer{syntax: s, text: query}
	class := l.classify()
	if s.ExecutableComments && (strings.Contains(query, "/*!") || strings.Contains(query, "/*M!")) {
		l.skipExec = true
		class |= l.classify()
	}
	return class
}

// quickClass is the answer for the statements that make up nearly all of the
// traffic. It returns false where it takes a lexer to tell.
func quickClass(query string) (Class, bool) {
	i := 0
	for i < len(query) && sets[query[i]]&isSpace != 0 {
		i++
	}
	const n = len("SELECT")
	if len(query) < i+n {
		return 0, false
	}
	class, end := Writes, i+n
	switch query[i] | 0x20 {
	case 's':
		if !foldEqual(query[i:end], "SELECT") {
			return 0, false
		}
		class = Reads
	case 'i':
		if !foldEqual(query[i:end], "INSERT") {
			return 0, false
		}
	case 'u':
		if !foldEqual(query[i:end], "UPDATE") {
			return 0, false
		}
	case 'd':
		if !foldEqual(query[i:end], "DELETE") {
			return 0, false
		}
	case 'r':
		if end++; len(query) < end || !foldEqual(query[i:end], "REPLACE") {
			return 0, false
		}
	default:
		return 0, false
	}
	if end < len(query) && sets[query[end]]&isIdent != 0 {
		return 0, false
	}
	semicolon := strings.IndexByte(query[end:], ';')
	return class, semicolon < 0 || end+semicolon == len(query)-1
}

// classify returns the classes of all statements that l has to give.
func (l lexer) classify() Class {
	var class Class
	c := newCursor(l)
	for c.tok.Kind != 0 {
		if c.takePunct(';') {
			continue
		}
		_, one := c.statement()
		class |= one
	}
	return class
}

// statement classifies the statement that begins at the current token and goes
// to its end.
func (c *cursor) statement() (string, Class) {
	for c.tok.is('(') {
		c.next()
	}
	if c.tok.Kind != Word {
		c.skipStatement()
		return "", Writes
	}
	verb := verbName(c.tok.Text)
	class := c.verbClass(verb)
	if verb == "CREATE" {
		c.skipRoutine()
	}
	c.skipStatement()
	return verb, class
}

// statementClass is statement for one that is part of another.
func (c *cursor) statementClass() Class {
	_, class := c.statement()
	return class
}
