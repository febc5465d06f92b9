package command_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// twoPlaces are two databases, "a" and "b", with the plain drivers beside drover.
type twoPlaces struct{ a, b *bench }

func newTwoPlaces(t *testing.T, from, to string, opts ...db.OpenOption) *twoPlaces {
	t.Helper()
	return &twoPlaces{
		newBench(t, testdb.Fresh(t, from), append(opts, db.Alias("a"))...),
		newBench(t, testdb.Fresh(t, to), append(opts, db.Alias("b"))...),
	}
}

// eachTwo runs fn for every kind of database and every other, and for two of the same kind.
func eachTwo(t *testing.T, fn func(t *testing.T, p *twoPlaces)) {
	for _, from := range testdb.Names() {
		for _, to := range testdb.Names() {
			t.Run(from+" to "+to, func(t *testing.T) { fn(t, newTwoPlaces(t, from, to)) })
		}
	}
}

// ring runs fn for a pair of each kind to read from and each kind to write to.
func ring(t *testing.T, fn func(t *testing.T, p *twoPlaces)) {
	names := testdb.Names()
	for i, from := range names {
		to := names[(i+1)%len(names)]
		t.Run(from+" to "+to, func(t *testing.T) { fn(t, newTwoPlaces(t, from, to)) })
	}
}

// items makes the table items in both, with the rows 1..n in a. Of each row, grp is the last digit of its number.
func (p *twoPlaces) items(t *testing.T, n int) {
	t.Helper()
	const create = "CREATE TABLE items (id integer NOT NULL PRIMARY KEY, grp integer NOT NULL, name varchar(40) NOT NULL, price decimal(10,2))"
	p.a.exec(t, create)
	p.b.exec(t, create)
	p.a.fill(t, "items", n, func(i int) string { return fmt.Sprintf("(%d, %d, 'item %d', %d.25)", i, i%10, i, i) })
}

func (p *twoPlaces) copy(ctx context.Context, args ...string) (*drover.Result, error) {
	o := drover.CallOptions{Databases: []*db.DB{p.a.conn, p.b.conn}}
	return newApp().CallWith(ctx, o, "copy", append(copyItems(), args...)...)
}

func copyItems() []string {
	return []string{"--from", "a", "--to", "b", "--table", "items", "--no-input"}
}

func (p *twoPlaces) mustCopy(t *testing.T, args ...string) *drover.Result {
	t.Helper()
	res, err := p.copy(t.Context(), args...)
	if err != nil {
		t.Fatalf("copy %s: %v\n%s", strings.Join(args, " "), err, res.Stderr)
	}
	return res
}

// rowsOf reads items as text, in a form that all databases share.
func rowsOf(t *testing.T, raw *sql.DB, where string) (lines []string) {
	t.Helper()
	rows, err := raw.QueryContext(t.Context(), "SELECT id, grp, name, price FROM items WHERE "+where+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, grp int
		var name string
		var price float64
		if err := rows.Scan(&id, &grp, &name, &price); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%d %d %s %v", id, grp, name, price))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestCopy_BetweenAnyTwo(t *testing.T) {
	eachTwo(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, 2500)
		p.b.exec(t, "INSERT INTO items VALUES (1000001, 1, 'there before', NULL)")
		want := rowsOf(t, p.a.raw, "grp < 8")
		p.a.unchanged(t, func() {
			res := p.mustCopy(t, "--where", "grp < 8", "--batch-size", "300")
			for text, in := range map[string]string{"Copied 2,000 rows in 7 batches from a to b.": res.Stdout, "Verified   2,000 rows by number and checksum": res.Stderr} {
				if !strings.Contains(in, text) {
					t.Errorf("%q is not in:\n%s", text, in)
				}
			}
		})
		if diff := cmp.Diff(want, rowsOf(t, p.b.raw, "id < 1000000")); diff != "" {
			t.Errorf("what has arrived (-want +got):\n%s", diff)
		}
		p.b.wantCount(t, "SELECT count(*) FROM items", 2001)
		p.b.unchanged(t, func() {
			if _, err := p.copy(t.Context(), "--where", "grp < 8"); err == nil || !strings.Contains(err.Error(), "the same work was finished by run") {
				t.Errorf("copied a second time: %v", err)
			}
		})
	})
}

func TestCopy_Move(t *testing.T) {
	ring(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, 1200)
		moved, kept := rowsOf(t, p.a.raw, "grp < 8"), rowsOf(t, p.a.raw, "grp >= 8")
		res := p.mustCopy(t, "--where", "grp < 8", "--batch-size", "200", "--move")
		if !strings.Contains(res.Stdout, "Moved 960 rows in 5 batches from a to b.") || !strings.Contains(res.Stderr, "Deleted    960 rows from a") {
			t.Errorf("output:\n%s%s", res.Stdout, res.Stderr)
		}
		if diff := cmp.Diff(moved, rowsOf(t, p.b.raw, "1 = 1")); diff != "" {
			t.Errorf("b (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(kept, rowsOf(t, p.a.raw, "1 = 1")); diff != "" {
			t.Errorf("a (-want +got):\n%s", diff)
		}
		res = p.mustCopy(t, "--where", "grp < 8", "--move") // there is nothing left
		if !strings.Contains(res.Stdout+res.Stderr, "Nothing to move: no rows of ") {
			t.Errorf("output:\n%s%s", res.Stdout, res.Stderr)
		}
	})
}

// TestCopy_Workers copies with several workers, and a limit.
func TestCopy_Workers(t *testing.T) {
	for _, to := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(to, func(t *testing.T) {
			p := newTwoPlaces(t, testdb.NameSQLite, to)
			p.items(t, 3000)
			p.mustCopy(t, "--workers", "4", "--batch-size", "100", "--limit", "2200", "--move")
			if got := rowsOf(t, p.b.raw, "1 = 1"); len(got) != 2200 {
				t.Errorf("%d rows have arrived, want 2,200", len(got))
			}
			p.a.wantCount(t, "SELECT count(*) FROM items WHERE id <= 2200", 0)
			p.a.wantCount(t, "SELECT count(*) FROM items", 800)
		})
	}
}

// TestCopy_DryRunsChangeNothing looks at both databases after each kind of dry run.
func TestCopy_DryRunsChangeNothing(t *testing.T) {
	ring(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, 500)
		for args, want := range map[string]string{
			"--dry-run":                       "Would move 500 rows in 1 batch from a to b.",
			"--dry-run=rollback":              "500 rows",
			"--check":                         "",
			"--dry-run --json":                `"type":"plan"`,
			"--dry-run=rollback --sample 0":   "500 inserted",
			"--dry-run --where id>900 --move": "Nothing to move",
		} {
			p.a.unchanged(t, func() {
				p.b.unchanged(t, func() {
					res, err := p.copy(t.Context(), append(strings.Fields(args), "--move")...)
					if (args == "--check") != (drover.ExitCode(err) == drover.ExitFailed) || args != "--check" && err != nil {
						t.Errorf("%s: %v", args, err)
					}
					if !strings.Contains(res.Stdout+res.Stderr, want) {
						t.Errorf("%s: %q is not in:\n%s%s", args, want, res.Stdout, res.Stderr)
					}
				})
			})
		}
	})
}

// spoils makes a database change the name of the row 7 when it is inserted.
func (b *bench) spoils(t *testing.T) {
	t.Helper()
	switch b.Name {
	case testdb.NamePostgres:
		b.exec(t, `CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 7 THEN NEW.name = ''spoilt''; END IF; RETURN NEW; END'`,
			`CREATE TRIGGER spoil BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION spoil()`)
	case testdb.NameMariaDB:
		b.exec(t, `CREATE TRIGGER spoil BEFORE INSERT ON items FOR EACH ROW SET NEW.name = IF(NEW.id = 7, 'spoilt', NEW.name)`)
	case testdb.NameSQLite:
		b.exec(t, `CREATE TRIGGER spoil AFTER INSERT ON items WHEN NEW.id = 7 BEGIN UPDATE items SET name = 'spoilt' WHERE id = 7; END`)
	}
}

// TestCopy_WhatHasArrivedOtherwiseIsNotDeleted lets a trigger of the other database change a row.
func TestCopy_WhatHasArrivedOtherwiseIsNotDeleted(t *testing.T) {
	ring(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, 100)
		p.b.spoils(t)
		_, err := p.copy(t.Context(), "--move", "--batch-size", "30")
		for _, want := range []string{"at id 7: not verified: column name differs", "copy: 100 of 100 rows, verify: 0 of 100 rows"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in the error: %v", want, err)
			}
		}
		p.a.wantCount(t, "SELECT count(*) FROM items", 100)

		res, err := p.copy(t.Context(), "--move", "--batch-size", "30", "--max-errors", "5") // the same run goes on
		if drover.ExitCode(err) != drover.ExitPartial || strings.Contains(hintsOf(err), "runs retry") || !strings.Contains(hintsOf(err), "--move --batch-size 30 --overwrite    writes") {
			t.Errorf("error %v, hints %s\n%s", err, hintsOf(err), res.Stderr)
		}
		p.a.wantCount(t, "SELECT count(*) FROM items", 1)
		p.a.wantCount(t, "SELECT count(*) FROM items WHERE id = 7", 1)
		p.b.wantCount(t, "SELECT count(*) FROM items", 100)
	})
}

// TestCopy_ARowThatIsChangedMeanwhileStays changes a row of the first database after it was verified, and adds one that was not copied.
func TestCopy_ARowThatIsChangedMeanwhileStays(t *testing.T) {
	for _, from := range testdb.Names() {
		t.Run(from, func(t *testing.T) {
			var p *twoPlaces
			var once sync.Once
			meanwhile := func(ctx context.Context, s db.Statement, next func(context.Context) error) error {
				if strings.Contains(s.SQL, `drover_runs`) && strings.Contains(s.SQL, "phase") && strings.HasPrefix(s.SQL, "UPDATE") && slices.Contains(plainArgs(s.Args), "2") {
					once.Do(func() {
						p.a.exec(t, "UPDATE items SET name = 'new' WHERE id = 5", "INSERT INTO items VALUES (1000, 0, 'late', 1)", "DELETE FROM items WHERE id = 6",
							"INSERT INTO items VALUES (0, 0, 'behind the walk', 1)")
					})
				}
				return next(ctx)
			}
			p = newTwoPlaces(t, from, testdb.NameSQLite, db.Intercept(meanwhile))
			p.items(t, 20)
			_, err := p.copy(t.Context(), "--move", "--max-errors", "2")
			if drover.ExitCode(err) != drover.ExitPartial {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff([]string{"0 0 behind the walk 1", "5 5 new 5.25", "1000 0 late 1"}, rowsOf(t, p.a.raw, "1 = 1")); diff != "" {
				t.Errorf("a (-want +got):\n%s", diff)
			}
			p.b.wantCount(t, "SELECT count(*) FROM items", 20)
			p.b.wantCount(t, "SELECT count(*) FROM items WHERE name = 'item 5'", 1)
		})
	}
}

func plainArgs(args []any) (texts []string) {
	for _, a := range args {
		texts = append(texts, fmt.Sprint(a))
	}
	return texts
}

// TestCopy_Overwrite brings the other table in line, which has other rows of these keys, the same, and none.
func TestCopy_Overwrite(t *testing.T) {
	ring(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, 50)
		p.b.exec(t, "INSERT INTO items VALUES (3, 3, 'item 3', 3.25), (4, 4, 'old', NULL), (99, 9, 'its own', 1)")
		_, err := p.copy(t.Context())
		if err == nil || db.KindOf(err) != db.ErrUnique || !strings.Contains(hintsOf(err), "drover copy --from a --to b --table items --no-input --overwrite    writes the rows of a over those of b") {
			t.Errorf("error %v, hints %s", err, hintsOf(err))
		}
		p.mustCopy(t, "--overwrite")
		if diff := cmp.Diff(rowsOf(t, p.a.raw, "1 = 1"), rowsOf(t, p.b.raw, "id < 99")); diff != "" {
			t.Errorf("b (-want +got):\n%s", diff)
		}
		p.b.wantCount(t, "SELECT count(*) FROM items WHERE name = 'its own'", 1)
	})
}

// TestCopy_Undo takes the rows away again that have arrived, and restores those that were written over, also after a run in two attempts and with several
// workers. Rows that were changed since stay.
func TestCopy_Undo(t *testing.T) {
	eachTwo(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, 200)
		p.b.exec(t, "INSERT INTO items VALUES (3, 3, 'item 3', 3.25), (4, 4, 'old', 0), (999, 9, 'its own', 1)")
		before := rowsOf(t, p.b.raw, "1 = 1")
		undo := func(want int) {
			t.Helper()
			o := drover.CallOptions{Databases: []*db.DB{p.a.conn, p.b.conn}}
			if res, err := newApp().CallWith(t.Context(), o, "undo", p.b.latestRun(t), "--database", "b", "--no-input"); drover.ExitCode(err) != want {
				t.Errorf("undo: %v\n%s", err, res.Stderr)
			}
		}
		same := func(what string) {
			t.Helper()
			if diff := cmp.Diff(before, rowsOf(t, p.b.raw, "1 = 1")); diff != "" {
				t.Errorf("%s (-before +undone):\n%s", what, diff)
			}
		}
		p.a.unchanged(t, func() {
			p.mustCopy(t, "--undo", "--where", "id > 100", "--batch-size", "30")
			p.b.wantCount(t, "SELECT count(*) FROM items", 103)
			undo(drover.ExitOK)
			same("a copy")
			p.mustCopy(t, "--undo", "--overwrite", "--batch-size", "30")
			p.b.wantCount(t, "SELECT count(*) FROM items WHERE name = 'item 4'", 1)
			undo(drover.ExitOK)
			same("a copy over rows")
		})

		begun := []string{"--undo", "--where", "id > 150", "--batch-size", "10"}
		if _, err := p.copy(t.Context(), append(begun, "--rows-per-second", "10", "--time-limit", "1ms")...); drover.ExitCode(err) != drover.ExitAgain {
			t.Fatalf("it has not stopped: %v", err)
		}
		if _, err := p.copy(t.Context(), begun[1:]...); drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(err.Error(), "was begun with --undo") {
			t.Errorf("gone on with without --undo: %v", err)
		}
		p.mustCopy(t, append(begun, "--rows-per-second", "0")...)
		p.b.exec(t, "UPDATE items SET name = 'mine' WHERE id = 160")
		undo(drover.ExitPartial)
		p.b.wantCount(t, "SELECT count(*) FROM items WHERE id BETWEEN 151 AND 200", 1)
		p.b.exec(t, "DELETE FROM items WHERE name = 'mine'")
		same("a copy in two attempts")
	})
}

func hintsOf(err error) string {
	if e, ok := errors.AsType[*drover.CommandError](err); ok {
		return strings.Join(e.Advice, "\n")
	}
	return ""
}

// TestCopy_Refusals gives what cannot be copied. Both databases stay as they are.
func TestCopy_Refusals(t *testing.T) {
	p := newTwoPlaces(t, testdb.NamePostgres, testdb.NameMariaDB)
	p.items(t, 10)
	p.a.exec(t, "CREATE TABLE keyless (a int)", "CREATE TABLE lists (id int PRIMARY KEY, v int[])", "CREATE TABLE only_here (id int PRIMARY KEY)", "CREATE VIEW seen AS SELECT * FROM items",
		"CREATE TABLE other_key (id int PRIMARY KEY, v int NOT NULL)")
	p.b.exec(t, "CREATE TABLE lists (id int PRIMARY KEY, v longtext)", "CREATE TABLE keyless (a int)", "CREATE TABLE other_key (id int NOT NULL, v int PRIMARY KEY)",
		"CREATE TABLE untransacted (id int PRIMARY KEY, grp int, name varchar(40), price decimal(10,2)) ENGINE=MyISAM")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"--table nothing", drover.ExitUsage, `no table "nothing" in database "a"`},
		{"--table only_here", drover.ExitUsage, `no table "only_here" in database "b"`},
		{"--table seen", drover.ExitUsage, "is a view"},
		{"--table keyless", drover.ExitUsage, "has no primary key"},
		{"--table lists", drover.ExitRefused, "do not fit into"},
		{"--table other_key", drover.ExitRefused, "has no key of the columns id"},
		{"--to-table untransacted", drover.ExitRefused, "has no transactions"},
		{"--columns id,nom", drover.ExitRefused, "do not fit into"},
		{"--columns=", drover.ExitUsage, "--columns is empty"},
		{"--where=", drover.ExitUsage, "--where is empty"},
		{"--where grop<3", drover.ExitUsage, `has no column "grop"`},
		{"--where id<3;", drover.ExitUsage, "--where"},
		{"--to a", drover.ExitUsage, "--from and --to are the same database"},
		{"--from c", drover.ExitUsage, `"c"`},
		{"--to c", drover.ExitUsage, `"c"`},
		{"--table=", drover.ExitUsage, "--table is empty"},
		{"--batch-size 0", drover.ExitUsage, "--batch-size"},
		{"--retry 01ABC", drover.ExitUsage, "are not tried again one by one"},
		{"--undo --move", drover.ExitUsage, "--undo does not go with --move"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			p.a.unchanged(t, func() {
				p.b.unchanged(t, func() {
					res, err := p.copy(t.Context(), strings.Fields(tt.args)...)
					if err == nil || drover.ExitCode(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
						t.Errorf("exit code %d, error %v\nwant %d, %q\n%s", drover.ExitCode(err), err, tt.code, tt.want, res.Stderr)
					}
				})
			})
		})
	}
}

// TestCopy_JSON reads the plan and the summary.
func TestCopy_JSON(t *testing.T) {
	p := newTwoPlaces(t, testdb.NameMariaDB, testdb.NamePostgres)
	p.items(t, 30)
	res := p.mustCopy(t, "--json", "--move", "--batch-size", "10")
	lines := strings.Split(strings.TrimSpace(res.Stdout), "\n")
	var summary struct {
		Type, Status string
		Phases       []struct {
			Name          string
			Done, Batches int64
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", summary); got != "{Type:summary Status:succeeded Phases:[{Name:copy Done:30 Batches:3} {Name:verify Done:30 Batches:3} {Name:delete Done:30 Batches:3}]}" {
		t.Errorf("summary %s", got)
	}
}

// TestCopy_KeepsPasswords copies between databases that are given by their URLs.
func TestCopy_KeepsPasswords(t *testing.T) {
	p := newTwoPlaces(t, testdb.NamePostgres, testdb.NameMariaDB)
	p.items(t, 10)
	res, err := newApp().CallWith(t.Context(), drover.CallOptions{Environ: []string{}}, "copy", "--from", p.a.URL, "--to", p.b.URL, "--table", "items", "--no-input", "-v", "3")
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
	stored := p.b.Dump(t)
	for what, text := range map[string]string{"the output": res.Stdout + res.Stderr, "the database": stored} {
		if strings.Contains(text, testdb.Password) {
			t.Errorf("%s has the password", what)
		}
	}
	if !strings.Contains(stored, "--from") || !strings.Contains(stored, "URL") {
		t.Error("the run does not know its command line")
	}
}
