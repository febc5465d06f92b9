package mysql

import (
	"context"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/drover-dev/drover/internal/dialect"
)

// nothingAffected is what CommitWith makes the server say where the UPDATE affects no row.
const nothingAffected = "drover: no row was affected"

// CommitWith works on MariaDB, with a compound statement (MariaDB's manual, BEGIN END).
func (Dialect) CommitWith(live dialect.Live, server dialect.Server) dialect.CommitWith {
	if !server.Compound {
		return nil
	}
	return func(ctx context.Context, update string, args []any) (found bool, err error) {
		_, err = live.Exec(ctx, "BEGIN NOT ATOMIC "+update+"; IF ROW_COUNT() = 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '"+nothingAffected+
			"'; END IF; COMMIT; END", args)
		if own, ok := errors.AsType[*mysql.MySQLError](err); ok && own.Message == nothingAffected {
			return false, nil
		}
		return true, err
	}
}
