package sqltext

// Placeholder is the way in which a database spells the place of an argument.
type Placeholder uint8

const (
	// Question is "?", counted from the left (MariaDB/MySQL, SQLite). It is the
	// zero value.
	Question Placeholder = iota
	// Dollar is "$1", "$2", … (PostgreSQL). A "?" that reaches such a server is
	// an operator.
	Dollar
)

// Syntax says how one database's SQL text is cut into tokens, and which
// statements it has beyond the common ones. Every field is a feature; no code
// in this package asks for the database's name. The zero Syntax is standard
// SQL with "?" placeholders.
//
// A Syntax is a small value: copy it and change fields to describe a session
// whose settings are known.
type Syntax struct {
	// BackslashEscapes makes a backslash escape the next character of an
	// ordinary string (MySQL 8.4, 11.1.1 "String Literals", unless sql_mode has
	// NO_BACKSLASH_ESCAPES; PostgreSQL 4.1.2.1 with
	// standard_conforming_strings = off).
	BackslashEscapes bool
	// SessionBackslash says that a setting of the session may turn
	// BackslashEscapes round. CheckWhere then accepts only what is safe under
	// both readings. Clear it where the setting has been read.
	SessionBackslash bool
	// DoubleQuoteString makes "…" a string instead of an identifier (MySQL
	// without ANSI_QUOTES).
	DoubleQuoteString bool
	// SessionDoubleQuote says that a setting of the session may turn
	// DoubleQuoteString round, as SessionBackslash does for backslashes.
	SessionDoubleQuote bool
	// EString has E'…' strings with backslash escapes and U&'…' strings and
	// U&"…" identifiers without them (PostgreSQL 4.1.2.2, 4.1.2.3).
	EString bool
	// DollarQuotes has $$…$$ and $tag$…$tag$ strings (PostgreSQL 4.1.2.4).
	DollarQuotes bool

	// BacktickIdent has `…` identifiers (MySQL 11.2; SQLite for compatibility).
	BacktickIdent bool
	// BracketIdent has […] identifiers (SQLite). Without it brackets are
	// punctuation, as in PostgreSQL's arrays.
	BracketIdent bool
	// DigitIdent lets an identifier begin with a digit or with $ (MySQL 11.2).
	DigitIdent bool
	// BOMSpace makes U+FEFF between tokens a space (SQLite's tokenize.c).
	BOMSpace bool

	// NestedComments lets /* … */ contain itself (PostgreSQL 4.1.5).
	NestedComments bool
	// HashComments has comments from # to the end of the line (MySQL 11.7).
	HashComments bool
	// DashDashNeedsSpace makes -- a comment only before a space, a control
	// character or the end of the text (MySQL 1.7.2.4).
	DashDashNeedsSpace bool
	// CREndsComment lets a carriage return end a line comment, as a line feed
	// does (PostgreSQL's scan.l).
	CREndsComment bool
	// ExecutableComments makes the inside of /*! … */ and /*M! … */ code
	// (MySQL 11.7; MariaDB "Comment Syntax").
	ExecutableComments bool

	// Placeholder is the spelling that Rebind produces.
	Placeholder Placeholder
	// Slices has a colon between operands, in a[1:2] and JSON_OBJECT('k':v)
	// (PostgreSQL 8.15.3, 9.16), so that not every :name is a placeholder.
	Slices bool
	// NamedParams has ?NNN, :name, @name and $name (SQLite "Parameters").
	NamedParams bool
	// AtVariables has @name for a variable of the session and @@name for a
	// setting of the server (MySQL 11.4).
	AtVariables bool

	// ImplicitCommit says that DDL and administrative statements commit the
	// open transaction (MySQL 15.3.3).
	ImplicitCommit bool
	// ReplaceVerb has the statement REPLACE INTO (MySQL, SQLite).
	ReplaceVerb bool
	// ConflictClause has INSERT OR REPLACE and UPDATE OR IGNORE (SQLite).
	ConflictClause bool
	// OnlyTable has ONLY before and * after a table's name (PostgreSQL).
	OnlyTable bool
	// PriorityWords has LOW_PRIORITY, QUICK, IGNORE, … after the verb, an
	// optional INTO, LOAD DATA, and UPDATE and DELETE of many tables (MySQL
	// 15.2).
	PriorityWords bool
}

// Postgres is the syntax of PostgreSQL with standard_conforming_strings = on,
// the default since 9.1.
var Postgres = Syntax{
	SessionBackslash: true,
	EString:          true,
	DollarQuotes:     true,
	NestedComments:   true,
	CREndsComment:    true,
	Placeholder:      Dollar,
	Slices:           true,
	OnlyTable:        true,
}

// MySQL is the syntax of MariaDB and MySQL under their default sql_mode.
var MySQL = Syntax{
	BackslashEscapes:   true,
	SessionBackslash:   true,
	DoubleQuoteString:  true,
	SessionDoubleQuote: true,
	BacktickIdent:      true,
	DigitIdent:         true,
	HashComments:       true,
	DashDashNeedsSpace: true,
	ExecutableComments: true,
	AtVariables:        true,
	ImplicitCommit:     true,
	ReplaceVerb:        true,
	PriorityWords:      true,
}

// SQLite is the syntax of SQLite 3.
var SQLite = Syntax{
	BacktickIdent:  true,
	BracketIdent:   true,
	BOMSpace:       true,
	NamedParams:    true,
	ReplaceVerb:    true,
	ConflictClause: true,
}

// sessions calls f with each reading that the session's settings may give to
// the text besides s itself, until f returns false.
func (s Syntax) sessions(f func(Syntax) bool) {
	back, quote := s.SessionBackslash, s.SessionDoubleQuote
	s.SessionBackslash, s.SessionDoubleQuote = false, false
	b, q := s, s
	b.BackslashEscapes = !s.BackslashEscapes
	q.DoubleQuoteString = !s.DoubleQuoteString
	both := b
	both.DoubleQuoteString = q.DoubleQuoteString
	if back && !f(b) {
		return
	}
	if quote && !f(q) {
		return
	}
	if back && quote {
		f(both)
	}
}
