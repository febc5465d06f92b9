// Package testdb gives tests real databases: PostgreSQL and MariaDB servers of the test binary's own, and SQLite files.
//
// A test that must hold on every database runs once for each, with a fresh database:
//
//	func TestMain(m *testing.M) { testdb.Main(m) }
//
//	func TestInsert(t *testing.T) {
//		testdb.Each(t, func(t *testing.T, d testdb.Database) {
//			conn := open(t, d.URL)
//			before := d.Dump(t)
//			…
//			if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
//				t.Errorf("the database has changed (-before +after):\n%s", diff)
//			}
//		})
//	}
//
// # Servers
//
// The server programs must be installed; scripts/install-servers.sh does that. A test that needs a missing one fails: it
// is never skipped.
//
// All tests of a binary share one server of each kind, [Postgres] and [MariaDB], which starts when it is first asked for,
// in about a tenth of a second, and makes a database in a hundredth. A test that stops or kills its server starts one of
// its own with [NewPostgres] or [NewMariaDB]. Servers listen on 127.0.0.1 only, on a port that no other test binary gets,
// and their files lie in a temporary folder. They end with the test binary, also when that is killed.
//
// Tests log in as [User] with [Password], who is no administrator; Server.Admin is for what only an administrator may do.
//
// # Faults
//
// Server.Kill and Server.Start crash a server and recover it. A [Proxy] cuts connections, refuses them, swallows answers
// and loses the answer of a COMMIT. A [Standby] follows a server; it can be made to lag, cut off and promoted.
package testdb
