package dialect

import "strings"

// TwoPhase is how a database prepares a transaction: it ends the work and keeps it, with its locks and also over a restart, until somebody
// commits it or rolls it back by name. The zero value is a database that cannot.
//
// {name} in a statement stands for the name, of at most 64 letters, digits and colons.
type TwoPhase struct {
	// Prepare are the statements that prepare the open transaction, in order.
	Prepare []string
	// Abandon are those that roll back one that is not prepared. Only the error of the last one counts.
	Abandon []string
	// Commit and Rollback end a prepared transaction, from any session; where the session that has prepared it is still connected, MariaDB
	// lets no other.
	Commit, Rollback string
	// Missing is the code of their error where there is no such transaction, or, on MariaDB, another session has it.
	Missing string
	// Prepared is a query for the prepared transactions that can be ended from here: the kind of name, the lengths of its two parts, and the
	// name. Those with the kind 1 and an empty second part can be drover's.
	Prepared string
	// Site is a query for what tells the database from all others, the same for everybody who asks; whether nothing can be written (1);
	// and how many transactions can be prepared at a time, 0 where none can.
	Site string
	// Limit is the setting that bounds how many, and whose change needs a restart.
	Limit string

	// DecisionTable defines the table that the decisions are kept in. It can be run twice.
	DecisionTable string
	// Durable is a condition that holds, and makes the statement's commit wait until it survives a crash, also in a session whose commits do
	// not; "" where a session cannot choose.
	Durable string
	// DecisionAge is the SQL of a decision's age in seconds.
	DecisionAge string
}

// Possible reports whether the database can prepare transactions at all.
func (p TwoPhase) Possible() bool { return p.Commit != "" }

// Named puts a name into a statement.
func Named(statement, name string) string { return strings.ReplaceAll(statement, "{name}", name) }
