package mysql_test

import (
	"testing"

	"github.com/drover-dev/drover/internal/dialect/mysql"
)

func TestServer_KeepsPrepared(t *testing.T) {
	for version, want := range map[string]bool{
		"mariadb 10.4.34": false, "mariadb 10.5.1": true, "mariadb 10.11.14": true, "mariadb 11.4.2": true,
		"mysql 5.6.51": false, "mysql 5.7.6": false, "mysql 5.7.44": true, "mysql 8.4.0": true,
	} {
		if got := (mysql.Dialect{}).Server(version).KeepsPrepared; got != want {
			t.Errorf("%s keeps prepared transactions: %v", version, got)
		}
	}
}
