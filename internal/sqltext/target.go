package sqltext

import "strings"

// Target returns the verb, in upper case, and the table of a text that is one
// INSERT, REPLACE, UPDATE, DELETE, LOAD DATA or LOAD XML statement, also after
// WITH. The table is as written but without its quotes, a qualified name joined
// by ".". For MySQL's UPDATE and DELETE of many tables, the tables whose rows
// change are joined by ", ", under their names, not their aliases.
//
// ok is false where that cannot be told for certain: for every other statement;
// for more than one; for text that does not end well or holds an executable
// comment; for common table expressions that write; for names with Unicode
// escapes, or with a dot, a comma or a control character in their quotes; and
// for an UPDATE of many tables whose SET leaves open to which of them a column
// belongs.
func Target(s Syntax, query string) (verb, table string, ok bool) {
	l := lexer{syntax: s, text: query}
	if !isOneStatement(l) {
		return "", "", false
	}
	c := newCursor(l)
	if c.take("WITH") {
		if _, writes := c.skipWith(); writes {
			return "", "", false
		}
	}
	switch {
	case c.take("INSERT"):
		verb = "INSERT"
		table, ok = c.insertTarget(true)
	case s.ReplaceVerb && c.take("REPLACE"):
		verb = "REPLACE"
		table, ok = c.insertTarget(false)
	case c.take("UPDATE"):
		verb = "UPDATE"
		table, ok = c.updateTarget()
	case c.take("DELETE"):
		verb = "DELETE"
		table, ok = c.deleteTarget()
	case s.PriorityWords && c.take("LOAD"):
		verb, table, ok = c.loadTarget()
	}
	if !ok {
		return "", "", false
	}
	return verb, table, true
}

// isOneStatement reports whether l has one statement that ends well, without
// executable comments and illegal characters.
func isOneStatement(l lexer) bool {
	ended := false
	for {
		t, ok := l.next()
		switch {
		case !ok:
			return true
		case t.blank() && !t.Unterminated:
			continue
		case t.Unterminated, t.Kind == ExecOpen, t.Kind == Illegal, ended:
			return false
		}
		ended = t.is(';')
	}
}

// insertTarget finds the table of INSERT and REPLACE.
func (c *cursor) insertTarget(conflict bool) (string, bool) {
	s := &c.l.syntax
	if s.PriorityWords {
		c.takeAny("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY")
		c.take("IGNORE")
	}
	if s.ConflictClause && conflict && c.take("OR") && !c.takeAny(conflictActions...) {
		return "", false
	}
	if !c.take("INTO") && !s.PriorityWords {
		return "", false
	}
	table, ok := c.name()
	// What follows shows that the name is all of it.
	if !ok || !c.tok.is('(') && !c.wordIn("VALUES", "VALUE", "SELECT", "WITH", "TABLE", "DEFAULT", "SET", "AS", "OVERRIDING", "PARTITION") {
		return "", false
	}
	return table, true
}

var conflictActions = []string{"REPLACE", "ROLLBACK", "ABORT", "FAIL", "IGNORE"}

// loadTarget finds the table of LOAD DATA and LOAD XML (MySQL 15.2.9, 15.2.10).
func (c *cursor) loadTarget() (verb, table string, ok bool) {
	switch {
	case c.take("DATA"):
		verb = "LOAD DATA"
	case c.take("XML"):
		verb = "LOAD XML"
	default:
		return "", "", false
	}
	c.takeAny("LOW_PRIORITY", "CONCURRENT")
	c.take("LOCAL")
	if !c.take("INFILE") || c.tok.Kind != String {
		return "", "", false
	}
	c.next()
	c.takeAny("REPLACE", "IGNORE")
	if !c.take("INTO") || !c.take("TABLE") {
		return "", "", false
	}
	table, ok = c.name()
	return verb, table, ok && !c.tok.is('.')
}

// updateTarget finds the tables of UPDATE.
func (c *cursor) updateTarget() (string, bool) {
	s := &c.l.syntax
	if s.PriorityWords {
		c.take("LOW_PRIORITY")
		c.take("IGNORE")
		return c.updateMany()
	}
	if s.ConflictClause && c.take("OR") && !c.takeAny(conflictActions...) {
		return "", false
	}
	table, ok := c.relation()
	if !ok {
		return "", false
	}
	c.alias("SET", "INDEXED", "NOT", "FOR")
	if c.take("NOT") && !c.tok.word("INDEXED") {
		return "", false
	}
	if c.take("INDEXED") {
		if c.take("BY") {
			c.next()
		}
	}
	return table, c.tok.word("SET")
}

// deleteTarget finds the tables of DELETE.
func (c *cursor) deleteTarget() (string, bool) {
	if c.l.syntax.PriorityWords {
		return c.deleteMany()
	}
	if !c.take("FROM") {
		return "", false
	}
	table, ok := c.relation()
	if !ok {
		return "", false
	}
	c.alias("USING", "WHERE", "RETURNING", "INDEXED", "NOT", "ORDER", "LIMIT", "FOR")
	return table, !c.more() || c.wordIn("USING", "WHERE", "RETURNING", "INDEXED", "NOT", "ORDER", "LIMIT")
}

// relation goes past a table of UPDATE or DELETE with what PostgreSQL has
// around it: ONLY t, ONLY (t), t *.
func (c *cursor) relation() (string, bool) {
	if !c.l.syntax.OnlyTable {
		return c.name()
	}
	if c.take("ONLY") {
		if c.takePunct('(') {
			table, ok := c.name()
			return table, c.takePunct(')') && ok
		}
		return c.name()
	}
	table, ok := c.name()
	if c.tok.Kind == Operator && c.tok.Text == "*" {
		c.next()
	}
	return table, ok
}

// alias goes past [AS] alias, unless what is there is one of the words that
// follow it, and returns the alias without quotes.
func (c *cursor) alias(follow ...string) string {
	if !c.take("AS") && c.wordIn(follow...) {
		return ""
	}
	if c.tok.Kind != Word && c.tok.Kind != QuotedIdent {
		return ""
	}
	alias, ok := identifier(c.tok)
	c.next()
	if !ok {
		return "\x00" // an alias that nothing refers to
	}
	return alias
}

// name goes past a table's name, of up to three parts, and returns it without
// its quotes.
func (c *cursor) name() (string, bool) {
	if c.wordIn("SELECT", "VALUES", "SET", "FROM", "WHERE", "INTO", "TABLE", "AS", "DEFAULT", "WITH", "USING", "LATERAL") {
		return "", false
	}
	name, ok := identifier(c.tok)
	if !ok {
		return "", false
	}
	c.next()
	for range 2 {
		// MySQL's DELETE t.* FROM names a table so.
		if !c.tok.is('.') || c.peek().Kind == Operator {
			break
		}
		c.next()
		part, ok := identifier(c.tok)
		if !ok {
			return "", false
		}
		name += "." + part
		c.next()
	}
	return name, true
}

// identifier returns the identifier t without its quotes, or false where t is
// none or its name would be misread in a list of names.
func identifier(t Token) (string, bool) {
	switch t.Kind {
	case Word:
		return t.Text, true
	case QuotedIdent:
		q := t.Text[:1]
		if q != `"` && q != "`" && q != "[" {
			return "", false
		}
		name := t.Text[1 : len(t.Text)-1]
		if q != "[" {
			name = strings.ReplaceAll(name, q+q, q)
		}
		misread := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '.' || r == ',' || r == 0x7f })
		return name, name != "" && !misread
	}
	return "", false
}
