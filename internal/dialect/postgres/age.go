package postgres

import (
	"context"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// Before compares with a constant of the column's type, so that an index can serve it.
func (d Dialect) Before(_ context.Context, _ dialect.Queryer, _ string, c dialect.Column, at time.Time) (dialect.Before, error) {
	return dialect.TypedBefore(c, d.Type(c), d.Quote(c.Name), at, func(at time.Time) string {
		return "TIMESTAMP WITH TIME ZONE '" + at.Format(dialect.MomentLayout) + "+00'"
	})
}
