package dialect

import (
	"strconv"
	"strings"
	"sync"
)

// Server is what one version of a database can do beyond what all its versions can.
type Server struct {
	// InsertReturning: INSERT … RETURNING (PostgreSQL, SQLite from 3.35, MariaDB from 10.5; no MySQL).
	InsertReturning bool
	// UpdateReturning: UPDATE … RETURNING (PostgreSQL, SQLite from 3.35).
	UpdateReturning bool
	// RowLocks: SELECT … FOR UPDATE locks rows. Where it is false the writer's lock of the whole database stands for it (SQLite).
	RowLocks bool
	// SkipLocked and NoWait: FOR UPDATE SKIP LOCKED and NOWAIT.
	SkipLocked, NoWait bool
	// LockOf: FOR UPDATE OF table.
	LockOf bool
	// NoKey: FOR NO KEY UPDATE.
	NoKey bool
	// JSONTable: JSON_TABLE (MariaDB from 10.6, MySQL from 8.0.4).
	JSONTable bool
	// KeepsPrepared: a prepared transaction outlives the session that has prepared it (PostgreSQL, MariaDB from 10.5, MySQL from 5.7.7).
	KeepsPrepared bool
}

// Facts holds what was learned of one database while it was used: its server's abilities and its tables' columns. It is safe for
// concurrent use, and its zero value is ready.
type Facts struct {
	mu     sync.Mutex
	server *Server
	tables sync.Map
}

// Server returns what ask says; it is asked until it has given an answer.
func (f *Facts) Server(ask func() (Server, error)) (Server, error) {
	f.mu.Lock()
	known := f.server
	f.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	s, err := ask()
	if err != nil {
		return Server{}, err
	}
	f.mu.Lock()
	f.server = &s
	f.mu.Unlock()
	return s, nil
}

// Table returns what is known of a table, or nil.
func (f *Facts) Table(name string) any {
	known, _ := f.tables.Load(name)
	return known
}

// SetTable notes what is known of a table.
func (f *Facts) SetTable(name string, known any) { f.tables.Store(name, known) }

// ForgetTable drops what is known of a table: it was changed.
func (f *Facts) ForgetTable(name string) { f.tables.Delete(name) }

// VersionAtLeast compares the number in a version in words, "mariadb 10.11.14", with the wanted one, part by part.
func VersionAtLeast(version string, wanted ...int) bool {
	_, number, _ := strings.Cut(version, " ")
	parts := strings.Split(number, ".")
	for i, w := range wanted {
		if i >= len(parts) {
			return false
		}
		digits := parts[i]
		if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end] // of 18beta1
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n < w {
			return false
		}
		if n > w {
			return true
		}
	}
	return true
}

// VersionOlder reports whether a version in words has a lower number than another one.
func VersionOlder(version, than string) bool {
	_, number, _ := strings.Cut(than, " ")
	var wanted []int
	for part := range strings.SplitSeq(number, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return false
		}
		wanted = append(wanted, n)
	}
	return !VersionAtLeast(version, wanted...)
}
