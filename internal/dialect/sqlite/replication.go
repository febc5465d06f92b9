package sqlite

import (
	"context"

	"github.com/drover-dev/drover/internal/dialect"
)

// Standing is that of the only copy there is.
func (Dialect) Standing(context.Context, dialect.Queryer) (dialect.Standing, error) {
	return dialect.Standing{Unsure: dialect.ErrNoReplication}, nil
}

// Reached fails: there are no positions.
func (Dialect) Reached(context.Context, dialect.Queryer, dialect.Standing, string) (bool, error) {
	return false, dialect.ErrNoReplication
}

// ValidPosition reports false: there are no positions.
func (Dialect) ValidPosition(string) bool { return false }
