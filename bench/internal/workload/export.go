package workload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// exportGoal is how much longer the export may take than the database's own tool.
const exportGoal = 1.25

// exports writes a table to a CSV file with drover and with the database's own tool, each in a process of its own. What drover writes is compared with
// the file that the rows came from.
func exports(ctx context.Context, s *site) error {
	return s.withFiles(ctx, "export", func(program, dir string) error {
		origin, file := filepath.Join(dir, "origin.csv"), filepath.Join(dir, "items.csv")
		if err := s.fillFromCSV(ctx, origin, s.options.ExportRows); err != nil {
			return err
		}
		drover := func(name string, goal float64, args ...string) measure.Side {
			return measure.Side{
				Name: name, Goal: goal, Run: func(ctx context.Context, _ int) error {
					return s.drover(ctx, program, append([]string{"export", "--table", "csv_items", "--overwrite"}, args...)...)
				},
			}
		}
		whole := drover("drover export", exportGoal, file)
		whole.Check = func(context.Context) error { return sameFiles(origin, file) }
		tool := s.exportTool(filepath.Join(dir, "tool.csv"))
		return s.compare(ctx, fmt.Sprintf("export of %d rows to CSV", s.options.ExportRows), measure.Plan{Rounds: s.options.ExportRounds, Times: 1}, tool, whole,
			drover("in parts of 100,000 rows", 0, filepath.Join(dir, "parts"), "--part-rows", "100000"),
			drover("with zstd", 0, filepath.Join(dir, "items.csv.zst")),
			drover("as JSON Lines", 0, filepath.Join(dir, "items.jsonl")),
			drover("as Parquet", 0, filepath.Join(dir, "items.parquet")))
	})
}

// csvColumns are those of the table that files are written from and read into.
const csvColumns = "id, name, note, price, made, ok"

// csvTable makes the empty table.
func (s *site) csvTable(ctx context.Context, name string) error {
	columns := "(id bigint NOT NULL PRIMARY KEY, name varchar(40) NOT NULL, note text, price decimal(12,2) NOT NULL, made %s NOT NULL, ok boolean NOT NULL)"
	made := "timestamp(6)"
	if s.Name == testdb.NameMariaDB {
		made = "datetime(6)"
	}
	if s.Name == testdb.NameSQLite {
		columns = strings.Replace(columns, "bigint NOT NULL PRIMARY KEY", "INTEGER PRIMARY KEY", 1)
	}
	return s.exec(ctx, "DROP TABLE IF EXISTS "+name, "CREATE TABLE "+name+" "+fmt.Sprintf(columns, made))
}

// csvRow is the i-th row: as a line of CSV, and as a list of SQL literals.
func csvRow(i int) (line, literals string) {
	name, note, quoted := fmt.Sprintf("item %d", i), "", "NULL"
	switch i % 4 {
	case 1:
		note, quoted = `""`, "''"
	case 2:
		note = fmt.Sprintf(`"he said ""no, %d"""`, i)
		quoted = fmt.Sprintf(`'he said "no, %d"'`, i)
	case 3:
		note = fmt.Sprintf("a note on the item %d, which is some words long", i)
		quoted = "'" + note + "'"
		note = `"` + note + `"`
	}
	price := fmt.Sprintf("%d.%02d", i%10_000, i%100)
	made := fmt.Sprintf("2026-%02d-%02d %02d:%02d:%02d", i%12+1, i%28+1, i%24, i/24%60, i/7%60)
	ok, truth := "f", "false"
	if i%3 == 0 {
		ok, truth = "t", "true"
	}
	return fmt.Sprintf("%d,%s,%s,%s,%s,%s\n", i, name, note, price, made, ok),
		fmt.Sprintf("(%d,'%s',%s,%s,'%s',%s)", i, name, quoted, price, made, truth)
}

// fillFromCSV makes a CSV file with n rows, and the table csv_items with the same ones.
func (s *site) fillFromCSV(ctx context.Context, file string, n int) (err error) {
	if err := s.csvTable(ctx, "csv_items"); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	_, _ = out.WriteString(strings.ReplaceAll(csvColumns, ", ", ",") + "\n") // which Flush tells of
	tx, err := s.raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // which does nothing when it was committed
	const each = 1000
	var rows []string
	for i := 1; i <= n; i++ {
		line, literals := csvRow(i)
		_, _ = out.WriteString(line)
		rows = append(rows, literals)
		if len(rows) == each || i == n {
			if _, err := tx.ExecContext(ctx, "INSERT INTO csv_items VALUES "+strings.Join(rows, ",")); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	if err := errors.Join(out.Flush(), tx.Commit()); err != nil {
		return err
	}
	switch s.Name {
	case testdb.NamePostgres:
		return s.exec(ctx, "VACUUM ANALYZE csv_items")
	case testdb.NameMariaDB:
		return s.exec(ctx, "ANALYZE TABLE csv_items")
	}
	return s.exec(ctx, "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)")
}

// exportTool is the database's own tool.
func (s *site) exportTool(file string) measure.Side {
	query := "SELECT " + csvColumns + " FROM csv_items ORDER BY id"
	return measure.Side{
		Name: map[string]string{testdb.NamePostgres: `psql \copy`, testdb.NameMariaDB: "mariadb --batch --quick", testdb.NameSQLite: "sqlite3 -csv"}[s.Name],
		Run: func(ctx context.Context, _ int) (err error) {
			out, err := os.Create(file)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, out.Close()) }()
			cmd := s.tool(ctx, query)
			var stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = out, &stderr
			if s.Name == testdb.NamePostgres {
				cmd.Args = append(cmd.Args, `\copy (`+query+`) TO '`+file+`' (FORMAT csv, HEADER)`)
			}
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, stderr.Bytes())
			}
			return nil
		},
	}
}

// tool is the call of the database's own program. The password is no argument.
func (s *site) tool(ctx context.Context, query string) *exec.Cmd {
	u, err := url.Parse(s.URL)
	if err != nil {
		panic(err) // the harness has made it
	}
	password, _ := u.User.Password()
	database := strings.TrimPrefix(u.Path, "/")
	var cmd *exec.Cmd
	switch s.Name {
	case testdb.NamePostgres:
		cmd = exec.CommandContext(ctx, "psql", "-X", "-q", "-h", u.Hostname(), "-p", u.Port(), "-U", u.User.Username(), "-d", database, "-c")
		cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	case testdb.NameMariaDB:
		cmd = exec.CommandContext(ctx, "mariadb", "--no-defaults", "--batch", "--quick", "-h", u.Hostname(), "-P", u.Port(), "-u", u.User.Username(), "-e", query, database)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	default:
		cmd = exec.CommandContext(ctx, "sqlite3", "-csv", "-header", s.path(), query)
	}
	return cmd
}

// sameFiles makes sure that two files are the same, byte by byte.
func sameFiles(a, b string) error {
	x, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if bytes.Equal(x, y) {
		return nil
	}
	at := 0
	for at < min(len(x), len(y)) && x[at] == y[at] {
		at++
	}
	return fmt.Errorf("%s and %s differ from byte %d on: %.80q and %.80q", filepath.Base(a), filepath.Base(b), at, x[at:], y[at:])
}
