package command_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// failure is a command line that fails, and the code it ends with.
type failure struct {
	args []string
	code int
}

// fails is a command line, split at its blanks, with more arguments after it.
func fails(code int, line string, more ...string) failure {
	return failure{append(strings.Fields(line), more...), code}
}

// failing runs the whole program for each command line, and compares what a user reads with the golden file of one kind of error on one database. more
// are further variables of the environment.
func (b *bench) failing(t *testing.T, kind, address string, tests []failure, more ...string) {
	t.Helper()
	golden(t, "errors/"+kind+"."+b.Name, b.transcripts(t, address, tests, more...))
}

// transcripts runs the whole program for each command line.
func (b *bench) transcripts(t *testing.T, address string, tests []failure, more ...string) string {
	t.Helper()
	var all strings.Builder
	for _, tt := range tests {
		var stderr bytes.Buffer
		environ := append([]string{"DATABASE_URL=" + address}, more...)
		code := newApp().Run(t.Context(), drover.Env{Args: append(tt.args, "--progress", "none"), Environ: environ, Stderr: &stderr})
		all.WriteString(b.transcript(t, tt, code, stderr.String()))
	}
	return all.String()
}

// transcript is what a user has typed and read. No password may be in it.
func (b *bench) transcript(t *testing.T, tt failure, code int, stderr string) string {
	t.Helper()
	line := strings.Join(tt.args, " ")
	if code != tt.code {
		t.Errorf("%s: exit code %d, want %d\n%s", line, code, tt.code, stderr)
	}
	for _, secret := range []string{testdb.Password, wrongPassword} {
		if strings.Contains(stderr, secret) {
			t.Errorf("%s: the password is in\n%s", line, stderr)
		}
	}
	return port.ReplaceAllString(b.stable(fmt.Sprintf("$ drover %s\n%s(exit %d)\n\n", line, stderr, code)), ":PORT")
}

var port = regexp.MustCompile(`:\d{5}\b`)

const wrongPassword = "hunter2-and-a-half"

// as is the bench's address with another user.
func (b *bench) as(t *testing.T, user, password string) string {
	t.Helper()
	u, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// people makes a table with columns of several types.
func (b *bench) people(t *testing.T) {
	t.Helper()
	b.exec(t, `CREATE TABLE people (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, born date, age integer)`,
		`INSERT INTO people VALUES (1, 'Ada', '1815-12-10', 36), (2, 'Grace', '1906-12-09', 85), (3, 'Mary', '1797-08-30', 53)`)
}

func TestErrors_UnknownNames(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.people(t)
		b.mustRun(t, "init")
		b.unchanged(t, func() {
			b.failing(t, "unknown", b.URL, []failure{
				fails(2, "purge --all --table poeple"),
				fails(2, "purge --all --table invoices"),
				fails(2, "backfill --table poeple --set", "age = 1"),
				fails(2, "export - --table poeple"),
				fails(2, "inspect poeple"),
				fails(2, "purge --table people --where", "namee = 'Ada'"),
				fails(2, "backfill --table people --set", "aeg = 1"),
				fails(2, "backfill --table people --set", "age = aeg + 1"),
				fails(2, "backfill --table people --set", "age = 1", "--where", "namee = 'Ada'"),
				fails(2, "export - --table people --where", "namee = 'Ada'"),
				fails(2, "export - --table people --columns id,namee"),
				fails(2, "purge --table people --all --database defaul"),
				fails(2, "export - --table people --database reporting"),
				fails(2, "copy --from defaul --to default --table people"),
				fails(2, "runs show 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
				fails(2, "runs resume 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
				fails(2, "undo 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
				fails(2, "purge --table people --all --no-input --resume 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
				fails(1, "prge --table people --all"),
				fails(2, "purge --tabel people --all"),
			})
		})
	})
}

// Values that are too long or missing are found by all of them when they are written. PostgreSQL also looks at types before. MariaDB converts what is
// compared, with a warning, which the count looks for. SQLite compares values of any two types.
func TestErrors_WrongTypes(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.people(t)
		tests := []failure{fails(1, "backfill --table people --no-input -v 0 --set", "name = NULL")}
		switch b.Name {
		case testdb.NamePostgres:
			tests = append(tests,
				fails(2, "purge --table people --no-input --where", "born < 'yesterday-ish'"),
				fails(2, "purge --table people --no-input --where", "age = 'old'"),
				fails(2, "purge --table people --no-input --where", "name"),
				fails(2, "purge --table people --no-input --where", "age + name > 3"),
				fails(2, "export - --table people --where", "born < 'yesterday-ish'"),
				fails(2, "backfill --table people --no-input --set", "age = name"),
				fails(2, "backfill --table people --no-input --set", "name = 'a name that is far too long for it'"))
		case testdb.NameMariaDB:
			tests = append(tests,
				fails(2, "purge --table people --no-input --where", "born < 'yesterday-ish'"),
				fails(2, "purge --table people --no-input --where", "age = 'old'"),
				fails(2, "purge --table people --no-input --where", "age + name > 3"),
				fails(2, "backfill --table people --no-input --set", "age = 1", "--where", "name = 1"),
				fails(1, "backfill --table people --no-input -v 0 --set", "age = name"),
				fails(1, "backfill --table people --no-input -v 0 --set", "name = 'a name that is far too long for it'"))
		case testdb.NameSQLite: // which looks at types in STRICT tables, at rowids, and where a CHECK does
			b.exec(t, "CREATE TABLE strict (id integer NOT NULL PRIMARY KEY, age integer) STRICT", "INSERT INTO strict VALUES (1, 36)",
				"CREATE TABLE checked (id integer NOT NULL PRIMARY KEY, age CHECK (typeof(age) = 'integer'))", "INSERT INTO checked VALUES (1, 36)")
			tests = append(tests,
				fails(1, "backfill --table strict --no-input -v 0 --set", "age = 'old'"),
				fails(1, "backfill --table checked --no-input -v 0 --set", "age = 'old'"))
			t.Chdir(t.TempDir())
			for name, text := range map[string]string{"age.csv": "id,age\n2,old\n", "key.csv": "id,name\nfour,Ida\n"} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tests = append(tests,
				fails(1, "import age.csv --table strict --no-input -v 0"),
				fails(1, "import age.csv --table checked --no-input -v 0"),
				fails(1, "import key.csv --table people --no-input -v 0"))
		}
		b.failing(t, "types", b.URL, tests)
		b.wantCount(t, "SELECT count(*) FROM people WHERE name IN ('Ada', 'Grace', 'Mary') AND age > 30", 3)
	})
}
