package mysql

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"time"
)

var errNotFinite = errors.New("the database has no infinite numbers and no NaN")

// CheckValue refuses times that the driver does not write, and numbers that are not finite.
func (Dialect) CheckValue(value driver.Value) error {
	switch v := value.(type) {
	case time.Time:
		if year := v.Year(); (year < 1 || year > 9999) && !v.IsZero() {
			return fmt.Errorf("the year %d is not between 1 and 9999", year)
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errNotFinite
		}
	}
	return nil
}
