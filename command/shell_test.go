package command_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// shellProgram is the program with the command shell, not started yet.
func shellProgram(t *testing.T, url string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append([]string{"shell"}, args...)...)
	cmd.Env = append(os.Environ(), programEnv+"=1", "DATABASE_URL="+url, "HOME="+t.TempDir(), "PAGER=cat", "TERM=dumb")
	return cmd
}

// piped runs the client with a script for its input.
func piped(t *testing.T, url, script string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := shellProgram(t, url, args...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), &out, &problems
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// withParams is the database's URL with more parameters.
func (b *bench) withParams(params string) string {
	if strings.Contains(b.URL, "?") {
		return b.URL + "&" + params
	}
	return b.URL + "?" + params
}

func TestShell_Pipe(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, "CREATE TABLE t (a varchar(9))")
		out, problems, code := piped(t, b.URL, "INSERT INTO t VALUES ('written');\nSELECT 6 * 7;\n")
		if code != 0 || !strings.Contains(out, "42") || problems != "" {
			t.Errorf("exit code %d: %q, %q", code, out, problems)
		}
		b.wantCount(t, "SELECT count(*) FROM t WHERE a = 'written'", 1)
	})
}

// TestShell_ExitCode passes each client an option of its own that decides what it ends with.
func TestShell_ExitCode(t *testing.T) {
	tests := map[string]struct {
		args   []string
		script string
		code   int
	}{
		"postgres": {[]string{"--", "--set", "ON_ERROR_STOP=1"}, "SELECT nonsense;\nSELECT 6 * 7;\n", 3},
		"mariadb":  {[]string{"--", "--batch"}, "SELECT nonsense;\nSELECT 6 * 7;\n", 1},
		"sqlite":   {[]string{"default", "--", "-batch"}, ".exit 3\nSELECT 6 * 7;\n", 3},
	}
	each(t, func(t *testing.T, b *bench) {
		tt := tests[b.Name]
		if out, problems, code := piped(t, b.URL, tt.script, tt.args...); code != tt.code || out != "" || strings.Contains(problems, "Error: drover") {
			t.Errorf("exit code %d, want %d: %q, %q", code, tt.code, out, problems)
		}
	})
}

// TestShell_Settings reads in the client what the URL asks for.
func TestShell_Settings(t *testing.T) {
	tests := map[string]struct{ params, script, want, left string }{
		"postgres": {
			"search_path=sales,%20%22a%20b%22&statement_timeout=4321&application_name=clerk&pool_max_conns=3",
			"SHOW search_path; SHOW statement_timeout; SHOW application_name;", "sales, \"a b\"\n4321ms\nclerk\n", "psql, which has no option for it: pool_max_conns",
		},
		"mariadb": {
			"sql_mode=%27ANSI%27&lock_wait_timeout=77&timeout=4s&charset=latin1&readTimeout=5s",
			"SELECT @@lock_wait_timeout, @@character_set_client, @@sql_mode LIKE '%ANSI_QUOTES%';", "77\tlatin1\t1\n", "mariadb, which has no option for it: readTimeout",
		},
		"sqlite": {
			"_pragma=cache_size(-777)&_fk=0&_txlock=deferred",
			"PRAGMA cache_size; PRAGMA foreign_keys; PRAGMA busy_timeout; PRAGMA synchronous;", "-777\n0\n5000\n1\n", "sqlite3, which has no option for it: _txlock",
		},
	}
	plain := map[string][]string{"postgres": {"--", "-At"}, "mariadb": {"--", "-N"}}
	each(t, func(t *testing.T, b *bench) {
		tt := tests[b.Name]
		out, problems, code := piped(t, b.withParams(tt.params), tt.script, plain[b.Name]...)
		if code != 0 || out != tt.want || problems != "Not handed to "+tt.left+".\n" {
			t.Errorf("exit code %d: %q, want %q\n%s", code, out, tt.want, problems)
		}
	})
}

// TestShell_TLSIsNotGivenUp proves that no client connects in the clear where the URL wants TLS: the servers here have none.
func TestShell_TLSIsNotGivenUp(t *testing.T) {
	for name, all := range map[string][]string{"postgres": {"sslmode=require"}, "mariadb": {"tls=true", "tls=skip-verify"}} {
		b := newBench(t, testdb.Fresh(t, name))
		for _, params := range all {
			u, err := url.Parse(b.URL)
			if err != nil {
				t.Fatal(err)
			}
			query := u.Query()
			query.Del("sslmode")
			u.RawQuery = query.Encode()
			d := *b
			d.URL = u.String()
			out, problems, code := piped(t, d.withParams(params), "SELECT 6 * 7;\n")
			if code == 0 || out != "" || !strings.Contains(problems, "SSL") {
				t.Errorf("%s: %s: exit code %d: %q, %q", name, params, code, out, problems)
			}
		}
	}
}

// screen is what has appeared on a terminal.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) waitFor(t *testing.T, text string) {
	t.Helper()
	for tooLong := time.After(30 * time.Second); !strings.Contains(s.String(), text); {
		select {
		case <-s.changed:
		case <-tooLong:
			t.Fatalf("the terminal never showed %q:\n%s", text, s)
		}
	}
}

// onTerminal starts a program on a terminal of its own, and gives what appears there, a function that types, and one that waits for the program's end.
func onTerminal(t *testing.T, cmd *exec.Cmd) (s *screen, typed func(string), wait func() error) {
	t.Helper()
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 200})
	if err != nil {
		t.Fatal(err)
	}
	s = &screen{changed: make(chan struct{}, 1)}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(s, terminal) // ends with an I/O error when the program does
	}()
	typed = func(text string) {
		t.Helper()
		if _, err := io.WriteString(terminal, text); err != nil {
			t.Fatal(err)
		}
	}
	return s, typed, func() error {
		err := cmd.Wait()
		<-copied
		_ = terminal.Close()
		return err
	}
}

// TestShell_Terminal works with each client on a terminal: a statement that takes forever is stopped with Ctrl-C, which is the client's business, and
// the client goes on. While it runs no user of the machine can read the password from its command line.
func TestShell_Terminal(t *testing.T) {
	tests := map[string]struct {
		long, underway, stopped, quit string
		code                          int
	}{
		"postgres": {"SELECT pg_sleep(600);", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sl%' AND state = 'active' AND datname = current_database()", "canceling statement", `\q`, 0},
		"mariadb":  {"SELECT sleep(600);", "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT sle%' AND db = database()", "interrupted", `\q`, 0},
		"sqlite":   {"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'row', i FROM n WHERE i % 100000 = 0;", "", "interrupted", ".quit", 1},
	}
	each(t, func(t *testing.T, b *bench) {
		tt := tests[b.Name]
		cmd := shellProgram(t, b.URL)
		s, typed, wait := onTerminal(t, cmd)
		typed("SELECT 6 * 7, 'be' || 'gun';\n")
		s.waitFor(t, "42")
		b.handedOver(t, cmd.Process.Pid)
		typed(tt.long + "\n")
		if tt.underway == "" {
			s.waitFor(t, "row|100000")
		} else {
			for b.count(t, tt.underway) == 0 {
				if t.Context().Err() != nil {
					t.Fatal(t.Context().Err())
				}
			}
		}
		typed("\x03")
		s.waitFor(t, tt.stopped)
		typed("SELECT 1000 + 234;\n")
		s.waitFor(t, "1234")
		typed(tt.quit + "\n")
		_ = wait() // the exit code tells
		if code := cmd.ProcessState.ExitCode(); code != tt.code || strings.Contains(s.String(), "Stopping") || strings.Contains(s.String(), "STOPPED") {
			t.Errorf("the client ended with %d, want %d:\n%s", code, tt.code, s)
		}
	})
}

// handedOver looks at the process that was drover's.
func (b *bench) handedOver(t *testing.T, pid int) {
	t.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(string(line), "\x00")
	client := map[string]string{"postgres": "psql", "mariadb": "mariadb", "sqlite": "sqlite3"}[b.Name]
	if filepath.Base(name) != client && !strings.Contains(string(line), "/"+client) {
		t.Errorf("the process is no %s: %q", client, line)
	}
	if b.Server == nil {
		return
	}
	u, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, has := u.User.Password()
	if !has || password == "" || strings.Contains(string(line), password) {
		t.Errorf("password %q, command line %q", password, line)
	}
}

// TestShell_SignalsAreAsInAnyProcess: what drover does with signals is not left behind in the client.
func TestShell_SignalsAreAsInAnyProcess(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	const script = ".shell grep SigIgn /proc/$PPID/status\n" // sqlite3 itself ignores some while another program runs
	direct := exec.CommandContext(t.Context(), "sqlite3", ":memory:")
	direct.Stdin = strings.NewReader(script)
	want, err := direct.Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, _, _ := piped(t, b.URL, script); out != string(want) {
		t.Errorf("got %q, want %q", out, want)
	}
}

// TestShell_PrintedLineConnects takes the printed command line through a shell, with the password that it asks for.
func TestShell_PrintedLineConnects(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		out, problems, code := piped(t, b.URL, "", "--print", "--", map[string]string{"postgres": "-Atc", "mariadb": "-Ne", "sqlite": "select 'it''s $HOME'"}[b.Name], "select 'it''s $HOME'")
		if code != 0 || problems != "" {
			t.Fatalf("exit code %d: %s", code, problems)
		}
		if b.Server == nil {
			if got, err := exec.CommandContext(t.Context(), "sh", "-c", out).CombinedOutput(); err != nil || string(got) != "it's $HOME\nit's $HOME\n" {
				t.Errorf("%s: %v: %q", out, err, got)
			}
			return
		}
		u, err := url.Parse(b.URL)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		if strings.Contains(out, password) {
			t.Errorf("the password is in %s", out)
		}
		s, typed, wait := onTerminal(t, exec.CommandContext(t.Context(), "sh", "-c", out))
		s.waitFor(t, "assword")
		typed(password + "\n")
		if err := wait(); err != nil || !strings.Contains(s.String(), "it's $HOME") {
			t.Errorf("%s: %v:\n%s", out, err, s)
		}
	})
}

func TestShell_PrintJSON(t *testing.T) {
	var d struct {
		Type, Program   string
		Database        struct{ Alias string }
		Arguments, Left []string
		Password        bool
	}
	for name, u := range map[string]string{
		"psql": "postgres://clerk:s3cret@db1/app?pool_max_conns=3&sslmode=require", "mariadb": "mysql://clerk:s3cret@db1/app?readTimeout=3s",
	} {
		out, err := newApp().CallWith(t.Context(), drover.CallOptions{Environ: []string{}}, "shell", u, "--print", "--json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out.Stdout), &d); err != nil {
			t.Fatal(err)
		}
		if d.Type != "shell" || d.Program != name || d.Database.Alias != "default" || !d.Password || len(d.Left) != 1 || len(d.Arguments) == 0 || strings.Contains(out.Stdout, "s3cret") {
			t.Errorf("got %s", out.Stdout)
		}
	}
}

func TestShell_Refusals(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.db")
	environ := []string{
		"DATABASE_URL=postgres://clerk:s3cret@db1/app", "DATABASE_URL_FILE=sqlite:" + missing, "DATABASE_URL_MEMORY=sqlite::memory:",
		"DATABASE_URL_TLS=mysql://clerk:s3cret@db1/app?tls=ours", "DATABASE_URL_BROKEN=mysql://clerk:s3/cret@db1/app",
	}
	var all strings.Builder
	for _, tt := range []refusal{
		{"unknown alias", []string{"defalt"}, drover.ExitUsage},
		{"alias and option", []string{"file", "--database", "memory"}, drover.ExitUsage},
		{"two databases", []string{"--database", "file", "--database", "memory"}, drover.ExitUsage},
		{"no dashes", []string{"default", "select 1"}, drover.ExitUsage},
		{"missing file", []string{"file"}, drover.ExitFailed},
		{"in memory", []string{"memory"}, drover.ExitFailed},
		{"own TLS configuration", []string{"tls"}, drover.ExitFailed},
		{"unreadable URL", []string{"broken"}, drover.ExitFailed},
		{"no scheme", []string{"nope://x"}, drover.ExitFailed},
		{"no client", nil, drover.ExitFailed},
		{"no client, JSON", []string{"--json"}, drover.ExitFailed},
	} {
		var stdout, stderr bytes.Buffer
		code := newApp().Run(t.Context(), drover.Env{Args: append([]string{"shell"}, tt.args...), Environ: environ, Stdout: &stdout, Stderr: &stderr})
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.code)
		}
		fmt.Fprintf(&all, "== %s (exit %d)\n%s%s", tt.name, code, &stdout, moments.ReplaceAllString(strings.ReplaceAll(stderr.String(), missing, "FILE"), "MOMENT"))
	}
	if strings.Contains(all.String(), "s3") {
		t.Error("a password is shown")
	}
	golden(t, "refusals.shell", all.String())
}

// TestShell_OwnPool refuses a database that the program has opened by itself, and every call from code: it would not return.
func TestShell_OwnPool(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NameSQLite))
	pool, err := db.From(b.raw)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newApp().CallWith(t.Context(), drover.CallOptions{Databases: []*db.DB{pool}}, "shell")
	if err == nil || !strings.Contains(err.Error(), `database "default": it is a pool of the program's own`) {
		t.Errorf("got %v", err)
	}
	if res, err := b.command(t.Context(), drover.CallOptions{}, "shell", "--print"); err != nil || !strings.HasPrefix(res.Stdout, "sqlite3 ") {
		t.Errorf("a database that was opened with a URL: %v %q", err, res.Stdout)
	}
	if _, err := b.command(t.Context(), drover.CallOptions{}, "shell"); err == nil || !strings.Contains(err.Error(), "cannot be called from code") {
		t.Errorf("a call from code: %v", err)
	}
}
