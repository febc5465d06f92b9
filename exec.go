package drover

import (
	"errors"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
)

// DatabaseClient says how the database's own interactive program is started on the database with an alias, or with a URL. It
// opens nothing. The errors are those of [Call.Database], and one where the database has no URL.
func (c *Call) DatabaseClient(alias string) (*db.Client, error) {
	reg, err := c.inv.config()
	if err != nil {
		return nil, err
	}
	client, err := reg.Client(alias)
	if unknown, ok := errors.AsType[*db.AliasError](err); ok {
		return nil, c.inv.unknownDatabase(unknown)
	}
	return client, err //nolint:wrapcheck // an error names the alias by itself
}

// LookPath gives the path of a program, and whether there is such a one.
func (c *Call) LookPath(name string) (path string, found bool) {
	if c.inv.env.LookPath == nil {
		return "", false
	}
	path, err := c.inv.env.LookPath(name)
	return path, err == nil
}

// Exec ends this program by becoming another one, which takes over its process id, streams, terminal and signals, and whose
// exit code is the process's. The databases are closed before. environ is added to the environment. It returns only where that
// is not possible: in a call from code, in a dry run, which what the other program does would not be part of, and on Windows.
func (c *Call) Exec(path string, args, environ []string) error {
	inv := c.inv
	switch {
	case inv.env.Exec == nil:
		return Errorf("%q ends the program by becoming another one, and cannot be called from code", inv.path())
	case inv.scope.plan || inv.dryRun():
		return Errorf("what %s does could not be rolled back: it is not started in a dry run", path)
	}
	inv.finishProgress()
	if err := inv.close(nil); err != nil {
		return err
	}
	return Errorf("cannot start %s: %w", path, inv.env.Exec(path, args, withVariables(inv.env.Environ, environ)))
}

// withVariables is an environment with some variables set. A name must not be in it twice: which one a program reads is its own choice.
func withVariables(environ, set []string) []string {
	name := func(variable string) string {
		before, _, _ := strings.Cut(variable, "=")
		return before
	}
	kept := slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		return slices.ContainsFunc(set, func(other string) bool { return name(variable) == name(other) })
	})
	return append(kept, set...)
}
