package dialect_test

import (
	"testing"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/mysql"
	"github.com/drover-dev/drover/internal/dialect/postgres"
	"github.com/drover-dev/drover/internal/dialect/sqlite"
)

func TestVersionOlder(t *testing.T) {
	for _, tt := range []struct {
		dialect dialect.Dialect
		version string
		older   bool
	}{
		{postgres.Dialect{}, "postgres 12.22", true},
		{postgres.Dialect{}, "postgres 13.0", false},
		{postgres.Dialect{}, "postgres 18beta1", false},
		{mysql.Dialect{}, "mariadb 10.5.29", true},
		{mysql.Dialect{}, "mariadb 10.6.0", false},
		{mysql.Dialect{}, "mariadb 11.4.2", false},
		{mysql.Dialect{}, "mysql 5.7.44", true},
		{mysql.Dialect{}, "mysql 8.0.3", true},
		{mysql.Dialect{}, "mysql 8.0.4", false},
		{mysql.Dialect{}, "mysql 9.1.0", false},
		{sqlite.Dialect{}, "sqlite 3.34.1", true},
		{sqlite.Dialect{}, "sqlite 3.54.1", false},
	} {
		if got := dialect.VersionOlder(tt.version, tt.dialect.Oldest(tt.version)); got != tt.older {
			t.Errorf("%s: older than %s: %v", tt.version, tt.dialect.Oldest(tt.version), got)
		}
	}
}
