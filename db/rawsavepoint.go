package db

import (
	"context"
	"fmt"
	"strings"
)

// rawVerb is a savepoint statement that a library sends as text (bun's nested transactions, GORM's SavePoint).
type rawVerb int

const (
	rawNone rawVerb = iota
	rawOpen
	rawRelease
	rawRollback
)

type rawSavepoint struct {
	verb  rawVerb
	name  string
	scope *scope // the savepoint that is released or rolled back to
}

// parseRaw reads SAVEPOINT x, RELEASE [SAVEPOINT] x and ROLLBACK [WORK|TRANSACTION] TO [SAVEPOINT] x, and finds the savepoint. Savepoints
// that blocks made are not found: they are their blocks' to end.
func (tx *transaction) parseRaw(query string) (rawSavepoint, error) {
	words := strings.Fields(strings.TrimRight(strings.TrimSpace(query), "; \t\r\n"))
	keyword := func(i int, options ...string) bool {
		for _, o := range options {
			if i < len(words)-1 && strings.EqualFold(words[i], o) {
				return true
			}
		}
		return false
	}
	var raw rawSavepoint
	i := 1
	switch {
	case keyword(0, "SAVEPOINT"):
		raw.verb = rawOpen
	case keyword(0, "RELEASE"):
		raw.verb = rawRelease
	case keyword(0, "ROLLBACK"):
		raw.verb = rawRollback
		if keyword(i, "WORK", "TRANSACTION") {
			i++
		}
		if !keyword(i, "TO") {
			return rawSavepoint{}, fmt.Errorf("the savepoint statement %q cannot be read", query)
		}
		i++
	}
	if raw.verb != rawOpen && keyword(i, "SAVEPOINT") {
		i++
	}
	if raw.verb == rawNone || i != len(words)-1 {
		return rawSavepoint{}, fmt.Errorf("the savepoint statement %q cannot be read: send it alone, without comments", query)
	}
	raw.name = strings.ToLower(strings.Trim(words[i], "\"`[]"))
	if raw.verb == rawOpen {
		return raw, nil
	}
	for j := len(tx.scopes) - 1; j >= 0 && tx.scopes[j].role == roleRaw; j-- {
		if tx.scopes[j].name == raw.name {
			raw.scope = tx.scopes[j]
			return raw, nil
		}
	}
	return rawSavepoint{}, fmt.Errorf("savepoint %q was not opened in this block: %w", raw.name, ErrManaged)
}

// mends reports whether raw rolls back all that is broken.
func (tx *transaction) mends(raw rawSavepoint) bool {
	if raw.verb != rawRollback {
		return false
	}
	for _, s := range tx.scopes {
		if s == raw.scope {
			return true
		}
		if s.cause != nil {
			return false
		}
	}
	return false
}

// applyRaw does to the stack what the statement has done on the server.
func (tx *transaction) applyRaw(ctx context.Context, raw rawSavepoint) {
	switch raw.verb {
	case rawOpen:
		counts, err := tx.changes(ctx)
		if err != nil {
			tx.scopes[0].fail(err)
			return
		}
		tx.scopes = append(tx.scopes, &scope{name: raw.name, role: roleRaw, hooks: len(tx.hooks), counts: counts})
	case rawRelease:
		if err := tx.pop(raw.scope); err != nil {
			tx.scopes[0].fail(err)
		}
	case rawRollback:
		s := raw.scope
		if err := tx.pop(s); err != nil {
			tx.scopes[0].fail(err)
			return
		}
		tx.hooks = tx.hooks[:min(s.hooks, len(tx.hooks))]
		s.cause = nil
		tx.scopes = append(tx.scopes, s)
		tx.recount(ctx, s)
	}
}
