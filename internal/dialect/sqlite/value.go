package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
)

var errNaN = errors.New("SQLite has no NaN; it would store NULL")

// CheckValue refuses integers that are larger than SQLite's, and NaN.
func (Dialect) CheckValue(value driver.Value) error {
	switch v := value.(type) {
	case uint64:
		if v > math.MaxInt64 {
			return fmt.Errorf("%d is larger than SQLite's integers are", v)
		}
	case float64:
		if math.IsNaN(v) {
			return errNaN
		}
	}
	return nil
}
