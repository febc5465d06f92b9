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

// Names returns the answer of a query for one column of text.
func Names(ctx context.Context, q Queryer, query string, args ...any) ([]string, error) {
	var names []string
	err := Each(ctx, q, query, args, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}
