package dialect

import (
	"context"
	"fmt"
)

// Health is what a database tells of its own condition: whether it suits runs that go on for hours and must lose nothing. The methods only read.
type Health interface {
	// Oldest is the oldest version that drover is made for, of the kind of a version in words: "mariadb 10.6" for any of MariaDB.
	Oldest(version string) string
	// Settings judges the settings that matter, each in a finding of its own.
	Settings(ctx context.Context, q Queryer) (Findings, error)
	// Rights judges what the user may do with drover's own tables, or, where there is none, whether it may make them, and what else is asked of
	// the server by runs.
	Rights(ctx context.Context, q Queryer, tables []string) (Findings, error)
	// WriteProbe is a statement that fails where the database can only be read, for a block that is rolled back; "" where Rights tells enough.
	WriteProbe() string
}

// Level is how much a finding matters.
type Level int

// The levels of findings. Only a problem keeps commands from working as they should.
const (
	Fine Level = iota
	Note
	Warning
	Problem
)

// String is the level as it is written: "ok", "note", "warning", "problem".
func (l Level) String() string { return [...]string{"ok", "note", "warning", "problem"}[l] }

// Finding is one thing that was found out about a database.
type Finding struct {
	Level  Level
	Topic  string // what it is about, for machines too: "wal_level"
	Value  string // of a setting
	Text   string // one sentence without a full stop; "" for a setting that is fine
	Advice string // what to do about it, or ""
}

// Findings are findings in order.
type Findings []Finding

// Add adds a finding about something that is no setting.
func (f *Findings) Add(level Level, topic, advice, format string, args ...any) {
	*f = append(*f, Finding{Level: level, Topic: topic, Text: fmt.Sprintf(format, args...), Advice: advice})
}

// Setting adds a setting. Where text is "" it is fine.
func (f *Findings) Setting(level Level, name, value, text, advice string) {
	if text == "" {
		level, advice = Fine, ""
	}
	*f = append(*f, Finding{Level: level, Topic: name, Value: value, Text: text, Advice: advice})
}

// Values reads a query for pairs of a name and a value.
func Values(ctx context.Context, q Queryer, query string) (map[string]string, error) {
	values := map[string]string{}
	err := Each(ctx, q, query, nil, func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		values[name] = value
		return err
	})
	return values, err
}

// PrintTables is the advice where the user may not make drover's tables.
const PrintTables = "drover init --print-sql prints the statements, for somebody who may run them"

// MissingRights adds the finding about the rights on drover's own tables, each as "INSERT on drover_runs".
func MissingRights(f *Findings, missing []string) {
	if len(missing) == 0 {
		f.Add(Fine, "rights", "", "the user may read and change drover's tables")
		return
	}
	text := missing[0]
	if more := len(missing) - 1; more > 0 {
		text = fmt.Sprintf("%s, and %d more rights", text, more)
	}
	f.Add(Warning, "rights", "GRANT SELECT, INSERT, UPDATE, DELETE on drover's tables to the user", "the user lacks %s: runs cannot be kept here", text)
}
