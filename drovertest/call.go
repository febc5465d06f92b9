package drovertest

import (
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

// Call runs a command of the app on a database and returns what it has printed. The test fails when the command does.
func Call(t testing.TB, app *drover.App, conn *db.DB, name string, args ...string) *drover.Result {
	t.Helper()
	res, err := CallError(t, app, conn, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, res.Stdout, res.Stderr)
	}
	return res
}

// CallError is [Call] for a command that may fail; drover.ExitCode tells the exit code of its error.
func CallError(t testing.TB, app *drover.App, conn *db.DB, name string, args ...string) (*drover.Result, error) {
	t.Helper()
	return app.CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{conn}}, name, args...)
}
