package sqltext

import "testing"

func TestTarget(t *testing.T) {
	tests := []struct {
		name   string
		syntax Syntax
		query  string
		verb   string
		table  string // "" is ok = false
	}{
		{"insert", Postgres, "INSERT INTO t (a) VALUES (1)", "INSERT", "t"},
		{"insert with alias", Postgres, `INSERT INTO s."T x" AS y VALUES (1);`, "INSERT", "s.T x"},
		{"insert defaults", Postgres, "insert into Orders default values", "INSERT", "Orders"},
		{"insert after with", Postgres, "WITH a AS (SELECT 1), b (c) AS NOT MATERIALIZED (SELECT 2) INSERT INTO t SELECT * FROM a", "INSERT", "t"},
		{"with named like a verb", Postgres, "WITH update AS (SELECT 1) DELETE FROM t", "DELETE", "t"},
		{"with search", Postgres, "WITH RECURSIVE a AS (SELECT 1) SEARCH DEPTH FIRST BY b SET c DELETE FROM t", "DELETE", "t"},
		{"comments and quotes", Postgres, "/* a */ UPDATE -- b\n \"A\"\"b\" SET c = ')'", "UPDATE", `A"b`},
		{"three parts", Postgres, "UPDATE a.b.c SET d = 1", "UPDATE", "a.b.c"},
		{"update only", Postgres, "UPDATE ONLY t * SET a = 1", "UPDATE", ""},
		{"update with star", Postgres, "UPDATE t * AS x SET a = 1", "UPDATE", "t"},
		{"update with alias", Postgres, "UPDATE t x SET a = 1 FROM u", "UPDATE", "t"},
		{"delete only", Postgres, `DELETE FROM ONLY "T" WHERE a = 1`, "DELETE", "T"},
		{"delete only in parentheses", Postgres, "DELETE FROM ONLY (s.t) USING u", "DELETE", "s.t"},
		{"delete all", Postgres, "DELETE FROM t", "DELETE", "t"},
		{"delete returning", Postgres, "DELETE FROM t AS x RETURNING *", "DELETE", "t"},
		{"jsonb operator", Postgres, "DELETE FROM t WHERE a ? 'b'", "DELETE", "t"},

		{"insert ignore", MySQL, "INSERT IGNORE INTO `a`.`b` (x) VALUES (1)", "INSERT", "a.b"},
		{"insert without into", MySQL, "INSERT LOW_PRIORITY t VALUES (1)", "INSERT", "t"},
		{"insert set", MySQL, "INSERT t SET a = 1", "INSERT", "t"},
		{"replace", MySQL, "REPLACE DELAYED INTO t SELECT 1", "REPLACE", "t"},
		{"partition", MySQL, "INSERT INTO t PARTITION (p) VALUES (1)", "INSERT", "t"},
		{"name that begins with a digit", MySQL, "INSERT INTO a.2024_t (x) VALUES (1)", "INSERT", "a.2024_t"},
		{"update low priority", MySQL, "UPDATE LOW_PRIORITY t SET a = 1 WHERE b = 'c' LIMIT 5", "UPDATE", "t"},
		{"update ignore", MySQL, "UPDATE IGNORE t AS x SET x.a = 1", "UPDATE", "t"},
		{"update many", MySQL, "UPDATE a, b SET a.x = 1, b.y = (SELECT 1, 2), a.z = 3 WHERE a.i = b.i", "UPDATE", "a, b"},
		{"update one of many", MySQL, "UPDATE items i JOIN s.month AS m ON i.id = m.id SET m.price = i.price", "UPDATE", "s.month"},
		{"update many by qualified name", MySQL, "UPDATE s.a LEFT JOIN s.b USING (i) SET s.a.x = 1", "UPDATE", "s.a"},
		{"update with a subquery", MySQL, "UPDATE t JOIN (SELECT id FROM u) v ON t.id = v.id SET t.a = 1", "UPDATE", "t"},
		{"update with index hint", MySQL, "UPDATE t USE INDEX (i) SET a = 1", "UPDATE", "t"},
		{"delete with options", MySQL, "DELETE LOW_PRIORITY QUICK IGNORE FROM t WHERE a = 1 ORDER BY b LIMIT 1", "DELETE", "t"},
		{"delete from partition", MySQL, "DELETE FROM t PARTITION (p) WHERE a", "DELETE", "t"},
		{"delete of two", MySQL, "DELETE t1, t2.* FROM t1 JOIN t2 ON t1.a = t2.a JOIN t3 WHERE t3.b", "DELETE", "t1, t2"},
		{"delete by alias", MySQL, "DELETE x FROM s.t AS x INNER JOIN u ON x.a = u.a", "DELETE", "s.t"},
		{"delete using", MySQL, "DELETE FROM a, b USING a INNER JOIN b WHERE a.i = b.i", "DELETE", "a, b"},
		{"delete of one using", MySQL, "DELETE FROM x USING t x, u WHERE x.a = u.a", "DELETE", "t"},
		{"load data", MySQL, "LOAD DATA LOCAL INFILE 'a' IGNORE INTO TABLE `b`.c FIELDS TERMINATED BY ','", "LOAD DATA", "b.c"},
		{"load xml", MySQL, "LOAD XML INFILE 'a' INTO TABLE t", "LOAD XML", "t"},

		{"sqlite: insert or replace", SQLite, "INSERT OR REPLACE INTO [a b] VALUES (1)", "INSERT", "a b"},
		{"sqlite: replace", SQLite, "REPLACE INTO main.`t`(a) VALUES (1)", "REPLACE", "main.t"},
		{"sqlite: update or ignore", SQLite, "UPDATE OR IGNORE t NOT INDEXED SET a = 1", "UPDATE", "t"},
		{"sqlite: indexed by", SQLite, "UPDATE t AS x INDEXED BY i SET a = 1", "UPDATE", "t"},
		{"sqlite: delete", SQLite, "WITH a AS (SELECT 1) DELETE FROM t INDEXED BY i WHERE b", "DELETE", "t"},

		{"empty", Postgres, "", "", ""},
		{"select", Postgres, "SELECT 1", "", ""},
		{"two statements", Postgres, "DELETE FROM a; DELETE FROM b", "", ""},
		{"two semicolons", Postgres, "DELETE FROM a;;", "", ""},
		{"open string", Postgres, "DELETE FROM a WHERE b = 'c", "", ""},
		{"writing common table expression", Postgres, "WITH a AS (DELETE FROM t RETURNING *) SELECT 1", "", ""},
		{"writing common table expression before a verb", Postgres, "WITH a AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM a", "", ""},
		{"dot in a name", Postgres, `DELETE FROM "a.b"`, "", ""},
		{"comma in a name", Postgres, `DELETE FROM "a, b"`, "", ""},
		{"Unicode escapes", Postgres, `DELETE FROM U&"\0041"`, "", ""},
		{"replace in PostgreSQL", Postgres, "REPLACE INTO t VALUES (1)", "", ""},
		{"insert without into in PostgreSQL", Postgres, "INSERT t VALUES (1)", "", ""},
		{"name is missing", Postgres, "UPDATE SET a = 1", "", ""},
		{"what follows is strange", Postgres, "DELETE FROM t u v", "", ""},
		{"merge", Postgres, "MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE", "", ""},
		{"executable comment", MySQL, "DELETE FROM /*!99999 a */ b", "", ""},
		{"update many without qualifier", MySQL, "UPDATE a JOIN b ON a.i = b.i SET x = 1", "", ""},
		{"update many of an unknown table", MySQL, "UPDATE a JOIN b ON a.i = b.i SET c.x = 1", "", ""},
		{"update of a nested join", MySQL, "UPDATE (a JOIN b) SET a.x = 1", "", ""},
		{"update of a subquery", MySQL, "UPDATE t, (SELECT 1) AS d SET d.a = 1", "", ""},
		{"delete of an unknown table", MySQL, "DELETE x FROM t JOIN u", "", ""},
		{"delete of an ambiguous table", MySQL, "DELETE t FROM a.t JOIN b.t", "", ""},
		{"string as a name", MySQL, `DELETE FROM "t"`, "", ""},
		{"load data without table", MySQL, "LOAD DATA INFILE 'a' INTO t", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			verb, table, ok := Target(tt.syntax, tt.query)
			want := tt.verb
			if tt.table == "" {
				want = ""
			}
			if verb != want || table != tt.table || ok != (tt.table != "") {
				t.Errorf("Target(%q) = %q, %q, %v; want %q, %q", tt.query, verb, table, ok, want, tt.table)
			}
		})
	}
}

// FuzzTarget checks that no text makes Target fail, and that what it tells
// agrees with Classify.
func FuzzTarget(f *testing.F) {
	for _, query := range hostile {
		f.Add(query)
	}
	for _, query := range []string{
		"INSERT INTO t VALUES (1)", "UPDATE a, b SET a.x = 1, b.y = 2", "DELETE a.*, b FROM a JOIN b", "LOAD DATA INFILE 'a' INTO TABLE t",
		"WITH a AS (SELECT 1) DELETE FROM t", "UPDATE ONLY (t) SET", "DELETE FROM t PARTITION", "INSERT OR", "UPDATE t NOT",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for name, s := range syntaxes() {
			verb, table, ok := Target(s, query)
			if ok != (table != "") || ok != (verb != "") {
				t.Fatalf("%s: Target(%q) = %q, %q, %v", name, query, verb, table, ok)
			}
			if ok && Classify(s, query) != Writes {
				t.Fatalf("%s: Target(%q) = %q, %q, but its class is %b", name, query, verb, table, Classify(s, query))
			}
		}
	})
}
