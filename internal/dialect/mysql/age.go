package mysql

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// Before compares with a constant of the column's type, so that an index can serve it. A TIMESTAMP is compared in the session's time zone,
// which FROM_UNIXTIME speaks as well (MariaDB manual, FROM_UNIXTIME).
func (d Dialect) Before(_ context.Context, _ dialect.Queryer, _ string, c dialect.Column, at time.Time) (dialect.Before, error) {
	return dialect.TypedBefore(c, d.Type(c), d.Quote(c.Name), at, func(at time.Time) string {
		return fmt.Sprintf("FROM_UNIXTIME(%d.%06d)", at.Unix(), at.Nanosecond()/1000)
	})
}
