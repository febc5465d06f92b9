package drover_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// open opens a database for the length of a test.
func open(t *testing.T, url string, opts ...db.OpenOption) *db.DB {
	t.Helper()
	conn, err := db.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

var errInner = errors.New("inner")

// changing prepares tables and gives a program with commands that change them in every way a dry run must undo.
func changing(t *testing.T, d testdb.Database) *drover.App {
	t.Helper()
	raw := d.RawDB(t)
	for _, stmt := range []string{
		"CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL)",
		"CREATE TABLE logs (id INT PRIMARY KEY, text VARCHAR(40) NOT NULL)",
		"INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')",
	} {
		if _, err := raw.ExecContext(t.Context(), stmt); err != nil {
			t.Fatal(err)
		}
	}
	all := drover.Options{DryRun: true, Check: true}
	app := appOf(
		&drover.Command{Name: "change", Options: all, Run: change},
		&drover.Command{Name: "idle", Options: all, Run: func(context.Context, *drover.Call) error { return nil }},
		&drover.Command{Name: "fail", Options: all, Run: func(ctx context.Context, c *drover.Call) error {
			if err := c.DB().Exec(ctx, "DELETE FROM items"); err != nil {
				return err
			}
			return drover.Errorf("rows are sticky")
		}},
		&drover.Command{Name: "panic", Options: all, Run: func(ctx context.Context, c *drover.Call) error {
			if err := c.DB().Exec(ctx, "DELETE FROM items"); err != nil {
				return err
			}
			panic("rows are sticky")
		}},
		&drover.Command{Name: "astray", Options: all, Run: func(ctx context.Context, c *drover.Call) error {
			return c.DB().Exec(context.WithoutCancel(context.Background()), "DELETE FROM items")
		}},
		&drover.Command{Name: "other", Options: all, Run: func(ctx context.Context, c *drover.Call) error {
			_, err := c.Database(ctx, "other")
			return err
		}},
	)
	return app
}

// change inserts, updates and deletes, nests blocks, loses one of them, and registers hooks.
func change(ctx context.Context, c *drover.Call) error {
	conn := c.DB()
	err := conn.Atomic(ctx, func(ctx context.Context) error {
		for _, stmt := range []string{
			"INSERT INTO items VALUES (4, 'd'), (5, 'e')",
			"UPDATE items SET name = 'changed' WHERE id IN (1, 2)",
		} {
			if err := conn.Exec(ctx, stmt); err != nil {
				return err
			}
		}
		err := conn.Atomic(ctx, func(ctx context.Context) error {
			if err := conn.OnCommit(ctx, func(context.Context) error { return errors.New("must not run") }, db.Named("lost")); err != nil {
				return err
			}
			if err := conn.Exec(ctx, "DELETE FROM items"); err != nil {
				return err
			}
			return errInner
		})
		if !errors.Is(err, errInner) {
			return err
		}
		return conn.OnCommit(ctx, func(context.Context) error { return errors.New("must not run") }, db.Named("send mail"))
	}, db.Durable())
	if err != nil {
		return err
	}
	ctx, tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if err := conn.Exec(ctx, "DELETE FROM items WHERE id = 3"); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	if err := conn.Exec(ctx, "INSERT INTO logs VALUES (1, 'done')"); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	c.Detail(2, "a detail")
	c.Success("Changed %d rows", 6)
	return nil
}

func TestDryRun_LeavesTheDatabaseAsItWas(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		app := changing(t, d)
		env := drover.Env{Environ: []string{"DATABASE_URL=" + d.URL, "DATABASE_URL_OTHER=" + testdb.SQLite(t)}}
		before := d.Dump(t)
		for _, tt := range []struct {
			command string
			code    int
			says    []string
		}{
			{"change", 0, []string{"Would change 6 rows\n", "items ", "logs ", "1 hook would run", "1. send mail\n"}},
			{"idle", 0, []string{"Would change no rows on default. Nothing was changed.\n"}},
			{"fail", 1, []string{"rows are sticky"}},
			{"panic", 1, []string{"rows are sticky"}},
			{"astray", 1, []string{"Error:"}},
			{"other", 1, []string{"this dry run does not cover database \"other\""}},
		} {
			got := shell(t, app, env, tt.command, "--dry-run")
			if got.code != tt.code {
				t.Errorf("%s: %+v", tt.command, got)
			}
			for _, text := range tt.says {
				if !strings.Contains(got.stdout+got.stderr, text) {
					t.Errorf("%s: lacks %q: %+v", tt.command, text, got)
				}
			}
			if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
				t.Errorf("%s --dry-run has changed the database (-before +after):\n%s", tt.command, diff)
			}
		}
	})
}

func TestDryRun_JSONAndPreviews(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		app := changing(t, d)
		res, err := app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{open(t, d.URL)}}, "change", "--dry-run", "--json")
		if err != nil {
			t.Fatal(err)
		}
		preview := res.Previews["default"]
		if preview == nil {
			t.Fatalf("no preview: %+v", res)
		}
		want := map[string][3]int64{"items": {2, 2, 1}, "logs": {1, 0, 0}}
		got := make(map[string][3]int64)
		for _, table := range preview.Tables {
			got[strings.TrimPrefix(table.Table, "public.")] = [3]int64{table.Inserted, table.Updated, table.Deleted}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if !strings.Contains(res.Stdout, `"type":"dry_run"`) || !strings.Contains(res.Stdout, `"hooks":["send mail"]`) {
			t.Errorf("stdout: %s", res.Stdout)
		}
	})
}

func TestDryRun_CoversDeclaredDatabases(t *testing.T) {
	first, second := testdb.Fresh(t, "sqlite"), testdb.Fresh(t, "sqlite")
	for _, d := range []testdb.Database{first, second} {
		if _, err := d.RawDB(t).ExecContext(t.Context(), "CREATE TABLE t (id INTEGER PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
	}
	app := appOf(&drover.Command{
		Name: "copy", Options: drover.Options{DryRun: true}, Databases: func() []string { return []string{"other"} },
		Run: func(ctx context.Context, c *drover.Call) error {
			other, err := c.Database(ctx, "other")
			if err != nil {
				return err
			}
			return errors.Join(
				c.DB().Exec(ctx, "INSERT INTO t VALUES (1)"),
				other.Exec(ctx, "INSERT INTO t VALUES (1), (2)"),
			)
		},
	})
	env := drover.Env{Environ: []string{"DATABASE_URL=" + first.URL, "DATABASE_URL_OTHER=" + second.URL}}
	before := first.Dump(t) + second.Dump(t)
	got := shell(t, app, env, "copy", "--dry-run")
	if got.code != 0 || !strings.HasSuffix(got.stdout, "Would insert 3 rows in 2 tables on default, other. Nothing was changed.\n") {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(before, first.Dump(t)+second.Dump(t)); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
	if got := shell(t, app, env, "copy"); got.code != 0 || before == first.Dump(t)+second.Dump(t) {
		t.Errorf("the real run must change something: %+v", got)
	}
}

func TestDryRun_CoversCalledCommands(t *testing.T) {
	d := testdb.Fresh(t, "sqlite")
	other := testdb.Fresh(t, "sqlite")
	app := changing(t, d)
	app.Add(
		&drover.Command{Name: "outer", Options: drover.Options{DryRun: true}, Run: func(ctx context.Context, c *drover.Call) error {
			res, err := app.Call(ctx, "change")
			if err == nil && !strings.Contains(res.Stdout, "Would change 6 rows") {
				t.Errorf("the called command does not know that it is dry: %+v", res)
			}
			return err
		}},
		&drover.Command{Name: "escape", Options: drover.Options{DryRun: true}, Run: func(ctx context.Context, c *drover.Call) error {
			_, err := app.Call(ctx, "change", "--database", "other")
			return err
		}},
		&drover.Command{Name: "planner", Options: drover.Options{DryRun: true, PlanOnly: true}, Run: func(ctx context.Context, c *drover.Call) error {
			_, err := app.Call(ctx, "change")
			return err
		}},
		&drover.Command{Name: "careless", Options: drover.Options{DryRun: true, PlanOnly: true}, Run: func(ctx context.Context, c *drover.Call) error {
			_, err := app.Call(ctx, "wet")
			return err
		}},
		&drover.Command{Name: "wet", Run: func(ctx context.Context, c *drover.Call) error { return c.DB().Exec(ctx, "DELETE FROM items") }},
	)
	env := drover.Env{Environ: []string{"DATABASE_URL=" + d.URL, "DATABASE_URL_OTHER=" + other.URL}}
	before := d.Dump(t)
	for command, code := range map[string]int{"outer": 0, "escape": 1, "planner": 0, "careless": 1} {
		if got := shell(t, app, env, command, "--dry-run"); got.code != code {
			t.Errorf("%s: %+v", command, got)
		}
		if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
			t.Errorf("%s --dry-run has changed the database (-before +after):\n%s", command, diff)
		}
	}
}

func TestDryRun_SkipsTheConfirmation(t *testing.T) {
	got := shell(t, destructive(318240, ""), drover.Env{}, "purge", "--dry-run")
	if got.code != 0 || !strings.Contains(got.stderr, "Would ask: Type \"yes\"") || !strings.HasPrefix(got.stdout, "Would delete 318,240 rows\n") {
		t.Errorf("got %+v", got)
	}
}
