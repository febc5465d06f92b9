package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/testdb"
)

// backfill runs drover backfill.
func (b *bench) backfill(t *testing.T, args ...string) (*drover.Result, error) {
	t.Helper()
	return b.command(t.Context(), drover.CallOptions{}, "backfill", args...)
}

func (b *bench) mustBackfill(t *testing.T, args ...string) *drover.Result {
	t.Helper()
	res, err := b.backfill(t, args...)
	if err != nil {
		t.Fatalf("backfill %s: %v\n%s", strings.Join(args, " "), err, res.Stderr)
	}
	return res
}

// goods makes a table with the rows 1..n: key declares its key, and row is the key of a row, with # for its number and % for a number that others
// have as well.
func (b *bench) goods(t *testing.T, key, row string, n int) {
	t.Helper()
	b.exec(t, `CREATE TABLE goods (price integer, name varchar(40), hits integer NOT NULL, `+key+`)`)
	b.fill(t, "goods", n, func(i int) string {
		return fmt.Sprintf("(%d, 'N%d', 0, %s)", i, i%5, strings.NewReplacer("#", fmt.Sprint(i), "%", fmt.Sprint(i%7)).Replace(row))
	})
}

const (
	goodsKey = "id integer NOT NULL, PRIMARY KEY (id)"
	goodsRow = "#"
)

func TestBackfill_SetsEveryRowOnce(t *testing.T) {
	keys := []struct{ name, columns, row string }{
		{"number", goodsKey, goodsRow},
		{"text", "id varchar(20) NOT NULL, PRIMARY KEY (id)", "'k#'"},
		{"composite", "a integer NOT NULL, z varchar(20) NOT NULL, PRIMARY KEY (z, a)", "%, 'k#'"},
	}
	for _, key := range keys {
		t.Run(key.name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.goods(t, key.columns, key.row, 100)
				res := b.mustBackfill(t, "--table", "goods", "--set", "hits = hits + 1", "--set", "name=lower(name)", "--where", "price > 10",
					"--no-input", "--batch-size", "7")
				if want := "Updated 90 rows in 13 batches on default.\n"; res.Stdout != want {
					t.Errorf("stdout is %q, want %q", res.Stdout, want)
				}
				b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 1 AND price > 10", 90)
				b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 0 AND price <= 10", 10)
				for i := range 5 {
					b.wantCount(t, fmt.Sprintf("SELECT count(*) FROM goods WHERE price > 10 AND price %% 5 = %d AND name LIKE 'n%d'", i, i), 18)
				}
			})
		})
	}
}

// Expressions reach the database as they are written.
func TestBackfill_Expressions(t *testing.T) {
	tests := []struct {
		name, set, want string
		only            string
	}{
		{name: "string", set: `name = 'a, b; it''s -- "no" comment'`, want: `a, b; it's -- "no" comment`},
		{name: "string with marks", set: `name = 'what? :no $1'`, want: `what? :no $1`},
		{name: "case", set: `name = CASE WHEN price > 1 THEN 'dear, very' ELSE 'cheap' END`, want: "dear, very"},
		{name: "functions", set: `name = coalesce(nullif(replace(name, 'N', 'x'), ''), 'none')`, want: "x3"},
		{name: "subselect", set: `name = (SELECT max(o.name) FROM other o WHERE o.price = goods.price)`, want: "other"},
		{name: "null", set: `name = NULL`, want: "<null>"},
		{name: "quoted column", set: `"name" = upper("name") || '!'`, want: "N3!", only: testdb.NamePostgres},
		{name: "quoted column", set: "`name` = concat(upper(`name`), '!')", want: "N3!", only: testdb.NameMariaDB},
		{name: "operators with a question mark", set: `name = CASE WHEN jsonb '{"a": 1}' ? 'a' THEN 'has a' ELSE 'no' END`, want: "has a", only: testdb.NamePostgres},
		{name: "array", set: `name = (ARRAY['a','b','c'])[price]`, want: "c", only: testdb.NamePostgres},
		{name: "negative", set: `name=-1`, want: "-1", only: testdb.NameSQLite},
	}
	each(t, func(t *testing.T, b *bench) {
		b.goods(t, goodsKey, goodsRow, 5)
		b.exec(t, "CREATE TABLE other (price integer, name varchar(40))", "INSERT INTO other VALUES (3, 'other')")
		for _, tt := range tests {
			if tt.only != "" && tt.only != b.Name {
				continue
			}
			b.exec(t, "UPDATE goods SET name = 'N3'")
			res := b.mustBackfill(t, "--table", "goods", "--set", tt.set, "--where", "id = 3", "--no-input")
			var got string
			if err := b.raw.QueryRowContext(t.Context(), "SELECT coalesce(name, '<null>') FROM goods WHERE id = 3").Scan(&got); err != nil || got != tt.want {
				t.Errorf("%s: %q, want %q (%v)\n%s", tt.name, got, tt.want, err, res.Stderr)
			}
			if want := "-> " + strings.Replace(tt.want, "<null>", "NULL", 1) + "\n"; !strings.Contains(res.Stderr, want) {
				t.Errorf("%s: the sample does not show %q:\n%s", tt.name, want, res.Stderr)
			}
			b.wantCount(t, "SELECT count(*) FROM goods WHERE name = 'N3' AND id <> 3", 4)
		}
	})
}

// Both dry runs leave no trace, and say what the run then does.
func TestBackfill_DryRuns(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.goods(t, goodsKey, goodsRow, 300)
		args := []string{"--table", "goods", "--set", "hits = price * 2", "--where", "hits = 0 AND price % 3 = 0", "--batch-size", "30"}
		var plan, rehearsal *drover.Result
		b.unchanged(t, func() {
			plan = b.mustBackfill(t, append(args, "--dry-run")...)
			rehearsal = b.mustBackfill(t, append(args, "--dry-run=rollback", "--sample", "0")...)
		})
		golden(t, "backfill_dry_run."+b.Name, b.stable(plan.Stdout))
		for _, want := range []string{"  id 3:  hits 0 -> 6\n", "  id 300:  hits 0 -> 600\n", "Would update 100 rows in 4 batches on default. Nothing was changed.\n"} {
			if !strings.Contains(rehearsal.Stdout, want) {
				t.Errorf("the rehearsal lacks %q:\n%s", want, rehearsal.Stdout)
			}
		}
		done := b.mustBackfill(t, append(args, "--no-input")...)
		if want := "Updated 100 rows in 4 batches on default.\n"; done.Stdout != want {
			t.Errorf("the run says %q, want %q", done.Stdout, want)
		}
		golden(t, "backfill_run."+b.Name, b.stable(done.Stderr))
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = price * 2", 100)
	})
}

// A run is resumed behind its last batch, so that a column that counts up is counted up once.
func TestBackfill_ResumesAfterAHardStop(t *testing.T) {
	eachWith(t, testdb.Names(), func() *moment { return &moment{verb: "later", nth: 3, after: true} }, func(t *testing.T, b *bench, m *moment) {
		b.goods(t, goodsKey, goodsRow, 100)
		m.verb = b.updateOf(t, "goods")
		ctx, cancel := context.WithCancelCause(t.Context())
		m.do = func() error { cancel(errors.New("stopped by the test")); return nil }
		args := []string{"--table", "goods", "--set", "hits = hits + 1", "--no-input", "--batch-size", "10"}
		_, err := b.command(ctx, drover.CallOptions{}, "backfill", args...)
		var stopped *drover.StopError
		if !errors.As(err, &stopped) || !strings.Contains(stopped.Summary, "20 of 100 rows updated") {
			t.Fatalf("got %v", err)
		}
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 1", 20)
		res := b.mustBackfill(t, args...)
		if want := "Updated 100 rows in 10 batches on default.\n"; res.Stdout != want {
			t.Errorf("resumed: %q, want %q", res.Stdout, want)
		}
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 1", 100)
		if _, err := b.backfill(t, args...); drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(err.Error(), "was finished by run") {
			t.Errorf("once more: %v", err)
		}
		b.mustBackfill(t, append(args, "--again")...)
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 2", 100)
	})
}

// updateOf is how an update of a table begins.
func (b *bench) updateOf(t *testing.T, table string) string {
	t.Helper()
	d := b.conn.Dialect()
	found, err := d.Table(t.Context(), b.conn, table)
	if err != nil {
		t.Fatal(err)
	}
	return "UPDATE " + keyset.TableName(d, found.Schema, found.Name) + " SET"
}

// A row that cannot be set is found, and with --max-errors set aside.
func TestBackfill_BadRow(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, `CREATE TABLE goods (id integer NOT NULL PRIMARY KEY, price integer, total integer CHECK (total < 1000))`)
		b.fill(t, "goods", 100, func(i int) string {
			if i == 37 {
				return "(37, 9999, 0)"
			}
			return fmt.Sprintf("(%d, %d, 0)", i, i)
		})
		args := []string{"--table", "goods", "--set", "total = price", "--no-input", "--batch-size", "20"}
		_, err := b.backfill(t, args...)
		if drover.ExitCode(err) != drover.ExitFailed || !strings.Contains(err.Error(), "a row failed at id 37: ") {
			t.Fatalf("without --max-errors: %v", err)
		}
		res, err := b.backfill(t, append(args, "--max-errors", "1", "--json")...)
		if drover.ExitCode(err) != drover.ExitPartial {
			t.Fatalf("with --max-errors: %v\n%s", err, res.Stderr)
		}
		lines := strings.Split(strings.TrimSpace(res.Stdout), "\n")
		var summary struct {
			Type, Status                  string
			Updated, Quarantined, Attempt int
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
			t.Fatal(err)
		}
		if summary.Type != "summary" || summary.Status != "partial" || summary.Updated != 99 || summary.Quarantined != 1 || summary.Attempt != 2 {
			t.Errorf("summary: %+v", summary)
		}
		b.wantCount(t, "SELECT count(*) FROM goods WHERE total = price", 99)
		b.wantCount(t, "SELECT count(*) FROM goods WHERE total = 0 AND id = 37", 1)
	})
}

func TestBackfill_Undo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.goods(t, goodsKey, goodsRow, 50)
		res := b.mustBackfill(t, "--table", "goods", "--set", "name = 'x'", "--set", "hits = price", "--no-input", "--undo", "--batch-size", "20")
		b.wantCount(t, "SELECT count(*) FROM goods WHERE name = 'x' AND hits = price", 50)
		undone, err := batch.Undo(t.Context(), b.conn, runOf(res), batch.Options{})
		if err != nil || undone.Done != 50 {
			t.Fatalf("undo: %+v, %v", undone, err)
		}
		b.wantCount(t, "SELECT count(*) FROM goods WHERE name <> 'x' AND hits = 0", 50)
	})
}

func TestBackfill_LimitAndWorkers(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.goods(t, goodsKey, goodsRow, 100)
		b.mustBackfill(t, "--table", "goods", "--set", "hits = hits + 1", "--no-input", "--limit", "25", "--batch-size", "10")
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 1 AND id <= 25", 25)
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits <> 0", 25)
		workers := "4"
		if b.Name == testdb.NameSQLite {
			workers = "1"
		}
		b.mustBackfill(t, "--table", "goods", "--set", "hits = hits + 1", "--no-input", "--workers", workers, "--batch-size", "3")
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 2 AND id <= 25", 25)
		b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 1 AND id > 25", 75)
	})
}

// An expression may see what an earlier one has set, where the database works so. Elsewhere columns can be exchanged.
func TestBackfill_ExpressionsSeeTheRowAsItWas(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.goods(t, goodsKey, goodsRow, 10)
		_, err := b.backfill(t, "--table", "goods", "--set", "hits = price", "--set", "price = hits", "--no-input")
		if b.conn.Dialect().Features().OrderedSet {
			if drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(err.Error(), "one after the other") {
				t.Errorf("got %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b.wantCount(t, "SELECT count(*) FROM goods WHERE price = 0 AND hits = id", 10)
	})
}

func TestBackfill_PlanAsJSON(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.goods(t, goodsKey, goodsRow, 3)
		res := b.mustBackfill(t, "--table", "goods", "--set", "hits = price + 1", "--dry-run", "--json")
		var plan struct {
			Type, Message string
			Set           []map[string]string
			Sample        []map[string]map[string]int
		}
		if err := json.Unmarshal([]byte(res.Stdout), &plan); err != nil {
			t.Fatalf("%v\n%s", err, res.Stdout)
		}
		if diff := cmp.Diff([]map[string]string{{"column": "hits", "expression": "price + 1"}}, plan.Set); diff != "" {
			t.Errorf("set (-want +got):\n%s", diff)
		}
		want := []map[string]map[string]int{}
		for i := 1; i <= 3; i++ {
			want = append(want, map[string]map[string]int{"key": {"id": i}, "before": {"hits": 0}, "after": {"hits": i + 1}})
		}
		if diff := cmp.Diff(want, plan.Sample); diff != "" {
			t.Errorf("sample (-want +got):\n%s", diff)
		}
		if plan.Message != "Would update 3 rows in 1 batch on default." {
			t.Errorf("message %q", plan.Message)
		}
	})
}

func TestBackfill_Refusals(t *testing.T) {
	set := func(text string, more ...string) []string {
		return append([]string{"--table", "goods", "--set", text}, more...)
	}
	tests := []refusal{
		{"no table", []string{"--set", "hits = 1"}, drover.ExitUsage},
		{"nothing to set", []string{"--table", "goods"}, drover.ExitUsage},
		{"empty set", set(""), drover.ExitUsage},
		{"no equals sign", set("hits"), drover.ExitUsage},
		{"no expression", set("hits = "), drover.ExitUsage},
		{"no name", set("= 1"), drover.ExitUsage},
		{"comma", set("hits = 1, price = 2"), drover.ExitUsage},
		{"semicolon", set("hits = 1; DROP TABLE goods"), drover.ExitUsage},
		{"comment", set("hits = 1 -- one"), drover.ExitUsage},
		{"escape", set("hits = 1) WHERE (1 = 1"), drover.ExitUsage},
		{"open parenthesis", set("hits = (1"), drover.ExitUsage},
		{"where in the expression", set("hits = 1 WHERE id = 1"), drover.ExitUsage},
		{"query without parentheses", set("hits = SELECT 1"), drover.ExitUsage},
		{"empty condition", set("hits = 1", "--where", " "), drover.ExitUsage},
		{"unknown table", []string{"--table", "godos", "--set", "hits = 1"}, drover.ExitUsage},
		{"unknown column", set("hist = 1"), drover.ExitUsage},
		{"unknown column in the expression", set("hits = prise"), drover.ExitUsage},
		{"unknown column in the condition", set("hits = 1", "--where", "prise = 1"), drover.ExitUsage},
		{"syntax", set("hits = price price +"), drover.ExitUsage},
		{"aggregate", set("hits = max(price)"), drover.ExitUsage},
		{"key", set("id = id + 1"), drover.ExitRefused},
		{"generated", set("twice = 1"), drover.ExitUsage},
		{"set twice", set("hits = 1", "--set", "HITS = 2"), drover.ExitUsage},
		{"undo of what others point to", set("code = code + 1", "--undo", "--no-input", "-v", "0"), drover.ExitRefused},
		{"nobody to ask", set("hits = 1", "-v", "0"), drover.ExitUsage},
	}
	each(t, func(t *testing.T, b *bench) {
		b.exec(t,
			`CREATE TABLE goods (id integer NOT NULL PRIMARY KEY, price integer, hits integer, code integer NOT NULL UNIQUE,
			 twice integer GENERATED ALWAYS AS (price * 2) STORED)`,
			`INSERT INTO goods (id, price, hits, code) VALUES (1, 10, 0, 5)`,
			`CREATE TABLE orders (id integer NOT NULL PRIMARY KEY, code integer, FOREIGN KEY (code) REFERENCES goods (code))`,
		)
		b.refused(t, "backfill_refusals."+b.Name, "backfill", tests)
	})
}

func TestBackfill_Confirmation(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.goods(t, goodsKey, goodsRow, 10)
	for answer, want := range map[string]int{"no\n": 0, "yes\n": 10} {
		res, err := b.command(t.Context(), drover.CallOptions{Stdin: strings.NewReader(answer), Interactive: true}, "backfill",
			"--table", "goods", "--set", "hits = 7", "--again")
		if code := drover.ExitCode(err); (code == 0) != (want > 0) {
			t.Errorf("%q: exit code %d: %v", answer, code, err)
		}
		if !strings.Contains(res.Stderr, "This will update 10 rows of goods") {
			t.Errorf("%q: the question does not name the measured rows:\n%s", answer, res.Stderr)
		}
	}
	b.wantCount(t, "SELECT count(*) FROM goods WHERE hits = 7", 10)
}
