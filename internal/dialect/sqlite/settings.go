package sqlite

import (
	"context"

	"github.com/drover-dev/drover/internal/dialect"
)

// Oldest is the version that has RETURNING.
func (Dialect) Oldest(string) string { return "sqlite 3.35" }

// Settings judges the settings of the connection, which those of the file and of the URL are.
func (Dialect) Settings(ctx context.Context, q dialect.Queryer) (f dialect.Findings, err error) {
	values := map[string]string{}
	for _, name := range []string{"journal_mode", "synchronous", "busy_timeout", "foreign_keys"} {
		found, err := dialect.Names(ctx, q, "PRAGMA "+name)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			values[name] = found[0]
		}
	}
	judge := func(level dialect.Level, name string, bad bool, text, advice string) {
		if !bad {
			text = ""
		}
		f.Setting(level, name, values[name], text, advice)
	}
	mode := values["journal_mode"]
	judge(dialect.Warning, "journal_mode", mode != "wal" && mode != "memory",
		"journal_mode is "+mode+": readers and the writer wait for each other",
		"let drover switch it to wal with the first command: the URL must not set it, and the folder must be writable")
	judge(dialect.Warning, "synchronous", values["synchronous"] == "0", "synchronous is OFF: a loss of power can destroy the file", "leave it out of the URL")
	judge(dialect.Warning, "busy_timeout", values["busy_timeout"] == "0",
		"busy_timeout is 0: a statement fails at once while another process writes", "leave it out of the URL: 5 seconds are set then")
	judge(dialect.Warning, "foreign_keys", values["foreign_keys"] == "0",
		"foreign_keys is off: foreign keys are not checked, and nothing cascades", "leave it out of the URL")
	return f, nil
}

// Rights has nothing to say: SQLite has no users.
func (Dialect) Rights(context.Context, dialect.Queryer, []string) (dialect.Findings, error) {
	return nil, nil
}

// WriteProbe makes a table: BEGIN IMMEDIATE alone succeeds also where the file can only be read.
func (Dialect) WriteProbe() string { return `CREATE TABLE "drover write probe" (id INTEGER)` }
