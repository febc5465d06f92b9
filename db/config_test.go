package db_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// writeConfig writes a drover.toml and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drover.toml")
	noError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// marked makes an SQLite file that holds one word, and returns its URL, so that a test sees which database it was given.
func marked(t *testing.T, word string) string {
	t.Helper()
	address := testdb.SQLite(t)
	conn := open(t, testdb.Database{Name: testdb.NameSQLite, URL: address})
	noError(t, conn.Exec(t.Context(), "CREATE TABLE mark AS SELECT ? AS word", word))
	return address
}

func TestConfig_Precedence(t *testing.T) {
	file, env, flag, fallback := marked(t, "file"), marked(t, "environment"), marked(t, "flag"), marked(t, "default")
	config := `
		[databases.default]
		url = "` + file + `"
		[databases.reports]
		url = "` + file + `"
		[databases.only_file]
		url = "` + file + `"
	`
	tests := []struct {
		name, file string
		environ    []string
		fallback   string
		ask, want  string
	}{
		{"default", "", nil, fallback, "default", "default"},
		{"file over default", config, nil, fallback, "default", "file"},
		{"environment over file", config, []string{"DATABASE_URL=" + env}, fallback, "default", "environment"},
		{"environment over default", "", []string{"DATABASE_URL=" + env}, fallback, "default", "environment"},
		{"alias in the environment", config, []string{"DATABASE_URL_REPORTS=" + env}, "", "reports", "environment"},
		{"other alias", config, []string{"DATABASE_URL_REPORTS=" + env, "DATABASE_URL=" + env}, "", "only_file", "file"},
		{"flag over all", config, []string{"DATABASE_URL=" + env}, fallback, flag, "flag"},
		{"an empty variable is none", config, []string{"DATABASE_URL="}, "", "default", "file"},
		{"other variables", config, []string{"DATABASE_URLS=" + env, "MY_DATABASE_URL=" + env, "DATABASE_URL_=" + env}, "", "default", "file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := db.ConfigOptions{Environ: test.environ, Default: test.fallback}
			if test.file != "" {
				options.File = writeConfig(t, test.file)
			} else {
				t.Chdir(t.TempDir()) // no drover.toml
			}
			registry, err := db.LoadConfig(options)
			noError(t, err)
			defer func() { noError(t, registry.Close()) }()
			conn, err := registry.Get(t.Context(), test.ask)
			noError(t, err)
			var word string
			noError(t, conn.QueryRow(t.Context(), "SELECT word FROM mark").Scan(&word))
			if word != test.want {
				t.Errorf("got the database of the %s, want that of the %s", word, test.want)
			}
		})
	}
}

func TestConfig_FileInTheWorkingDirectory(t *testing.T) {
	address := marked(t, "here")
	t.Chdir(t.TempDir())
	registry, err := db.LoadConfig(db.ConfigOptions{})
	noError(t, err)
	if got := registry.Aliases(); len(got) != 0 {
		t.Errorf("without a file there are %q", got)
	}
	noError(t, os.WriteFile("drover.toml", []byte("[databases.here]\nurl = \""+address+"\""), 0o600))
	registry, err = db.LoadConfig(db.ConfigOptions{Environ: []string{"DATABASE_URL_THERE=" + address}})
	noError(t, err)
	if diff := cmp.Diff([]string{"here", "there"}, registry.Aliases()); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
}

func TestConfig_UnknownAlias(t *testing.T) {
	tests := []struct {
		name, alias string
		environ     []string
		want, hint  string
	}{
		{"none", "default", nil, `no database "default": none is configured`, "set DATABASE_URL, or add [databases.default] with a url to drover.toml"},
		{
			"some", "report",
			[]string{"DATABASE_URL_REPORTS=sqlite:b.db", "DATABASE_URL=sqlite:a.db"},
			`no database "report": configured are default, reports`, "set DATABASE_URL_REPORT, or add [databases.report] with a url to drover.toml",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			registry, err := db.LoadConfig(db.ConfigOptions{Environ: test.environ})
			noError(t, err)
			_, err = registry.Get(t.Context(), test.alias)
			var unknown *db.AliasError
			if !errors.As(err, &unknown) {
				t.Fatalf("%v (%T) is no *AliasError", err, err)
			}
			if err.Error() != test.want || unknown.Hint() != test.hint {
				t.Errorf("got %q and %q", err, unknown.Hint())
			}
			if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
				t.Errorf("something was opened: %v, %v", entries, err)
			}
		})
	}
}

func TestConfig_BadFile(t *testing.T) {
	const secretURL = "postgres://app:" + secret + "@host/db"
	tests := []struct{ name, text, want string }{
		{"no TOML", "[databases.default]\nurl = \"" + secretURL, "line 2: not valid TOML"},
		{"unknown key", "[databases.default]\nurl = \"" + secretURL + "\"\npool = 3", `unknown key "databases.default.pool"`},
		{"unknown table", "[database.default]\nurl = \"" + secretURL + "\"", `unknown key "database`},
		{"wrong type", "[databases.default]\nurl = \"" + secretURL + "\"\nmax_conns = \"many\"", "wrong type"},
		{"no url", "[databases.default]\nmax_conns = 3", `database "default" has no url`},
		{"bad isolation", "[databases.default]\nurl = \"" + secretURL + "\"\nisolation = \"loose\"", `database "default": unknown isolation level "loose"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeConfig(t, test.text)
			_, err := db.LoadConfig(db.ConfigOptions{File: path})
			var config *db.ConfigError
			if !errors.As(err, &config) {
				t.Fatalf("%v (%T) is no *ConfigError", err, err)
			}
			if config.Source != path || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want %q in one line", err, test.want)
			}
			for _, text := range chain(err) {
				if strings.Contains(text, secret) {
					t.Errorf("the password is in %q", text)
				}
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "none.toml")
		_, err := db.LoadConfig(db.ConfigOptions{File: path})
		if err == nil || !strings.Contains(err.Error(), path) || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

// The settings of the file hold for a URL of the environment too.
func TestConfig_Settings(t *testing.T) {
	d := testdb.Fresh(t, testdb.NamePostgres)
	path := writeConfig(t, "[databases.default]\nurl = \"postgres://nowhere.invalid/db\"\nisolation = \"Repeatable-Read\"\nmax_conns = 3")
	registry, err := db.LoadConfig(db.ConfigOptions{File: path, Environ: []string{"DATABASE_URL=" + d.URL}})
	noError(t, err)
	defer func() { noError(t, registry.Close()) }()
	conn, err := registry.Get(t.Context(), "default")
	noError(t, err)
	var level string
	noError(t, conn.QueryRow(t.Context(), levelQuery[d.Name]).Scan(&level))
	if level != "repeatable read" || conn.Native().Config().MaxConns != 3 {
		t.Errorf("the level is %q and the pool's size %d", level, conn.Native().Config().MaxConns)
	}
	again, err := registry.Get(t.Context(), "default")
	noError(t, err)
	if again != conn {
		t.Error("the database was opened twice")
	}
}

// A registry with open databases, such as a test's.
func TestConfig_Add(t *testing.T) {
	conn := open(t, testdb.Fresh(t, testdb.NameSQLite), db.Alias("mine"))
	registry := db.NewRegistry(nil)
	registry.Add(conn)
	got, err := registry.Get(t.Context(), "mine")
	noError(t, err)
	if got != conn || !cmp.Equal(registry.Aliases(), []string{"mine"}) {
		t.Errorf("got %v of %q", got, registry.Aliases())
	}
}

// TestAsIs opens an SQLite file without making one, and without giving it a write-ahead log.
func TestAsIs(t *testing.T) {
	folder := t.TempDir()
	missing, there := filepath.Join(folder, "missing.db"), filepath.Join(folder, "there.db")
	registry := db.NewRegistry(map[string]string{"missing": "sqlite:" + missing, "there": "sqlite:" + there})
	defer func() { noError(t, registry.Close()) }()
	for _, address := range []string{"missing", "sqlite:" + missing, "sqlite:" + missing + "?mode=rwc"} {
		if _, err := registry.Get(t.Context(), address, db.AsIs()); !errors.As(err, new(*db.OpenError)) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the file was made")
	}
	raw := testdb.Database{Name: testdb.NameSQLite, URL: "sqlite:" + there}.RawDB(t)
	for _, query := range []string{"PRAGMA journal_mode = DELETE", "CREATE TABLE t (id INTEGER)"} {
		_, err := raw.ExecContext(t.Context(), query)
		noError(t, err)
	}
	conn, err := registry.Get(t.Context(), "there", db.AsIs())
	noError(t, err)
	var mode string
	noError(t, conn.QueryRow(t.Context(), "SELECT journal_mode FROM pragma_journal_mode").Scan(&mode))
	if mode != "delete" {
		t.Errorf("the journal is %s", mode)
	}
	noError(t, conn.Exec(t.Context(), "INSERT INTO t VALUES (1)")) // it can be written to all the same
	again, err := registry.Get(t.Context(), "there")
	if err != nil || again != conn {
		t.Errorf("opened again: %v", err)
	}
}

func TestRegistry_Release(t *testing.T) {
	registry := db.NewRegistry(map[string]string{"a": marked(t, "a"), "b": marked(t, "b")})
	defer func() { noError(t, registry.Close()) }()
	added := open(t, testdb.Database{Name: testdb.NameSQLite, URL: testdb.SQLite(t)}, db.Alias("b"))
	registry.Add(added)
	first, err := registry.Get(t.Context(), "a")
	noError(t, err)
	for _, alias := range []string{"a", "b", "nosuch"} {
		noError(t, registry.Release(alias))
	}
	if first.Ping(t.Context()) == nil {
		t.Error("it is still open")
	}
	again, err := registry.Get(t.Context(), "a")
	noError(t, err)
	noError(t, again.Ping(t.Context()))
	if b, err := registry.Get(t.Context(), "b"); err != nil || b != added || b.Ping(t.Context()) != nil {
		t.Errorf("the one that was added: %v", err)
	}
	if got := registry.Aliases(); !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("aliases %v", got)
	}
}
