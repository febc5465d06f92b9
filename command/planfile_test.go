package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/planfile"
	"github.com/drover-dev/drover/internal/testdb"
)

func done() []string { return []string{"--table", "events", "--where", "status = 'done'"} }

// planned makes a plan of a purge by a dry run, which changes nothing.
func (b *bench) planned(t *testing.T, file string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), file)
	b.mustCall(t, append(args, "--dry-run", "--plan-out", path)...)
	return path
}

func edit(t *testing.T, from, to, old, new string) string {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not hold %q:\n%s", from, old, text)
	}
	path := filepath.Join(filepath.Dir(from), to)
	writeFile(t, path, strings.Replace(string(text), old, new, 1))
	return path
}

// restored is another database with the same rows: of SQLite a copy of the file, as a restored backup is.
func (b *bench) restored(t *testing.T, n int) *bench {
	t.Helper()
	if b.Name != testdb.NameSQLite {
		other := newBench(t, testdb.Fresh(t, b.Name))
		other.events(t, n)
		return other
	}
	path := filepath.Join(t.TempDir(), "restored.db")
	b.exec(t, "VACUUM INTO '"+path+"'")
	return newBench(t, testdb.Database{Name: b.Name, URL: "sqlite:" + path})
}

// TestPlanFile_Refusals shows the file, and what a user reads of one that does not fit.
func TestPlanFile_Refusals(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 300)
		plan := b.planned(t, "purge.json", append(done(), "--batch-size", "50", "--undo")...)
		text, err := os.ReadFile(plan)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "plan_file."+b.Name, b.stable(string(text)))
		if info, err := os.Stat(plan); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if strings.Contains(string(text), testdb.Password) || strings.Contains(string(text), "://") {
			t.Errorf("the plan holds a password or a URL:\n%s", text)
		}
		backfill := filepath.Join(t.TempDir(), "backfill.json")
		if _, err := b.command(t.Context(), drover.CallOptions{}, "backfill", "--table", "events", "--set", "status = 'x'", "--dry-run", "--plan-out", backfill); err != nil {
			t.Fatal(err)
		}
		far := b.restored(t, 300).planned(t, "far.json", done()...)
		other := filepath.Join(t.TempDir(), "other.json")
		writeFile(t, other, `{"type": "package"}`)
		edited := edit(t, plan, "edited.json", "'done'", "'open'")
		forged, err := planfile.Read(plan)
		if err != nil {
			t.Fatal(err)
		}
		forged.Settings = append(forged.Settings, planfile.Option{Name: "no-input", Values: []string{"true"}})
		unasked := filepath.Join(filepath.Dir(plan), "unasked.json")
		if err := planfile.Write(unasked, forged); err != nil {
			t.Fatal(err)
		}
		newer := edit(t, plan, "newer.json", `"format": 1`, `"format": 2`)
		b.refused(t, "plan_refusals."+b.Name, "purge", []refusal{
			{"edited", []string{"--plan", edited, "--no-input"}, drover.ExitRefused},
			{"newer format", []string{"--plan", newer, "--no-input"}, drover.ExitRefused},
			{"another command", []string{"--plan", backfill, "--no-input"}, drover.ExitRefused},
			{"another database", []string{"--plan", far, "--no-input", "-v", "0"}, drover.ExitRefused},
			{"other options", []string{"--plan", plan, "--where", "status = 'open'", "--limit", "5", "--no-input"}, drover.ExitRefused},
			{"no file", []string{"--plan", filepath.Join(filepath.Dir(plan), "none.json")}, drover.ExitUsage},
			{"no plan", []string{"--plan", other}, drover.ExitUsage},
			{"does not ask", []string{"--plan", unasked}, drover.ExitRefused},
			{"both", append(done(), "--plan", plan, "--plan-out", plan), drover.ExitUsage},
			{"over another file", append(done(), "--dry-run", "--plan-out", other), drover.ExitUsage},
			{"into no folder", append(done(), "--dry-run", "--plan-out", filepath.Join(filepath.Dir(plan), "none", "x.json")), drover.ExitUsage},
			{"check", append(done(), "--check", "--plan-out", plan), drover.ExitUsage},
			{"several databases", []string{"--all-databases", "--plan", plan, "--no-input"}, drover.ExitUsage},
			{"nobody to ask", []string{"--plan", plan, "-v", "0"}, drover.ExitUsage},
			{"dry run of another database", []string{"--plan", far, "--dry-run"}, drover.ExitRefused},
			{"check of another database", []string{"--plan", far, "--check", "-v", "0"}, drover.ExitRefused},
		})
		// A plan is replaced by a new one.
		b.mustCall(t, append(done(), "--dry-run", "--plan-out", edited)...)
		b.mustCall(t, "--plan", edited, "--dry-run")
	})
}

// TestPlanFile_CountMoves tries both sides of the 20 % that the number of rows may move by.
func TestPlanFile_CountMoves(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 300)
		plan := b.planned(t, "purge.json", done()...)
		none := b.planned(t, "none.json", "--table", "events", "--where", "status = 'gone'")
		for _, tt := range []struct {
			file, change string
			refused      bool
			shown        string
		}{
			{plan, "UPDATE events SET status = 'done' WHERE id IN (SELECT id FROM extra WHERE n <= 20)", false, "planned 100 rows, now 120 (20.0 % more)"},
			{plan, "UPDATE events SET status = 'done' WHERE id IN (SELECT id FROM extra WHERE n <= 21)", true, "rows: planned 100, now 121 (21.0 % more"},
			{plan, "UPDATE events SET status = 'open' WHERE id <= 60", false, "planned 100 rows, now 80 (20.0 % fewer)"},
			{plan, "UPDATE events SET status = 'open' WHERE id <= 63", true, "rows: planned 100, now 79 (21.0 % fewer"},
			{none, "UPDATE events SET status = 'done' WHERE id = 1", false, "planned 0 rows, now 0 (as many)"},
			{none, "UPDATE events SET status = 'gone' WHERE id = 1", true, "rows: planned 0, now 1 (there were none"},
		} {
			b.exec(t, "DROP TABLE IF EXISTS extra", "CREATE TABLE extra (id integer, n integer)")
			b.fill(t, "extra", 30, func(i int) string { return fmt.Sprintf("(%d, %d)", i*3-1, i) })
			b.exec(t, tt.change)
			res, err := b.call(t, "--plan", tt.file, "--dry-run")
			if refused := drover.ExitCode(err) == drover.ExitRefused; refused != tt.refused || err != nil && !refused {
				t.Errorf("%s: %v", tt.change, err)
			}
			if all := res.Stdout + strings.Join(advice(err), "\n"); !strings.Contains(all, tt.shown) {
				t.Errorf("%s: no %q in\n%s", tt.change, tt.shown, all)
			}
			b.exec(t, "UPDATE events SET status = CASE WHEN id % 3 = 0 THEN 'done' ELSE 'open' END")
		}
	})
}

// TestPlanFile_KeepsTheBoundary runs a plan by age: were the age counted back once more, its SQL would not be that of the plan.
func TestPlanFile_KeepsTheBoundary(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.aged(t, map[string]string{testdb.NamePostgres: "timestamptz", testdb.NameMariaDB: "datetime(6)", testdb.NameSQLite: "DATETIME"}[b.Name], 200)
		plan := b.planned(t, "purge.json", "--table", "notes", "--older-than", "4d", "--column", "at")
		res := b.mustCall(t, "--plan", plan, "--no-input")
		if !strings.Contains(res.Stderr, ", as planned (") {
			t.Errorf("the boundary is not the plan's:\n%s", res.Stderr)
		}
		b.wantCount(t, "SELECT count(*) FROM notes WHERE id > 96", 0)
	})
}

// documents are the documents of an output by their types, the last of each.
func documents(t *testing.T, output string) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for line := range strings.Lines(output) {
		var d map[string]any
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all[fmt.Sprint(d["type"])] = d
	}
	return all
}

// TestPlanFile_JSONDoneAndAgain makes a plan with a run that is then declined, runs it, and runs it once more.
func TestPlanFile_JSONDoneAndAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		path := filepath.Join(t.TempDir(), "purge.json")
		o := drover.CallOptions{Interactive: true, Stdin: strings.NewReader("no\n")}
		res, err := b.callWith(t.Context(), o, append(done(), "--plan-out", path, "--json")...)
		if drover.ExitCode(err) != drover.ExitDeclined {
			t.Fatalf("%v\n%s", err, res.Stderr)
		}
		saved := documents(t, res.Stdout)["plan_file"]
		if saved["file"] != path || saved["rows"] != 10.0 {
			t.Errorf("saved: %v", saved)
		}
		dry := documents(t, b.mustCall(t, "--plan", path, "--dry-run", "--json").Stdout)["plan"]
		file, _ := dry["plan_file"].(map[string]any)
		if file["sha256"] != saved["sha256"] || file["file"] != path || file["rows"] != 10.0 {
			t.Errorf("plan_file of the plan is %v, the file's %v", file, saved)
		}
		first := documents(t, b.mustCall(t, "--plan", path, "--no-input", "--json", "--batch-size", "3").Stdout)["summary"]
		if first["deleted"] != 10.0 || first["batches"] != 4.0 {
			t.Errorf("summary: %v", first)
		}
		res, err = b.call(t, "--plan", path, "--no-input", "--json")
		if done, ok := errors.AsType[*batch.DoneError](err); !ok || drover.ExitCode(err) != drover.ExitRefused || done.RunID != first["run_id"] {
			t.Errorf("run again: %v\n%s", err, res.Stdout)
		}
		if _, err := b.call(t, "--plan", path, "--check"); err != nil {
			t.Errorf("check of a plan that is done: %v", err)
		}
		b.exec(t, "UPDATE events SET status = 'done' WHERE id IN (SELECT id FROM (SELECT id FROM events ORDER BY id LIMIT 9) AS first_ones)")
		b.mustCall(t, "--plan", path, "--no-input", "--again")
		b.wantCount(t, "SELECT count(*) FROM events", 11)
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 2)
		if _, err := b.call(t, append(done(), "--no-input")...); err != nil { // the work itself is not bound to the plan
			t.Error(err)
		}
	})
}

// TestPlanFile_KilledResumedUndone kills the runner of a plan, lets the rows move, resumes by the same plan, and undoes the run.
func TestPlanFile_KilledResumedUndone(t *testing.T) {
	const rows = 3000
	each(t, func(t *testing.T, b *bench) {
		b.events(t, rows)
		plan := b.planned(t, "purge.json", append(done(), "--undo", "--batch-size", "1")...)
		slowly := []string{"--plan", plan, "--no-input", "--rows-per-second", "500"}
		if b.Name != testdb.NameSQLite {
			slowly = append(slowly, "--workers", "3") // so that several ranges are begun
		}
		p := b.start(t, slowly...)
		b.underway(t, matching, rows/3)
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, code := p.wait(t); code != -1 {
			t.Fatalf("exit code %d of a killed process\n%s", code, p.stderr.String())
		}
		b.expire(t)
		id := b.lastRun(t)
		again := []string{"--plan", plan, "--no-input", "--batch-size", "500"}
		b.exec(t, "UPDATE events SET status = 'done' WHERE id % 3 = 1")
		var differs *batch.PlanError
		if _, err := b.call(t, again...); !errors.As(err, &differs) || len(differs.Differences) != 1 || differs.Differences[0].What != "rows" {
			t.Errorf("with twice the rows: %v", err)
		}
		b.exec(t, "UPDATE events SET status = 'open' WHERE id % 3 = 1")
		res := b.mustCall(t, again...)
		if !strings.Contains(res.Stderr, "planned 1,000 rows, now 1,000 (as many)") || !strings.Contains(res.Stderr, "Resuming run "+batch.Short(id)) {
			t.Errorf("stderr:\n%s", res.Stderr)
		}
		b.wantCount(t, matching, 0)
		b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
		b.wantState(t, id, "succeeded")
		if _, err := b.command(t.Context(), drover.CallOptions{}, "undo", id, "--no-input"); err != nil {
			t.Fatal(err)
		}
		b.wantCount(t, matching, rows/3)
		b.mustCall(t, again...) // what was undone is not done
		b.wantCount(t, matching, 0)
	})
}

// TestPlanFile_OfAnUnfinishedRun goes on with a run only by a plan that says so.
func TestPlanFile_OfAnUnfinishedRun(t *testing.T) {
	eachWith(t, testdb.Names(), afterFirstBatch, func(t *testing.T, b *bench, m *moment) {
		b.events(t, 300)
		plan := b.planned(t, "purge.json", done()...)
		ctx, cancel := context.WithCancel(t.Context())
		m.do = func() error { cancel(); return nil }
		if _, err := b.callWith(ctx, drover.CallOptions{}, append(done(), "--no-input", "--batch-size", "5")...); err == nil {
			t.Fatal("the run was not stopped")
		}
		b.expire(t)
		id := b.lastRun(t)
		_, err := b.call(t, "--plan", plan, "--no-input")
		if drover.ExitCode(err) != drover.ExitRefused || !strings.Contains(err.Error(), "run "+batch.Short(id)+" of the same work is not finished") {
			t.Errorf("another plan: %v", err)
		}
		rest := b.planned(t, "rest.json", done()...)
		res := b.mustCall(t, "--plan", rest, "--no-input")
		if !strings.Contains(res.Stderr, "planned 100 rows, now 100") {
			t.Errorf("stderr:\n%s", res.Stderr)
		}
		b.wantState(t, id, "succeeded")
		b.wantCount(t, matching, 0)
		if _, err := b.call(t, "--plan", rest, "--no-input"); !strings.Contains(fmt.Sprint(err), "was done by run "+batch.Short(id)) {
			t.Errorf("again: %v", err)
		}
	})
}

// TestPlanFile_Backfill takes lists of options, and settings that may be given otherwise.
func TestPlanFile_Backfill(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.events(t, 30)
		plan := filepath.Join(t.TempDir(), "backfill.json")
		call := func(args ...string) (*drover.Result, error) {
			return b.command(t.Context(), drover.CallOptions{}, "backfill", args...)
		}
		if res, err := call("--table", "events", "--set", "status = concat('a,', 'b')", "--where", "id > 20", "--workers", "1", "--batch-size", "5", "--dry-run", "--plan-out", plan); err != nil {
			t.Fatalf("%v\n%s", err, res.Stderr)
		}
		if _, err := call("--plan", plan, "--undo", "--no-input"); drover.ExitCode(err) != drover.ExitRefused {
			t.Errorf("with an option that belongs to the plan: %v", err)
		}
		res, err := call("--plan", plan, "--no-input", "--batch-size", "2", "--where", "id > 20", "--json")
		if err != nil {
			t.Fatalf("%v\n%s", err, res.Stderr)
		}
		if got := documents(t, res.Stdout)["summary"]; got["updated"] != 10.0 || got["batches"] != 5.0 {
			t.Errorf("summary: %v", got)
		}
		b.wantCount(t, "SELECT count(*) FROM events WHERE status = 'a,b'", 10)
		if _, err := call("--plan", plan, "--no-input"); drover.ExitCode(err) != drover.ExitRefused {
			t.Errorf("again: %v", err)
		}
	})
}

// TestPlanFile_Copy binds a plan to both databases.
func TestPlanFile_Copy(t *testing.T) {
	ring(t, func(t *testing.T, p *twoPlaces) {
		p.items(t, 50)
		plan := filepath.Join(t.TempDir(), "copy.json")
		p.mustCopy(t, "--dry-run", "--where", "id > 10", "--columns", "id,name,grp", "--plan-out", plan)
		run := func(to *twoPlaces, args ...string) (*drover.Result, error) {
			o := drover.CallOptions{Databases: []*db.DB{to.a.conn, to.b.conn}}
			return newApp().CallWith(t.Context(), o, "copy", append(args, "--plan", plan, "--no-input")...)
		}
		other := newTwoPlaces(t, p.a.Name, p.b.Name)
		other.items(t, 50)
		for _, mixed := range []*twoPlaces{{p.a, other.b}, {other.a, p.b}} {
			var differs *batch.PlanError
			if _, err := run(mixed); !errors.As(err, &differs) || len(differs.Differences) == 0 {
				t.Errorf("on another database: %v", err)
			}
		}
		if _, err := run(p, "--move"); drover.ExitCode(err) != drover.ExitRefused {
			t.Errorf("with --move: %v", err)
		}
		res, err := run(p, "--workers", "1", "--batch-size", "7")
		if err != nil {
			t.Fatalf("%v\n%s", err, res.Stderr)
		}
		p.b.wantCount(t, "SELECT count(*) FROM items WHERE id > 10 AND price IS NULL", 40)
		if _, err := run(p); drover.ExitCode(err) != drover.ExitRefused {
			t.Errorf("again: %v", err)
		}
		environ := drover.CallOptions{Environ: []string{"DATABASE_URL_B=" + p.b.URL}}
		res, err = newApp().CallWith(t.Context(), environ, "copy", "--from", p.a.URL, "--to", "b", "--table", "items", "--dry-run", "--plan-out", plan)
		if drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(fmt.Sprint(err), "--from is a URL") || strings.Contains(fmt.Sprint(err)+res.Stderr, testdb.Password) {
			t.Errorf("a URL: %v", err)
		}
	})
}

// TestPlanFile_CopyKilledInALaterPhase goes on by the same plan while what has arrived is compared.
func TestPlanFile_CopyKilledInALaterPhase(t *testing.T) {
	const rows = 300
	p := newTwoPlaces(t, testdb.NameSQLite, testdb.NamePostgres)
	p.items(t, rows)
	plan := filepath.Join(t.TempDir(), "copy.json")
	p.mustCopy(t, "--dry-run", "--move", "--plan-out", plan)
	environ := []string{"DATABASE_URL_A=" + p.a.URL, "DATABASE_URL_B=" + p.b.URL}
	pr := startProgram(t, environ, "copy", "--plan", plan, "--no-input", "--batch-size", "5", "--rows-per-second", "600")
	pr.waitFor(t, "all rows have arrived", func() bool { return p.b.count(t, "SELECT count(*) FROM items") == rows })
	pr.waitFor(t, "the next phase has begun", func() bool { return p.b.count(t, "SELECT phase FROM drover_runs") > 0 })
	p.kill(t, pr)
	again := startProgram(t, environ, "copy", "--plan", plan, "--no-input")
	if last, code := again.wait(t); code != drover.ExitOK || !strings.HasPrefix(last, "Moved 300 rows in") {
		t.Errorf("exit code %d, %q\n%s", code, last, again.stderr.String())
	}
	if !strings.Contains(again.stderr.String(), "  From ") || !strings.Contains(again.stderr.String(), "  Into ") {
		t.Errorf("the plan of the resumed run lacks where it goes:\n%s", again.stderr.String())
	}
	p.a.wantCount(t, "SELECT count(*) FROM items", 0)
	p.b.wantCount(t, "SELECT count(*) FROM drover_runs", 1)
}

// TestPlanFile_Job binds the plan of a job of one's own to what it says of itself.
func TestPlanFile_Job(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.items(t, 20)
	contents := "first"
	job := marking()
	job.Describe = func(_ context.Context, p *batch.Plan) error {
		p.Bind("contents", contents)
		return nil
	}
	app := drover.New("drover")
	app.Add(job.Command())
	call := func(args ...string) (*drover.Result, error) {
		return app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{b.conn}}, "mark", args...)
	}
	plan := filepath.Join(t.TempDir(), "mark.json")
	if res, err := call("--to", "sold", "--dry-run", "--plan-out", plan); err != nil || !strings.Contains(res.Stderr, "Plan saved in "+plan) {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
	contents = "second"
	var differs *batch.PlanError
	_, err := call("--plan", plan, "--no-input")
	if !errors.As(err, &differs) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]batch.PlanDifference{{What: "contents", Planned: "first", Now: "second"}}, differs.Differences); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	contents = "first"
	if res, err := call("--plan", plan, "--no-input"); err != nil {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
	b.wantCount(t, marked+"'sold'", 20)
}

// TestPlanFile_ArchiveIsTheFileOfItsFolder refuses a plan whose archive would be another file: the run would be another one, too.
func TestPlanFile_ArchiveIsTheFileOfItsFolder(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	b.events(t, 30)
	here := t.TempDir()
	t.Chdir(here)
	plan := b.planned(t, "purge.json", append(done(), "--archive-to", "events.jsonl")...)
	t.Chdir(t.TempDir())
	var differs *batch.PlanError
	if _, err := b.call(t, "--plan", plan, "--no-input"); !errors.As(err, &differs) || differs.Differences[0].What != "archive" {
		t.Errorf("from another folder: %v", err)
	}
	t.Chdir(here)
	b.mustCall(t, "--plan", plan, "--no-input")
	if info, err := os.Stat("events.jsonl"); err != nil || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestPlanFile_InMemory refuses a plan for a database that ends with the process.
func TestPlanFile_InMemory(t *testing.T) {
	conn, err := db.Open(t.Context(), "sqlite::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Exec(t.Context(), "CREATE TABLE events (id integer PRIMARY KEY, status text)"); err != nil {
		t.Fatal(err)
	}
	_, err = newApp().CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{conn}}, "purge", append(done(), "--dry-run", "--plan-out", filepath.Join(t.TempDir(), "x.json"))...)
	if drover.ExitCode(err) != drover.ExitUsage || !strings.Contains(err.Error(), "is not kept anywhere") {
		t.Errorf("got %v", err)
	}
}
