package dialect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestCatalogMySQL_KeysThatCannotServe(t *testing.T) {
	c, catalog := connect(t, testdb.NameMariaDB)
	c.exec(t, `CREATE TABLE t (
	  kind enum('b', 'a') NOT NULL, name varchar(100) NOT NULL, opt integer, f float NOT NULL, big decimal(30, 0) NOT NULL,
	  small decimal(10, 2) NOT NULL, b varbinary(16) NOT NULL,
	  PRIMARY KEY (kind, name), UNIQUE KEY prefix (name(5)), UNIQUE KEY nullable (opt), UNIQUE KEY f (f), UNIQUE KEY big (big),
	  UNIQUE KEY two (small, name), UNIQUE KEY bin (b))`)
	got := table(t, c, catalog, "t")
	if diff := cmp.Diff([]string{"b", "small,name"}, keyColumns(got)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	name, _ := got.Column("name")
	b, _ := got.Column("b")
	if !name.TextBytes || b.TextBytes {
		t.Errorf("TextBytes is %v for a varchar and %v for a varbinary", name.TextBytes, b.TextBytes)
	}
}

func TestCatalogMySQL_EngineWithoutTransactions(t *testing.T) {
	c, catalog := connect(t, testdb.NameMariaDB)
	c.exec(t, `CREATE TABLE t (id integer PRIMARY KEY) ENGINE = MyISAM`)
	if !table(t, c, catalog, "t").NotTransactional {
		t.Error("a MyISAM table does not roll back")
	}
}

func TestCatalogMySQL_NoActionIsRestrict(t *testing.T) {
	c, catalog := connect(t, testdb.NameMariaDB)
	c.exec(t,
		`CREATE TABLE t (id integer PRIMARY KEY)`,
		`CREATE TABLE u (t integer, CONSTRAINT ut FOREIGN KEY (t) REFERENCES t (id) ON DELETE NO ACTION)`)
	if refs := table(t, c, catalog, "t").References; len(refs) != 1 || refs[0].OnDelete != "RESTRICT" {
		t.Errorf("references: %+v", refs)
	}
}
