package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// The numbers that are taken for seconds since 1970 (of the years 1973 to 5138), and those that are taken for milliseconds (1973 to 5138 too).
const (
	leastSeconds = 100_000_000
	leastMillis  = 100_000_000_000
	beyondMillis = 100_000_000_000_000
)

// Before looks at what the column holds: its declared type says nothing of its values (SQLite manual, datatype3). Texts are compared by
// strftime, which understands zones and both separators; numbers are compared as they are. Values of another kind that come later do not match.
func (d Dialect) Before(ctx context.Context, q dialect.Queryer, table string, c dialect.Column, at time.Time) (dialect.Before, error) {
	at = at.UTC()
	name := d.Quote(c.Name)
	const dated = "GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'" // strftime also takes 'now', 12:00 and numbers
	var all, texts, times, numbers, least, most int64
	query := fmt.Sprintf(`SELECT count(*), COALESCE(sum(typeof(%[1]s) = 'text'), 0),
		COALESCE(sum(typeof(%[1]s) = 'text' AND %[1]s %[3]s AND strftime('%%s', %[1]s) IS NOT NULL), 0), COALESCE(sum(typeof(%[1]s) = 'integer'), 0),
		COALESCE(min(CASE typeof(%[1]s) WHEN 'integer' THEN %[1]s END), 0), COALESCE(max(CASE typeof(%[1]s) WHEN 'integer' THEN %[1]s END), 0)
		FROM %[2]s WHERE %[1]s IS NOT NULL`, name, table, dated)
	err := dialect.Each(ctx, q, query, nil, func(scan func(...any) error) error {
		return scan(&all, &texts, &times, &numbers, &least, &most)
	})
	if err != nil {
		return dialect.Before{}, fmt.Errorf("look at the values of column %s: %w", c.Name, err)
	}
	number := func(boundary int64, form string) (dialect.Before, error) {
		return dialect.Before{SQL: fmt.Sprintf("(typeof(%[1]s) = 'integer' AND %[1]s < %[2]d)", name, boundary), Form: form}, nil
	}
	switch {
	case times == all:
		const layout = "2006-01-02 15:04:05.000"
		sql := fmt.Sprintf("(typeof(%[1]s) = 'text' AND %[1]s %[2]s AND strftime('%%Y-%%m-%%d %%H:%%M:%%f', %[1]s) < CASE length(%[1]s) WHEN 10 THEN '%[3]s' ELSE '%[4]s' END)",
			name, dated, at.Format(dialect.DayLayout), at.Format(layout))
		return dialect.Before{SQL: sql, Form: "texts, in UTC where they name no zone; a date alone is a whole day"}, nil
	case texts == all:
		return dialect.Before{}, &dialect.NoTimeError{Reason: fmt.Sprintf("%d of its %d texts are no times as SQLite writes them (2006-01-02 15:04:05)", all-times, all)}
	case numbers < all:
		return dialect.Before{}, &dialect.NoTimeError{Reason: fmt.Sprintf("it holds %d texts, %d whole numbers and %d other values, which cannot be compared with one boundary", texts, numbers, all-texts-numbers)}
	case least >= leastSeconds && most < leastMillis:
		return number(at.Unix(), "seconds since 1970")
	case least >= leastMillis && most < beyondMillis:
		return number(at.UnixMilli(), "milliseconds since 1970")
	}
	return dialect.Before{}, &dialect.NoTimeError{Reason: fmt.Sprintf("its numbers, from %d to %d, can be taken neither for seconds nor for milliseconds since 1970", least, most)}
}
