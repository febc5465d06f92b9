// Package sqltext reads the text of SQL statements without parsing their
// grammar. It knows how PostgreSQL, MariaDB/MySQL and SQLite cut text into
// tokens, and builds on that the few questions drover has to ask about text
// that it did not write itself:
//
//   - may this condition be put in parentheses and placed in a DELETE?
//     ([CheckWhere], and [CheckCondition] where it comes with arguments)
//   - where are the placeholders, and how does this database spell them?
//     ([Rebind]; before it [Named] for :name, and [Expand] for lists in IN (?))
//   - would this statement begin, end or silently commit a transaction?
//     ([Classify], [Statements])
//   - which table does it change? ([Target])
//
// Each takes a [Syntax], the set of features in which the databases differ:
//
//	if err := sqltext.CheckWhere(sqltext.Postgres, "age > 30"); err != nil {
//		return err
//	}
//	query, n, err := sqltext.Rebind(sqltext.Postgres, "UPDATE t SET a = ? WHERE b = ?")
//	// UPDATE t SET a = $1 WHERE b = $2, and n is 2
//
// The package is a reader, not a validator: it accepts much that a server will
// refuse. What it promises is the other direction. Where a token ends is never
// guessed to be later or earlier than the server would have it, and an answer
// that cannot be known from the text is given as "not known", "may write" or
// "refused".
//
// All functions are pure and safe for concurrent use. A query with invalid
// UTF-8 is read bytewise; only CheckWhere and CheckCondition refuse it.
//
// # Sources
//
// The rules come from the PostgreSQL manual, section 4.1 "Lexical Structure"
// (and src/backend/parser/scan.l where the manual is silent); the MySQL 8.4
// manual, chapter 11 "Language Structure" and section 15.3.3 "Statements That
// Cause an Implicit Commit", with the MariaDB pages of the same titles; and
// the SQLite documentation, "SQL Syntax" and "SQLite Keywords" (and
// src/tokenize.c where the documentation is silent).
package sqltext
