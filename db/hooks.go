package db

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
)

// hook is an on-commit hook and how to speak of it.
type hook struct {
	run    func(ctx context.Context) error
	name   string
	robust bool
}

// HookOption is an option of [DB.OnCommit].
type HookOption func(*hook)

// Robust logs the hook's error, with the database's logger, and goes on with the next hook.
func Robust() HookOption { return func(h *hook) { h.robust = true } }

// Named names the hook in errors, logs and dry runs. By default it is called after the place that registered it.
func Named(name string) HookOption { return func(h *hook) { h.name = name } }

// OnCommit has run called once the context's outermost block is committed. Hooks run in the order in which they were registered, in
// the goroutine of the block, with a context that is outside it. A hook is dropped when the savepoint that it was
// registered in is rolled back. Without a block it runs at once, as Django's on_commit does, and its error is returned here.
//
// A hook that registers another while it runs is outside the block, so the new one runs at once. A failing hook stops
// those after it and makes Atomic return a [*HookError], for which errors.Is(err, ErrCommitted) holds; see [Robust]. In a
// dry run hooks are recorded and not run. In a joined transaction OnCommit is [ErrForeignCommit], and in a broken block
// a [*BrokenError].
func (d *DB) OnCommit(ctx context.Context, run func(ctx context.Context) error, opts ...HookOption) error {
	h := hook{run: run}
	for _, opt := range opts {
		opt(&h)
	}
	if h.name == "" {
		h.name = "a function"
		if _, file, line, ok := runtime.Caller(1); ok {
			h.name = fmt.Sprintf("%s:%d", filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), line)
		}
	}
	tx := d.current(ctx)
	if tx == nil {
		if d.requireBlock {
			return ErrOutsideBlock
		}
		if err := run(ctx); err != nil && !h.robust {
			return err
		} else if err != nil {
			d.logHook(ctx, h, err)
		}
		return nil
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	switch cause := tx.cause(); {
	case tx.ended.Load():
		return ErrEnded
	case tx.owner == ownerCaller:
		return ErrForeignCommit
	case cause != nil:
		return &BrokenError{Refused: true, Cause: cause}
	}
	tx.hooks = append(tx.hooks, h)
	return nil
}

// runHooks runs hooks after the commit, outside the transaction.
func (d *DB) runHooks(ctx context.Context, hooks []hook) error {
	outside := d.outside(ctx)
	for i, h := range hooks {
		err := h.run(outside)
		switch {
		case err == nil:
		case h.robust:
			d.logHook(ctx, h, err)
		default:
			failed := &HookError{Hook: h.name, Err: err}
			for _, rest := range hooks[i+1:] {
				failed.NotRun = append(failed.NotRun, rest.name)
			}
			return failed
		}
	}
	return nil
}

func (d *DB) logHook(ctx context.Context, h hook, err error) {
	d.log.ErrorContext(ctx, "on-commit hook failed", "database", d.alias, "hook", h.name, "error", err)
}
