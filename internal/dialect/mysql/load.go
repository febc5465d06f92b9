package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"

	"github.com/drover-dev/drover/internal/dialect"
)

// readers numbers the streams that the driver is told of.
var readers atomic.Int64

// The errors of a server that takes no data from its clients (manuals of MySQL and MariaDB, LOAD DATA LOCAL).
var notAllowed = []uint16{1148, 3948, 4166}

// Load is LOAD DATA LOCAL. Its session must have the settings of [dialect.Features].Verbatim.
func (Dialect) Load(ctx context.Context, conn driver.Conn, table string, columns []string, rows io.Reader, count int64) (whole, able bool, err error) {
	name := "drover-" + strconv.FormatInt(readers.Add(1), 10)
	mysql.RegisterReaderHandler(name, func() io.Reader { return rows })
	defer mysql.DeregisterReaderHandler(name)
	result, err := dialect.ExecArgs(ctx, conn, "LOAD DATA LOCAL INFILE 'Reader::"+name+"' INTO TABLE "+table+
		` CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (`+strings.Join(columns, ", ")+")", nil)
	if refused := (*mysql.MySQLError)(nil); errors.As(err, &refused) && slices.Contains(notAllowed, refused.Number) {
		return false, false, nil
	}
	if err != nil {
		return false, true, err
	}
	loaded, err := result.RowsAffected()
	if err != nil || loaded != count {
		return false, true, err
	}
	warnings, err := dialect.QueryRows(ctx, conn, "SHOW COUNT(*) WARNINGS", nil, false)
	if err != nil {
		return false, true, err
	}
	answer := make([]driver.Value, len(warnings.Columns()))
	err = errors.Join(warnings.Next(answer), warnings.Close())
	text, isText := answer[0].([]byte)
	if !isText {
		text = fmt.Append(nil, answer[0])
	}
	return string(text) == "0", true, err
}
