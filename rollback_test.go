package drover_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/drover-dev/drover"
)

// dryRuns is a program whose command tells which dry run it is in.
func dryRuns() *drover.App {
	return appOf(
		&drover.Command{
			Name: "purge", NoDatabase: true, Options: drover.Options{DryRun: true, PlanOnly: true, Rollback: true, Limit: true},
			Run: func(_ context.Context, c *drover.Call) error {
				c.Line("dry=%v rollback=%v", c.DryRun(), c.Rollback())
				return nil
			},
		},
		&drover.Command{
			Name: "plain", NoDatabase: true, Options: drover.Options{DryRun: true, PlanOnly: true},
			Run: func(_ context.Context, c *drover.Call) error {
				c.Line("dry=%v rollback=%v", c.DryRun(), c.Rollback())
				return nil
			},
		},
	)
}

func TestRollback_Values(t *testing.T) {
	wrong := func(command, value, text string) ran {
		return ran{2, "", fmt.Sprintf("Usage: manage %[1]s [options]\nError: invalid value %[2]q for --dry-run of \"manage %[1]s\": %[3]s\n", command, value, text)}
	}
	for _, tt := range []struct {
		args string
		want ran
	}{
		{"purge", ran{0, "dry=false rollback=false\n", ""}},
		{"purge --dry-run", ran{0, "dry=true rollback=false\n", ""}},
		{"purge --dry-run --limit 3", ran{0, "dry=true rollback=false\n", ""}},
		{"purge --dry-run=plan", ran{0, "dry=true rollback=false\n", ""}},
		{"purge --dry-run=rollback", ran{0, "dry=true rollback=true\n", ""}},
		{"purge --dry-run=true", ran{0, "dry=true rollback=false\n", ""}},
		{"purge --dry-run=false", ran{0, "dry=false rollback=false\n", ""}},
		{"purge --dry-run=rollback --dry-run=false", ran{0, "dry=false rollback=false\n", ""}},
		{"purge --dry-run=rollback --dry-run", ran{0, "dry=true rollback=false\n", ""}},
		{"purge --dry-run=rolback", wrong("purge", "rolback", "must be plan or rollback")},
		{"purge --dry-run=", wrong("purge", "", "must be plan or rollback")},
		{"plain --dry-run", ran{0, "dry=true rollback=false\n", ""}},
		{"plain --dry-run=false", ran{0, "dry=false rollback=false\n", ""}},
		{"plain --dry-run=rollback", wrong("plain", "rollback", "must be true or false")},
		{"purge --dry-run rollback", ran{2, "", "Usage: manage purge [options]\nError: unexpected argument \"rollback\"\n"}},
	} {
		if got := shell(t, dryRuns(), drover.Env{}, strings.Fields(tt.args)...); got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.args, got, tt.want)
		}
	}
}

func TestRollback_FromCode(t *testing.T) {
	for value, want := range map[any]string{
		true: "dry=true rollback=false\n", false: "dry=false rollback=false\n", "rollback": "dry=true rollback=true\n",
	} {
		res, err := dryRuns().CallWith(t.Context(), drover.CallOptions{Set: map[string]any{"dry-run": value}}, "purge")
		if err != nil || res.Stdout != want {
			t.Errorf("%v: %v, %+v", value, err, res)
		}
	}
}

func TestRollback_HelpAndCompletion(t *testing.T) {
	help := func(command string) string {
		return strings.Join(strings.Fields(shell(t, dryRuns(), drover.Env{}, command, "--help").stdout), " ")
	}
	want := "--dry-run[=rollback] show what would change, and change nothing; with rollback, find out by doing it in transactions that are rolled back --limit rows"
	if got := help("purge"); !strings.Contains(got, want) {
		t.Errorf("help: %s", got)
	}
	if got := help("plain"); !strings.Contains(got, "--dry-run show what would change, and change nothing Options of every") {
		t.Errorf("help: %s", got)
	}
	if got := shell(t, dryRuns(), drover.Env{}, "__completeNoDesc", "purge", "--dry-run=r"); !strings.HasPrefix(got.stdout, "plan\nrollback\n:4\n") {
		t.Errorf("completion: %+v", got)
	}
}

func TestRollback_NeedsAPlan(t *testing.T) {
	for name, o := range map[string]drover.Options{
		"no dry run": {Rollback: true, PlanOnly: true}, "no plan": {Rollback: true, DryRun: true},
	} {
		text := fmt.Sprint(recoverFrom(func() {
			appOf(&drover.Command{Name: "purge", Options: o, Run: func(context.Context, *drover.Call) error { return nil }})
		}))
		if !strings.Contains(text, `command "purge": Options.Rollback needs DryRun and PlanOnly`) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// recoverFrom calls f and returns what it panicked with.
func recoverFrom(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// A command that ends at a limit of its own is shown as one that was stopped, and can be run again.
func TestStopError_Reason(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		args []string
		want ran
	}{
		{
			"time limit", &drover.StopError{Reason: "the time limit of 1h", Summary: "87,240 of 318,240 rows deleted", Resume: "manage purge --resume 01JD8Y7Q"},
			nil,
			ran{75, "", "STOPPED  by the time limit of 1h: 87,240 of 318,240 rows deleted\nResume:  manage purge --resume 01JD8Y7Q\n"},
		},
		{
			"wrapped", drover.Errorf("purge events: %w", &drover.StopError{Reason: "a pause request"}).Try("look at it"),
			nil,
			ran{75, "", "STOPPED  by a pause request\nTry:   look at it\n"},
		},
		{
			"json", &drover.StopError{Reason: "a pause request", Summary: "3 rows"},
			[]string{"--json"},
			ran{75, "", `{"type":"exit_error","code":75,"message":"stopped by a pause request: 3 rows","hint":""}` + "\n"},
		},
	} {
		app := appOf(plain("purge", func(context.Context, *drover.Call) error { return tt.err }))
		got := shell(t, app, drover.Env{}, append([]string{"purge"}, tt.args...)...)
		if got.stderr = untimed(got.stderr); got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}
