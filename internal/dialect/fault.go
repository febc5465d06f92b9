package dialect

// Kind is a class of database error that callers branch on, the same on every database. A Kind is an error
// value itself, so that errors.Is(err, kind) works on any error of package db.
type Kind int

// The kinds. Unknown is the zero value: an error of no class that is told apart.
const (
	Unknown Kind = iota
	Unique
	ForeignKey
	NotNull
	Check
	Data // a value out of range, too long or of the wrong form
	Deadlock
	Serialization
	LockTimeout
	Busy // SQLite: the file is locked by another connection
	StatementTimeout
	ConnectionLost
	ReadOnly
	DiskFull
	Permission
	UndefinedTable
	UndefinedColumn
	Syntax
)

var kindText = [...]string{
	Unknown:          "database error",
	Unique:           "unique violation",
	ForeignKey:       "foreign key violation",
	NotNull:          "not null violation",
	Check:            "check violation",
	Data:             "invalid value",
	Deadlock:         "deadlock",
	Serialization:    "serialization failure",
	LockTimeout:      "lock timeout",
	Busy:             "database busy",
	StatementTimeout: "statement timeout",
	ConnectionLost:   "connection lost",
	ReadOnly:         "read-only database",
	DiskFull:         "disk full",
	Permission:       "permission denied",
	UndefinedTable:   "unknown table",
	UndefinedColumn:  "unknown column",
	Syntax:           "syntax error",
}

// Error names the kind in lower-case words.
func (k Kind) Error() string {
	if k < 0 || int(k) >= len(kindText) {
		return kindText[Unknown]
	}
	return kindText[k]
}

// Retryable reports whether running the same transaction again may succeed with nothing else changed:
// deadlock, serialization failure, lock timeout and a busy SQLite file.
func (k Kind) Retryable() bool {
	switch k {
	case Deadlock, Serialization, LockTimeout, Busy:
		return true
	}
	return false
}

// Hint advises on the kinds that have a usual remedy, and is empty for the others.
func (k Kind) Hint() string {
	switch k {
	case Busy:
		return "another program is writing to the SQLite file; run again when it is done"
	case DiskFull:
		return "free space on the database's disk and run again"
	case ConnectionLost:
		return "check that the database server is up, then run again"
	case ReadOnly:
		return "the database takes no writes (a replica, a server, a session or a file that is read-only): use the alias of one that does"
	case Permission:
		return "grant the user the right that is missing, or connect as a user who has it"
	}
	return ""
}

// Fault is what a driver's error says, in the words that all databases share. Fields that the database did
// not tell are empty.
type Fault struct {
	Kind       Kind
	Code       string // SQLSTATE on PostgreSQL, the error number on MySQL, the extended result code on SQLite
	Constraint string
	Table      string
	Column     string
}
