package mysql

import (
	"context"
	"regexp"

	"github.com/drover-dev/drover/internal/dialect"
)

// mysqlSet is a set of MySQL's ids: UUIDs, from 8.3 on with tags, each with numbers and ranges of numbers.
var mysqlSet = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:[0-9a-z_]+(-[0-9]+)?)+(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:[0-9a-z_]+(-[0-9]+)?)+)*$`)

// reachedSet asks MySQL whether it has executed a set of transactions. It is written from MySQL's manual, "Functions Used with Global Transaction
// Identifiers"; no test runs on MySQL.
func reachedSet(ctx context.Context, q dialect.Queryer, s dialect.Standing, set string) (reached bool, err error) {
	err = dialect.Each(ctx, q, "SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", []any{set}, func(scan func(...any) error) error {
		return scan(&reached)
	})
	if err == nil && !reached && !s.Replica {
		return false, dialect.Incomparable("the server has not executed all of it")
	}
	return reached, err
}
