package sqltext

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClassify(t *testing.T) {
	const commits = Writes | ImplicitCommit
	tests := []struct {
		query                   string
		postgres, mysql, sqlite Class
	}{
		{"", 0, 0, 0},
		{" ; -- a\n;/* b */", 0, 0, 0},
		{"SELECT 1", Reads, Reads, Reads},
		{" \n select 1;", Reads, Reads, Reads},
		{"-- a\n/* b */ SELECT 1", Reads, Reads, Reads},
		{"(SELECT 1) UNION (SELECT 2)", Reads, Reads, Reads},
		{"VALUES (1)", Reads, Reads, Reads},
		{"TABLE t", Reads, Reads, Reads},
		{"SHOW TABLES", Reads, Reads, Reads},
		{"SELECTED", Writes, Writes, Writes},
		{"INSERT INTO t VALUES (1)", Writes, Writes, Writes},
		{"replace into t values (1)", Writes, Writes, Writes},
		{"MERGE INTO t", Writes, Writes, Writes},
		{"CALL p()", Writes | Opaque, Writes | Opaque, Writes | Opaque},
		{"EXECUTE IMMEDIATE 'COMMIT'", Writes | Opaque, Writes | Opaque, Writes | Opaque},
		{"EXPLAIN (; COMMIT", Reads | TransactionControl, Reads | TransactionControl, Reads | TransactionControl},
		{"DO $$ BEGIN COMMIT; END $$", Writes | Opaque, Writes | Opaque | TransactionControl, Writes | Opaque | TransactionControl},
		{"UPDATE t SET a = 'b; COMMIT'", Writes, Writes, Writes},
		{"DELETE FROM t; COMMIT", Writes | TransactionControl, Writes | TransactionControl, Writes | TransactionControl},
		{"SELECT 1;;SAVEPOINT a", Reads | SavepointControl, Reads | SavepointControl, Reads | SavepointControl},

		{"BEGIN", TransactionControl, TransactionControl, TransactionControl},
		{"begin immediate", TransactionControl, TransactionControl, TransactionControl},
		{"START TRANSACTION READ ONLY", TransactionControl, TransactionControl, TransactionControl},
		{"COMMIT", TransactionControl, TransactionControl, TransactionControl},
		{"COMMIT PREPARED 'a'", TransactionControl, TransactionControl, TransactionControl},
		{"END", TransactionControl, TransactionControl, TransactionControl},
		{"ABORT", TransactionControl, TransactionControl, TransactionControl},
		{"ROLLBACK", TransactionControl, TransactionControl, TransactionControl},
		{"ROLLBACK WORK", TransactionControl, TransactionControl, TransactionControl},
		{"ROLLBACK PREPARED 'a'", TransactionControl, TransactionControl, TransactionControl},
		{"ROLLBACK AND CHAIN", TransactionControl, TransactionControl, TransactionControl},
		{"ROLLBACK TO a", SavepointControl, SavepointControl, SavepointControl},
		{"ROLLBACK /* b */ WORK TO SAVEPOINT a", SavepointControl, SavepointControl, SavepointControl},
		{"ROLLBACK TRANSACTION TO a", SavepointControl, SavepointControl, SavepointControl},
		{"SAVEPOINT a", SavepointControl, SavepointControl, SavepointControl},
		{"RELEASE SAVEPOINT a", SavepointControl, SavepointControl, SavepointControl},
		{"PREPARE TRANSACTION 'a'", TransactionControl, TransactionControl, TransactionControl},
		{"PREPARE a AS SELECT 1", Session, Session, Session},
		{"XA START 'a'", TransactionControl, TransactionControl, TransactionControl},
		{"/* a */ -- b\n cOmMiT", TransactionControl, TransactionControl, TransactionControl},
		{"--\rCOMMIT", TransactionControl, 0, 0},
		{"--COMMIT", 0, Writes, 0},
		{"\uFEFFCOMMIT", Writes, Writes, TransactionControl},

		{"SET a = 1", Session, Session, Session},
		{"SET autocommit = 1", TransactionControl, TransactionControl, TransactionControl},
		{"set @x = 1, session AUTOCOMMIT=0", TransactionControl, TransactionControl, TransactionControl},
		{"SET @@autocommit := 1", TransactionControl, TransactionControl, Session},
		{"SET @@session.autocommit = 1", TransactionControl, TransactionControl, TransactionControl},
		{"SET @@session.`autocommit` = 1", TransactionControl, TransactionControl, TransactionControl},
		{"SET @autocommit = 1", TransactionControl, Session, Session},
		{"SET a = 'autocommit = 1'", Session, Session, Session},
		{"SET `", Session, Session, Session},
		{"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", TransactionSettings, TransactionSettings, TransactionSettings},
		{"SET SESSION TRANSACTION READ ONLY", TransactionSettings, TransactionSettings, TransactionSettings},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", TransactionSettings, TransactionSettings, TransactionSettings},
		{"SET PASSWORD = 'a'", Session, commits, Session},
		{"SET STATEMENT max_statement_time = 1 FOR SELECT 1", Session, Reads, Session},
		{"SET STATEMENT max_statement_time = 1 FOR COMMIT", Session, TransactionControl, Session},
		{"USE a", Session, Session, Session},
		{"RESET ALL", Session, commits, Session},
		{"RESET PERSIST", Session, Session, Session},

		{"CREATE TABLE t (a int)", Writes, commits, Writes},
		{"CREATE TEMPORARY TABLE t (a int)", Writes, Writes, Writes},
		{"CREATE OR REPLACE TEMPORARY TABLE t (a int)", Writes, Writes, Writes},
		{"CREATE OR REPLACE VIEW v AS SELECT 1", Writes, commits, Writes},
		{"CREATE TEMPORARY SEQUENCE s", Writes, commits, Writes},
		{"CREATE /*!32302 TEMPORARY */ TABLE t (a int)", Writes, commits, Writes},
		{"CREATE INDEX i ON t (a)", Writes, commits, Writes},
		{"DROP TEMPORARY TABLE t", Writes, Writes, Writes},
		{"DROP TABLE t", Writes, commits, Writes},
		{"DROP PREPARE a", Session, Session, Session},
		{"ALTER TABLE t ADD a int", Writes, commits, Writes},
		{"TRUNCATE t", Writes, commits, Writes},
		{"RENAME TABLE a TO b", Writes, commits, Writes},
		{"LOCK TABLES t WRITE", Writes, commits, Writes},
		{"UNLOCK TABLES", Writes, commits, Writes},
		{"OPTIMIZE TABLE t", Writes, commits, Writes},
		{"REPAIR TABLE t", Writes, commits, Writes},
		{"CHECK TABLE t", Writes, commits, Writes},
		{"CHECKSUM TABLE t", Reads, Reads, Reads},
		{"ANALYZE TABLE t", Writes, commits, Writes},
		{"ANALYZE NO_WRITE_TO_BINLOG TABLE t", Writes, commits, Writes},
		{"ANALYZE FORMAT=JSON SELECT 1", Writes, Reads, Writes},
		{"ANALYZE DELETE FROM t", Writes, Writes, Writes},
		{"FLUSH TABLES", Writes, commits, Writes},
		{"GRANT SELECT ON t TO u", Writes, commits, Writes},
		{"REVOKE SELECT ON t FROM u", Writes, commits, Writes},
		{"LOAD INDEX INTO CACHE t", Writes, commits, Writes},
		{"LOAD DATA INFILE 'a' INTO TABLE t", Writes, Writes, Writes},
		{"CACHE INDEX t IN a", Writes, commits, Writes},
		{"INSTALL SONAME 'a'", Writes, commits, Writes},
		{"CHANGE MASTER TO MASTER_HOST = 'a'", Writes, commits, Writes},
		{"START REPLICA", Writes, commits, Writes},
		{"STOP SLAVE", Writes, commits, Writes},

		{"/*! COMMIT */", 0, TransactionControl, 0},
		{"/*M!100100 DROP TABLE t */", 0, commits, 0},
		{"/*!99999 SELECT 1 */ COMMIT", TransactionControl, Reads | TransactionControl, TransactionControl},
		{"/*!99999 ' */ COMMIT -- '", TransactionControl, Writes | TransactionControl, TransactionControl},
		{"/*!99999 /* */ ' */ COMMIT -- '", TransactionControl, Writes | TransactionControl, Writes},
		{"SELECT 1 /*! ; COMMIT */", Reads, Reads | TransactionControl, Reads},

		{"EXPLAIN DELETE FROM t", Reads, Reads, Reads},
		{"EXPLAIN ANALYZE DELETE FROM t", Writes, Writes, Writes},
		{"EXPLAIN (COSTS OFF, ANALYZE) UPDATE t SET a = 1", Writes, Writes, Writes},
		{"EXPLAIN (COSTS OFF) UPDATE t SET a = 1", Reads, Reads, Reads},
		{"EXPLAIN ANALYZE SELECT 1", Reads, Reads, Reads},
		{"EXPLAIN ANALYZE ((SELECT 1))", Reads, Reads, Reads},
		{"EXPLAIN QUERY PLAN SELECT 1", Reads, Reads, Reads},
		{"DESCRIBE t", Reads, Reads, Reads},
		{"WITH a AS (SELECT 1) SELECT * FROM a", Reads, Reads, Reads},
		{"WITH a AS (SELECT 1) DELETE FROM t", Writes, Writes, Writes},
		{"WITH RECURSIVE update (b) AS (SELECT (replace(c, 'd', ''))) SELECT 1", Reads, Reads, Reads},
		{"WITH a AS (DELETE FROM t RETURNING b) SELECT * FROM a", Writes, Writes, Writes},
		{"WITH a AS (SELECT 1) SEARCH DEPTH FIRST BY b SET c UPDATE t SET d = 1", Writes, Writes, Writes},

		{"PRAGMA journal_mode", Reads, Reads, Reads},
		{"PRAGMA main.journal_mode", Reads, Reads, Reads},
		{"PRAGMA journal_mode = WAL", Writes, Writes, Writes},
		{"PRAGMA journal_mode(WAL)", Writes, Writes, Writes},
		{"PRAGMA table_info('t')", Reads, Reads, Reads},
		{"PRAGMA incremental_vacuum", Writes, Writes, Writes},
		{"( ;", Writes, Writes, Writes},
		{"'a'", Writes, Writes, Writes},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			got := []Class{Classify(Postgres, tt.query), Classify(MySQL, tt.query), Classify(SQLite, tt.query)}
			if diff := cmp.Diff([]Class{tt.postgres, tt.mysql, tt.sqlite}, got); diff != "" {
				t.Errorf("Classify on Postgres, MySQL, SQLite (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatements(t *testing.T) {
	tests := []struct {
		name   string
		syntax Syntax
		query  string
		want   []Statement
	}{
		{"none", Postgres, " ; -- a\n ;", nil},
		{"one", Postgres, " select ';' ; ", []Statement{{Pos: 1, Text: "select ';'", Verb: "SELECT", Class: Reads}}},
		{"three", SQLite, "/* a */ BEGIN; frobnicate; (SELECT 1)", []Statement{
			{Pos: 0, Text: "/* a */ BEGIN", Verb: "BEGIN", Class: TransactionControl},
			{Pos: 15, Text: "frobnicate", Verb: "FROBNICATE", Class: Writes},
			{Pos: 27, Text: "(SELECT 1)", Verb: "SELECT", Class: Reads},
		}},
		{"executable comment", MySQL, "/*! SET a = 1; COMMIT */; 'a'", []Statement{
			{Pos: 0, Text: "/*! SET a = 1", Verb: "SET", Class: Session},
			{Pos: 15, Text: "COMMIT */", Verb: "COMMIT", Class: TransactionControl},
			{Pos: 26, Text: "'a'", Verb: "", Class: Writes},
		}},
		{"trigger", SQLite, "CREATE TEMP TRIGGER t AFTER DELETE ON a BEGIN SELECT CASE WHEN 1 THEN 2 END, b.end, end; DELETE FROM b; END; END", []Statement{
			{Pos: 0, Text: "CREATE TEMP TRIGGER t AFTER DELETE ON a BEGIN SELECT CASE WHEN 1 THEN 2 END, b.end, end; DELETE FROM b; END", Verb: "CREATE", Class: Writes},
			{Pos: 109, Text: "END", Verb: "END", Class: TransactionControl},
		}},
		{"trigger without its end", SQLite, "CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT 1; COMMIT", []Statement{
			{Pos: 0, Text: "CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT 1", Verb: "CREATE", Class: Writes},
			{Pos: 51, Text: "COMMIT", Verb: "COMMIT", Class: TransactionControl},
		}},
		{"begin as a name", SQLite, "CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT begin; END; COMMIT; END", []Statement{
			{Pos: 0, Text: "CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT begin; END", Verb: "CREATE", Class: Writes},
			{Pos: 60, Text: "COMMIT", Verb: "COMMIT", Class: TransactionControl},
			{Pos: 68, Text: "END", Verb: "END", Class: TransactionControl},
		}},
		{"table", SQLite, "CREATE TABLE trigger (a); BEGIN; END", []Statement{
			{Pos: 0, Text: "CREATE TABLE trigger (a)", Verb: "CREATE", Class: Writes},
			{Pos: 26, Text: "BEGIN", Verb: "BEGIN", Class: TransactionControl},
			{Pos: 33, Text: "END", Verb: "END", Class: TransactionControl},
		}},
		{"function", Postgres, "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; COMMIT", []Statement{
			{Pos: 0, Text: "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END", Verb: "CREATE", Class: Writes},
			{Pos: 95, Text: "COMMIT", Verb: "COMMIT", Class: TransactionControl},
		}},
		{"procedure", MySQL, "CREATE PROCEDURE p() BEGIN IF a THEN BEGIN COMMIT; END; END IF; CASE b WHEN 1 THEN SET c = 1; END CASE; END; COMMIT", []Statement{
			{Pos: 0, Text: "CREATE PROCEDURE p() BEGIN IF a THEN BEGIN COMMIT; END; END IF; CASE b WHEN 1 THEN SET c = 1; END CASE; END", Verb: "CREATE", Class: Writes | ImplicitCommit},
			{Pos: 109, Text: "COMMIT", Verb: "COMMIT", Class: TransactionControl},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, slices.Collect(Statements(tt.syntax, tt.query))); diff != "" {
				t.Errorf("Statements(%q) (-want +got):\n%s", tt.query, diff)
			}
		})
	}
	for st := range Statements(Postgres, "SELECT 1; SELECT 2") {
		if st.Pos != 0 {
			t.Errorf("Statements goes on after the loop has ended: %+v", st)
		}
		break
	}
}

// FuzzClassify checks that the quick way and the long way agree, that Classify
// finds what Statements finds, and that a COMMIT behind any complete text is
// seen.
func FuzzClassify(f *testing.F) {
	for _, query := range hostile {
		f.Add(query)
	}
	for _, query := range []string{
		"SELECT 1", "insert into t values (?)", "SET `", "SET PASSWORD", "WITH a AS (SELECT 1) SELECT 1", "EXPLAIN (ANALYZE) SELECT 1",
		"PRAGMA a(b)", "SET STATEMENT a=1 FOR SET STATEMENT b=1 FOR COMMIT", "CREATE OR REPLACE TEMPORARY TABLE", "((SELECT 1))",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for name, s := range syntaxes() {
			class := Classify(s, query)
			if long := (lexer{syntax: s, text: query}).classify(); class&long != long {
				t.Fatalf("%s: Classify(%q) = %b, by its tokens %b", name, query, class, long)
			}
			var union Class
			end := 0
			for st := range Statements(s, query) {
				union |= st.Class
				if st.Pos < end || st.Text == "" || !strings.HasPrefix(query[st.Pos:], st.Text) {
					t.Fatalf("%s: statement %+v of %q", name, st, query)
				}
				end = st.Pos + len(st.Text)
			}
			if class&union != union {
				t.Fatalf("%s: Classify(%q) = %b, Statements has %b", name, query, class, union)
			}
			if !complete(s, query) {
				continue
			}
			if got := Classify(s, query+"\n;COMMIT"); !got.Has(TransactionControl) {
				t.Fatalf("%s: the COMMIT after %q is not seen", name, query)
			}
		}
	})
}

// complete reports whether a text that follows query stands for itself.
func complete(s Syntax, query string) bool {
	last := Token{}
	for token := range Tokens(s, query) {
		last = token
	}
	return !last.Unterminated
}

func TestClassify_AllocatesNothing(t *testing.T) {
	for _, query := range []string{
		"SELECT 1", "commit", "SET a = 1", "WITH a AS (SELECT 1) SELECT 1", "CREATE TEMPORARY TABLE t (a int)", "/*! COMMIT */; SELECT 1",
		"EXPLAIN ANALYZE SELECT 1", "frobnicate",
	} {
		if n := testing.AllocsPerRun(100, func() { Classify(MySQL, query) }); n != 0 && query != "frobnicate" {
			t.Errorf("Classify(%q) allocates %v times", query, n)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, bb := range []struct{ name, query string }{
		{"select", "SELECT id, email, created_at FROM accounts WHERE tenant_id = ? AND id > ? ORDER BY id LIMIT 1000"},
		{"update", "UPDATE accounts SET balance = balance - ?, updated_at = ? WHERE id = ? AND balance >= ?"},
		{"insert 4 KiB", "INSERT INTO t (a, b) VALUES " + strings.Repeat("(?, ?), ", 512)},
		{"commit", "COMMIT"},
		{"semicolon inside", "UPDATE t SET a = 'b;c' WHERE id = ?"},
		{"with", "WITH a AS (SELECT id FROM t WHERE b = ?) SELECT * FROM a"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(MySQL, bb.query)
			}
		})
	}
}
