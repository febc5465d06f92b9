package mysql

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/internal/dialect"
)

// wrongValue is ER_TRUNCATED_WRONG_VALUE: "Truncated incorrect DOUBLE value: 'Ada'".
const wrongValue = 1292

// Converted reads the warnings. In strict mode MySQL makes such a value an error of DELETE and UPDATE, and MariaDB does not; in a SELECT both only warn.
func (Dialect) Converted(ctx context.Context, q dialect.Queryer) (first string, err error) {
	err = dialect.Each(ctx, q, "SHOW WARNINGS", nil, func(scan func(...any) error) error {
		var level, message string
		var code int
		err := scan(&level, &code, &message)
		if first == "" && level == "Warning" && code == wrongValue {
			first = message
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("ask for the warnings: %w", err)
	}
	return first, nil
}
