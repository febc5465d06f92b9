package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// importGoal is how much longer the import may take than the database's own tool.
const importGoal = 1.25

// imports reads a CSV file into an empty table with drover and with the database's own tool, each in a process of its own. What drover has read is
// written to a file again, which must be the same one.
func imports(ctx context.Context, s *site) error {
	return s.withFiles(ctx, "import", func(program, dir string) error {
		origin, again, packed := filepath.Join(dir, "origin.csv"), filepath.Join(dir, "again.csv"), filepath.Join(dir, "origin.csv.zst")
		if err := s.fillFromCSV(ctx, origin, s.options.ExportRows); err != nil {
			return err
		}
		drover := func(ctx context.Context, args ...string) error {
			return s.drover(ctx, program, append([]string{args[0], "--table", "csv_items"}, args[1:]...)...)
		}
		if err := drover(ctx, "export", packed); err != nil {
			return err
		}
		empty := func(ctx context.Context) error {
			if err := s.csvTable(ctx, "csv_items"); err != nil {
				return err
			}
			if s.Name == testdb.NameSQLite {
				return s.exec(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
			}
			return nil
		}
		check := func(ctx context.Context) error {
			if err := drover(ctx, "export", again, "--overwrite"); err != nil {
				return err
			}
			return sameFiles(origin, again)
		}
		side := func(name string, goal float64, args ...string) measure.Side {
			return measure.Side{
				Name: name, Goal: goal, Prepare: empty, Check: check, Run: func(ctx context.Context, _ int) error {
					return drover(ctx, append([]string{"import", "--no-input", "--again"}, args...)...)
				},
			}
		}
		tool := s.importTool(origin)
		tool.Prepare, tool.Check = empty, s.importedAll
		full := side("drover import --upsert-on id, all rows there", 0, origin, "--upsert-on", "id")
		full.Prepare = nil
		return s.compare(ctx, fmt.Sprintf("import of %d rows of CSV", s.options.ExportRows), measure.Plan{Rounds: s.options.ExportRounds, Times: 1}, tool,
			side("drover import", importGoal, origin), side("with --batch-size 1000", 0, origin, "--batch-size", "1000"), side("of zstd", 0, packed), full)
	})
}

// importedAll counts the rows, and adds their keys up.
func (s *site) importedAll(ctx context.Context) error {
	n := int64(s.options.ExportRows)
	var count, sum int64
	integer := map[string]string{testdb.NameMariaDB: "signed", testdb.NamePostgres: "bigint", testdb.NameSQLite: "integer"}[s.Name]
	if err := s.raw.QueryRowContext(ctx, "SELECT count(*), CAST(COALESCE(sum(id), 0) AS "+integer+") FROM csv_items").Scan(&count, &sum); err != nil {
		return err
	}
	if count != n || sum != n*(n+1)/2 {
		return fmt.Errorf("%d rows are there, and their keys add up to %d", count, sum)
	}
	return nil
}

// importTool is the database's own tool.
func (s *site) importTool(file string) measure.Side {
	return measure.Side{
		Name: map[string]string{testdb.NamePostgres: `psql \copy`, testdb.NameMariaDB: "LOAD DATA LOCAL INFILE", testdb.NameSQLite: "sqlite3 .import"}[s.Name],
		Run: func(ctx context.Context, _ int) error {
			cmd := s.tool(ctx, "LOAD DATA LOCAL INFILE '"+file+"' INTO TABLE csv_items FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES "+
				"(id, name, @note, price, made, @ok) SET note = NULLIF(@note, 'NULL'), ok = @ok = 't'")
			switch s.Name {
			case testdb.NamePostgres:
				cmd.Args = append(cmd.Args, `\copy csv_items (`+csvColumns+`) FROM '`+file+`' (FORMAT csv, HEADER)`)
			case testdb.NameMariaDB:
				cmd.Args = append(cmd.Args[:len(cmd.Args)-3:len(cmd.Args)-3], append([]string{"--local-infile=1"}, cmd.Args[len(cmd.Args)-3:]...)...)
			case testdb.NameSQLite:
				cmd = exec.CommandContext(ctx, "sqlite3", s.path(), "-cmd", ".import --csv --skip 1 "+file+" csv_items", "SELECT 1")
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil || strings.Contains(strings.ToLower(out.String()), "error") {
				return errors.Join(err, fmt.Errorf("%s: %.500s", filepath.Base(cmd.Path), out.String()))
			}
			return nil
		},
	}
}
