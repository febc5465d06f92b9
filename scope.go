package drover

import (
	"context"
	"fmt"
	"slices"

	"github.com/drover-dev/drover/db"
)

// scope is what a command called by another one takes over from it. It travels in the context.
type scope struct {
	app      *App
	reg      *db.Registry // shared, so that a called command works on the same connections and in the same transactions
	stop     *stopper
	dry      dryDatabases // those that a dry run covers; nil outside of one
	plan     bool         // the outer command has --dry-run and looks after it itself
	rollback bool         // and does its work, to roll it back
	held     []*Command   // the commands under way whose options are shared variables
}

type scopeKey struct{}

func withScope(ctx context.Context, s scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// scopeOf gives the scope of the calling command, or an empty one.
func scopeOf(ctx context.Context) scope {
	s, _ := ctx.Value(scopeKey{}).(scope)
	return s
}

// acquire waits until no other invocation uses the command's variables. The returned function gives them back.
func (a *App) acquire(ctx context.Context, cmd *Command, held []*Command) (func(), error) {
	token, shared := a.guards[cmd] // of no command, nil, there is none
	if !shared {
		return func() {}, nil
	}
	if slices.Contains(held, cmd) {
		return nil, fmt.Errorf("command %q calls itself, but keeps its options in shared variables: register it with AddFunc", cmd.Name)
	}
	select {
	case token <- struct{}{}:
		return func() { <-token }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another call of %q: %w", cmd.Name, context.Cause(ctx))
	}
}
