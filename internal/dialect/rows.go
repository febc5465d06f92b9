package dialect

import "context"

// Each runs a query and calls row once for every row of its answer, with the function that scans it.
func Each(ctx context.Context, q Queryer, query string, args []any, row func(scan func(dest ...any) error) error) (err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
