package sqltext

import "strings"

// tableRef is a table in the FROM of MySQL's UPDATE or DELETE of many tables.
type tableRef struct{ name, alias string }

// is reports whether name refers to the table: by its alias, or where it has
// none by its name or the last part of it.
func (r tableRef) is(name string) bool {
	if r.alias != "" {
		return strings.EqualFold(r.alias, name)
	}
	if strings.EqualFold(r.name, name) {
		return true
	}
	return strings.EqualFold(r.name[strings.LastIndexByte(r.name, '.')+1:], name)
}

// resolve returns the name of the one table that name refers to.
func resolve(refs []tableRef, name string) (string, bool) {
	table := ""
	for _, r := range refs {
		if !r.is(name) {
			continue
		}
		if table != "" {
			return "", false
		}
		table = r.name
	}
	return table, table != ""
}

// resolveAll resolves names and joins the tables, each once.
func resolveAll(refs []tableRef, names []string) (string, bool) {
	var tables []string
	seen := make(map[string]bool)
	for _, name := range names {
		table, ok := resolve(refs, name)
		if !ok {
			return "", false
		}
		if !seen[table] {
			seen[table] = true
			tables = append(tables, table)
		}
	}
	return strings.Join(tables, ", "), len(tables) > 0
}

// updateMany finds the tables of MySQL's UPDATE: the one that it names, or those
// whose columns its SET changes (MySQL 15.2.17).
func (c *cursor) updateMany() (string, bool) {
	refs, ok := c.tableRefs()
	if !ok || !c.take("SET") {
		return "", false
	}
	if len(refs) == 1 && refs[0].name != "" {
		return refs[0].name, true
	}
	var owners []string
	for {
		owner, ok := c.assignment()
		if !ok {
			return "", false
		}
		owners = append(owners, owner)
		if !c.takePunct(',') {
			return resolveAll(refs, owners)
		}
	}
}

// assignment goes past "table.column = expression" and returns the table.
func (c *cursor) assignment() (string, bool) {
	var parts []string
	for {
		part, ok := identifier(c.tok)
		if !ok {
			return "", false
		}
		parts = append(parts, part)
		c.next()
		if !c.takePunct('.') {
			break
		}
	}
	if len(parts) < 2 || c.tok.Kind != Operator {
		return "", false
	}
	for c.more() && !c.tok.is(',') && !c.wordIn("WHERE", "ORDER", "LIMIT") {
		if c.tok.is('(') {
			if !c.skipGroup() {
				return "", false
			}
			continue
		}
		c.next()
	}
	return strings.Join(parts[:len(parts)-1], "."), true
}

// deleteMany finds the tables of MySQL's DELETE in its three forms (MySQL
// 15.2.2): FROM t, t1, t2 FROM refs, and FROM t1, t2 USING refs.
func (c *cursor) deleteMany() (string, bool) {
	c.take("LOW_PRIORITY")
	c.take("QUICK")
	c.take("IGNORE")
	from := c.take("FROM")
	var names []string
	for {
		name, ok := c.name()
		if !ok {
			return "", false
		}
		names = append(names, name)
		if c.takePunct('.') {
			if c.tok.Text != "*" {
				return "", false
			}
			c.next()
		}
		if !c.takePunct(',') {
			break
		}
	}
	if !from && c.take("FROM") || from && c.take("USING") {
		refs, ok := c.tableRefs()
		if !ok || c.more() && !c.wordIn("WHERE", "RETURNING") {
			return "", false
		}
		return resolveAll(refs, names)
	}
	if !from || len(names) > 1 {
		return "", false
	}
	c.alias("PARTITION", "WHERE", "ORDER", "LIMIT", "RETURNING", "FOR", "USING")
	return names[0], !c.more() || c.wordIn("PARTITION", "WHERE", "ORDER", "LIMIT", "RETURNING")
}

// tableRefs goes past the table references of a join and returns its tables. A
// subquery or a function is a tableRef without a name. It does not look into nested joins.
func (c *cursor) tableRefs() ([]tableRef, bool) {
	var refs []tableRef
	for {
		var ref tableRef
		if c.takeAny("LATERAL"); c.tok.is('(') {
			if next := c.peek(); !next.word("SELECT") && !next.word("WITH") && !next.word("VALUES") {
				return nil, false
			}
			if !c.skipGroup() {
				return nil, false
			}
		} else {
			name, ok := c.name()
			if !ok {
				return nil, false
			}
			if c.tok.is('(') { // a function that makes rows: JSON_TABLE(…)
				if !c.skipGroup() {
					return nil, false
				}
				name = ""
			}
			ref.name = name
		}
		if c.take("PARTITION") && !c.skipGroup() {
			return nil, false
		}
		ref.alias = c.alias("JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "NATURAL", "STRAIGHT_JOIN",
			"ON", "USING", "USE", "FORCE", "IGNORE", "FOR", "SET", "WHERE", "ORDER", "LIMIT", "RETURNING")
		refs = append(refs, ref)
		if !c.nextTableRef() {
			return refs, true
		}
	}
}

// nextTableRef goes past what may stand between two table references. It
// returns false at the end of the references.
func (c *cursor) nextTableRef() bool {
	for c.more() {
		switch {
		case c.tok.is('('):
			if !c.skipGroup() {
				return false
			}
			continue
		case c.wordIn("SET", "WHERE", "ORDER", "LIMIT", "RETURNING"):
			return false
		case c.takePunct(','), c.takeAny("JOIN", "STRAIGHT_JOIN"):
			return true
		}
		c.next()
	}
	return false
}
