package runstore

import (
	"context"
	"fmt"
	"time"
)

// Clock reads the database's clock, in UTC.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	var now moment
	err := s.each(ctx, "SELECT {now}", nil, func(scan scan) error { return scan(&now) })
	if err != nil {
		return time.Time{}, fmt.Errorf("read the database's clock: %w", err)
	}
	return now.Time, nil
}
