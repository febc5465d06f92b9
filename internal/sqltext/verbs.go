package sqltext

import "strings"

// verbNames has each verb that verbClass knows, so that naming one allocates
// nothing.
var verbNames = func() map[string]string {
	names := make(map[string]string)
	for name := range strings.FieldsSeq(`
		SELECT VALUES TABLE SHOW HELP CHECKSUM EXPLAIN DESCRIBE DESC PRAGMA WITH ANALYZE ANALYSE
		INSERT UPDATE DELETE REPLACE MERGE LOAD COPY CALL DO EXECUTE
		BEGIN START COMMIT END ABORT ROLLBACK XA SAVEPOINT RELEASE PREPARE
		SET RESET USE DEALLOCATE DISCARD
		ALTER CREATE DROP RENAME TRUNCATE GRANT REVOKE INSTALL UNINSTALL
		LOCK UNLOCK OPTIMIZE REPAIR CHECK CACHE FLUSH CHANGE STOP BACKUP SHUTDOWN IMPORT`) {
		names[name] = name
	}
	return names
}()

// verbName returns word in upper case.
func verbName(word string) string {
	var buf [12]byte
	if len(word) <= len(buf) {
		if name, ok := verbNames[string(upperASCII(word, buf[:]))]; ok {
			return name
		}
	}
	return strings.ToUpper(word)
}

// verbClass returns the class of the statement whose verb, in upper case, is
// the current token. It may go forward in the statement, and not beyond its end.
func (c *cursor) verbClass(verb string) Class {
	commits := Writes
	if c.l.syntax.ImplicitCommit {
		commits |= ImplicitCommit
	}
	c.next()
	switch verb {
	case "SELECT", "VALUES", "TABLE", "SHOW", "HELP", "CHECKSUM":
		return Reads
	case "EXPLAIN", "DESCRIBE", "DESC":
		return c.explainClass()
	case "PRAGMA":
		return c.pragmaClass()
	case "WITH":
		return c.withClass()
	case "BEGIN", "COMMIT", "END", "ABORT", "XA":
		return TransactionControl
	case "ROLLBACK":
		if c.takeAny("WORK", "TRANSACTION"); c.tok.word("TO") {
			return SavepointControl
		}
		return TransactionControl
	case "SAVEPOINT", "RELEASE":
		return SavepointControl
	case "START":
		if c.tok.word("TRANSACTION") {
			return TransactionControl
		}
		return commits
	case "PREPARE":
		if c.tok.word("TRANSACTION") {
			return TransactionControl
		}
		return Session
	case "SET":
		return c.setClass(commits)
	case "RESET":
		if !c.l.syntax.ImplicitCommit || c.tok.word("PERSIST") {
			return Session
		}
		return commits
	case "CALL", "DO", "EXECUTE":
		return Writes | Opaque
	case "USE", "DEALLOCATE", "DISCARD":
		return Session
	case "ANALYZE":
		if c.l.syntax.ImplicitCommit {
			return c.analyzeClass(commits)
		}
		return Writes
	case "CREATE", "DROP":
		return c.createClass(verb, commits)
	case "LOAD":
		if c.tok.word("INDEX") {
			return commits
		}
		return Writes
	case "ALTER", "RENAME", "TRUNCATE", "GRANT", "REVOKE", "INSTALL", "UNINSTALL",
		"LOCK", "UNLOCK", "OPTIMIZE", "REPAIR", "CHECK", "CACHE", "FLUSH",
		"CHANGE", "STOP", "BACKUP", "SHUTDOWN", "IMPORT":
		return commits
	}
	return Writes
}

// createClass classifies CREATE and DROP. Temporary tables are the ones that
// MySQL creates and drops without a commit; the word TEMPORARY in an executable
// comment may not be there for the server.
func (c *cursor) createClass(verb string, commits Class) Class {
	if verb == "DROP" && c.tok.word("PREPARE") {
		return Session
	}
	if c.take("OR") && !c.take("REPLACE") {
		return commits
	}
	if c.tok.word("TEMPORARY") && !c.l.inExec && c.peek().word("TABLE") {
		return Writes
	}
	return commits
}

// setClass classifies SET.
func (c *cursor) setClass(commits Class) Class {
	class := Session
	switch {
	case c.tok.word("PASSWORD") && c.l.syntax.ImplicitCommit, c.tok.word("DEFAULT") && c.peek().word("ROLE"):
		return commits
	case c.tok.word("STATEMENT") && c.l.syntax.ImplicitCommit:
		// MariaDB's SET STATEMENT variable = value, … FOR statement.
		for c.more() {
			if c.take("FOR") {
				return c.statementClass()
			}
			c.next()
		}
		return Writes
	}
	c.takeAny("LOCAL", "SESSION", "GLOBAL")
	if c.tok.word("TRANSACTION") || c.tok.word("CHARACTERISTICS") {
		return TransactionSettings
	}
	for ; c.more(); c.next() {
		if !isAutocommit(c.tok) {
			continue
		}
		if next := c.peek(); next.Kind == Operator || next.word("TO") {
			class = TransactionControl
		}
	}
	return class
}

// isAutocommit reports whether t is the variable autocommit: as a word, as
// @@autocommit, or quoted.
func isAutocommit(t Token) bool {
	switch t.Kind {
	case Word:
		return foldEqual(t.Text, "AUTOCOMMIT")
	case Param:
		return foldEqual(strings.TrimPrefix(t.Text, "@@"), "AUTOCOMMIT")
	case QuotedIdent:
		return foldEqual(strings.Trim(t.Text, "`\""), "AUTOCOMMIT")
	}
	return false
}

// explainClass classifies EXPLAIN and DESCRIBE, which run the statement where
// they are told to ANALYZE it (PostgreSQL "EXPLAIN"; MySQL 15.8.2).
func (c *cursor) explainClass() Class {
	analyze := false
	for c.more() {
		switch {
		case c.tok.word("ANALYZE"), c.tok.word("ANALYSE"):
			analyze = true
		case c.tok.is('(') && !c.beginsQuery():
			for c.more() && !c.tok.is(')') {
				analyze = analyze || c.tok.word("ANALYZE") || c.tok.word("ANALYSE")
				c.next()
			}
			if !c.more() {
				continue
			}
		case c.beginsQuery() && analyze:
			return c.statementClass()
		case c.beginsQuery():
			return Reads
		}
		c.next()
	}
	if analyze {
		return Writes
	}
	return Reads
}

// beginsQuery reports whether the current token begins a statement that can be
// explained.
func (c *cursor) beginsQuery() bool {
	t := c.tok
	if t.is('(') {
		t = c.peek()
		if t.is('(') {
			return true
		}
	}
	if t.Kind != Word {
		return false
	}
	switch verbName(t.Text) {
	case "SELECT", "VALUES", "TABLE", "WITH", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE",
		"CREATE", "EXECUTE", "DECLARE", "REFRESH":
		return true
	}
	return false
}

// analyzeClass classifies MySQL's ANALYZE TABLE, which commits, and MariaDB's
// ANALYZE in front of a statement, which runs it.
func (c *cursor) analyzeClass(commits Class) Class {
	if c.takeAny("LOCAL", "NO_WRITE_TO_BINLOG"); c.tok.word("TABLE") || c.tok.word("TABLES") {
		return commits
	}
	for c.more() {
		if c.beginsQuery() {
			return c.statementClass()
		}
		c.next()
	}
	return Writes
}

// withClass classifies WITH by the verb after the common table expressions, and
// by the verbs in them, which may write as well (PostgreSQL 7.8.4).
func (c *cursor) withClass() Class {
	verb, writes := c.skipWith()
	switch verb {
	case "SELECT", "VALUES", "TABLE":
		if !writes {
			return Reads
		}
	}
	return Writes
}

// skipWith goes from the token after WITH to the verb after the common table
// expressions and returns that, "" where it cannot be found. writes is true
// where one of the expressions begins with a verb that writes.
func (c *cursor) skipWith() (verb string, writes bool) {
	depth := 0
	for ; c.more(); c.next() {
		switch {
		case c.tok.is('('):
			depth++
			continue
		case c.tok.is(')'):
			depth--
			continue
		case c.tok.Kind != Word || !c.prev.is('(') && (depth != 0 || !c.isMainVerb()):
			continue
		}
		switch name := verbName(c.tok.Text); name {
		case "SELECT", "VALUES", "TABLE", "UPDATE", "DELETE", "MERGE", "INSERT", "REPLACE":
			if depth == 0 {
				return name, writes
			}
			if (name == "INSERT" || name == "REPLACE") && c.peek().is('(') {
				continue // the function
			}
			writes = writes || name != "SELECT" && name != "VALUES" && name != "TABLE"
		}
	}
	return "", writes
}

// isMainVerb reports whether the current token, a word, is at a place where the
// verb after common table expressions may stand, and not a name of one of them.
func (c *cursor) isMainVerb() bool {
	return !c.prev.word("WITH") && !c.prev.word("RECURSIVE") && !c.prev.is(',') && !c.prev.is('.')
}

// pragmaClass classifies PRAGMA (SQLite "PRAGMA Statements"): with a value it
// changes something, unless the value says what to report on.
func (c *cursor) pragmaClass() Class {
	var name string
	for c.more() {
		switch {
		case c.tok.Kind == Operator:
			return Writes
		case c.tok.is('('):
			for _, report := range [...]string{
				"TABLE_INFO", "TABLE_XINFO", "TABLE_LIST", "INDEX_LIST", "INDEX_INFO", "INDEX_XINFO",
				"FOREIGN_KEY_LIST", "FOREIGN_KEY_CHECK", "INTEGRITY_CHECK", "QUICK_CHECK",
			} {
				if foldEqual(name, report) {
					return Reads
				}
			}
			return Writes
		case c.tok.Kind == Word:
			name = c.tok.Text
		case c.tok.Kind != Punct:
			return Writes
		}
		c.next()
	}
	for _, action := range [...]string{"INCREMENTAL_VACUUM", "OPTIMIZE", "WAL_CHECKPOINT", "SHRINK_MEMORY"} {
		if foldEqual(name, action) {
			return Writes
		}
	}
	return Reads
}
