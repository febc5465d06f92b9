package command_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

// found is the document of doctor.
type found struct {
	Type      string
	Database  struct{ Alias, Version, Address string }
	Reachable bool
	Seconds   *float64
	Role      string
	Lag       *float64 `json:"lag_seconds"`
	Findings  []struct{ Level, Topic, Value, Text, Advice string }
	Message   string
}

// level is how much the finding about a topic matters; "" where there is none.
func (f found) level(topic string) string {
	for _, one := range f.Findings {
		if one.Topic == topic {
			return one.Level
		}
	}
	return ""
}

func (f found) text(topic string) string {
	for _, one := range f.Findings {
		if one.Topic == topic {
			return one.Text
		}
	}
	return ""
}

// doctor runs the command on one database; password must not be shown.
func doctor(t *testing.T, address string, args ...string) (found, int) {
	t.Helper()
	code, stdout, stderr := doctorText(t, address, append(args, "--json")...)
	var f found
	if err := json.Unmarshal([]byte(stdout), &f); err != nil || f.Type != "doctor" {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return f, code
}

func doctorText(t *testing.T, address string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = newApp().Run(t.Context(), drover.Env{
		Args: append([]string{"doctor", "--database", "default", "--timeout", "60s"}, args...), Environ: []string{"DATABASE_URL=" + address, "NO_COLOR=1"}, Stdout: &out, Stderr: &errs,
	})
	if u, err := url.Parse(address); err == nil {
		if password, ok := u.User.Password(); ok && strings.Contains(out.String()+errs.String(), password) {
			t.Errorf("the password is shown:\n%s%s", &out, &errs)
		}
	}
	return code, out.String(), errs.String()
}

var unstableDoctor = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`answers in \S+: (\w+) \S+\s+ADDRESS`), "answers in TOOK: $1 VERSION   ADDRESS"}, // on the next line where it is long,
}

// TestDoctor_Golden is the screen, before and after the first run, and proves that nothing is changed.
func TestDoctor_Golden(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		screen := ""
		for _, made := range []bool{false, true} {
			if made {
				b.mustRun(t, "init")
			}
			b.unchanged(t, func() {
				code, stdout, stderr := doctorText(t, b.URL)
				if code != 0 || stderr != "" {
					t.Errorf("exit code %d\n%s", code, stderr)
				}
				for line := range strings.Lines(stdout) {
					if len(strings.ReplaceAll(line, b.conn.Address(), "ADDRESS")) > 101 { // with its end
						t.Errorf("longer than 100 columns: %s", line)
					}
				}
				screen += strings.ReplaceAll(stdout, b.conn.Address(), "ADDRESS") + "\n"
			})
		}
		for _, u := range unstableDoctor {
			screen = u.pattern.ReplaceAllString(screen, u.mask)
		}
		golden(t, "doctor."+b.Name, screen)
	})
}

func TestDoctor_JSON(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.mustRun(t, "init")
		f, code := doctor(t, b.URL)
		if code != 0 || !f.Reachable || f.Seconds == nil || f.Database.Alias != "default" || f.Database.Address != b.conn.Address() ||
			!strings.Contains(f.Database.Version, " ") || f.level("tables") != "ok" || f.level("reach") != "ok" {
			t.Errorf("exit code %d, %+v", code, f)
		}
		role, right := "primary", "rights"
		if b.Name == testdb.NameSQLite {
			role, right = "", "writable"
		}
		if f.Role != role || f.level(right) != "ok" || f.Lag != nil {
			t.Errorf("%+v", f)
		}
	})
}

func TestDoctor_OutOfReach(t *testing.T) {
	pg, maria := testdb.Fresh(t, testdb.NamePostgres), testdb.Fresh(t, testdb.NameMariaDB)
	silent := listen(t)
	missing := filepath.Join(t.TempDir(), "a.db")
	for _, tt := range []struct{ name, url, want string }{
		{"postgres is down", "postgres://app:hunter2@127.0.0.1:1/app", "cannot connect to app@127.0.0.1:1/app: connection refused"},
		{"mariadb is down", "mysql://app:hunter2@127.0.0.1:1/app", "cannot connect to app@127.0.0.1:1/app: connection refused"},
		{"postgres hangs", "postgres://app:hunter2@" + silent + "/app", "cannot connect to app@" + silent + "/app: no answer in time"},
		{"mariadb hangs", "mysql://app:hunter2@" + silent + "/app", "cannot connect to app@" + silent + "/app: no answer in time"},
		{"wrong password for postgres", withPassword(t, pg.URL, "hunter2"), "password authentication failed"},
		{"wrong password for mariadb", withPassword(t, maria.URL, "hunter2"), "Access denied for user"},
		{"no such file", "sqlite:" + missing, "there is no such file"},
		{"no such folder", "sqlite:" + filepath.Join(missing, "b.db"), "there is no such file"},
		{"wrong URL", "postgres//x", "the URL has no scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start, options := time.Now(), []string{}
			if strings.Contains(tt.name, "hangs") {
				options = []string{"--timeout", "300ms"}
			}
			f, code := doctor(t, tt.url, options...)
			if code != drover.ExitFailed || f.Reachable || f.level("reach") != "problem" || !strings.Contains(f.text("reach"), tt.want) {
				t.Errorf("exit code %d, %+v", code, f)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the missing file was made")
	}
}

// listen accepts connections and never answers.
func listen(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func withPassword(t *testing.T, address, password string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}

// TestDoctor_HangsLater has a server that is let in to and then says nothing more.
func TestDoctor_HangsLater(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	holder, err := b.raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback() }()
	b.mustRun(t, "init")
	if _, err := holder.ExecContext(t.Context(), "LOCK TABLE drover_schema IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	f, code := doctor(t, b.URL, "--timeout", "3s")
	if code != drover.ExitFailed || !f.Reachable || !strings.Contains(f.Message, "1 problem") || f.level("role") != "ok" {
		t.Errorf("exit code %d, %+v", code, f)
	}
}

// TestDoctor_Several: one out of reach hides none of the others, and all are looked at without an option.
func TestDoctor_Several(t *testing.T) {
	s := newSeveral(t)
	code, stdout, stderr := s.shell(t, true, "doctor", "--timeout", "60s")
	summary := summaryOf(t, stdout)
	if code != drover.ExitFailed || strings.Count(stdout, "  ok        answers in ") != 3 || !strings.HasPrefix(summary, "  down    FAILED      1 problem") ||
		!strings.Contains(summary, "  west    OK          0 problems") || !strings.HasSuffix(summary, "3 of 4 databases succeeded.\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = s.shell(t, true, "doctor", "--database", "west", "--json", "--timeout", "60s")
	if code != 0 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("one: exit code %d\n%s", code, stdout)
	}
	code, stdout, _ = s.shell(t, true, "doctor", "--json", "--timeout", "60s")
	if code != drover.ExitFailed || strings.Count(stdout, `"type":"doctor"`) != 4 || strings.Count(stdout, `"type":"databases"`) != 1 {
		t.Errorf("--json: exit code %d\n%s", code, stdout)
	}
	if code, _, stderr = s.shell(t, true, "doctor", "--database", "wset"); code != drover.ExitUsage || !strings.Contains(stderr, "did you mean west?") {
		t.Errorf("unknown: exit code %d\n%s", code, stderr)
	}
	if code, _, stderr = s.shell(t, true, "doctor", "--database", "west", "--timeout", "0s"); code != drover.ExitUsage {
		t.Errorf("no time: exit code %d\n%s", code, stderr)
	}
	if code, stdout, _ = s.shell(t, true, "doctor", "--database", s["west"].URL, "--timeout", "60s"); code != 0 || !strings.Contains(stdout, " on default.") {
		t.Errorf("a URL: exit code %d\n%s", code, stdout)
	}
	if code, stdout, stderr = s.shell(t, false, "doctor", "--database", "postgres://app:hunter2@127.0.0.1:1/app"); code != drover.ExitFailed ||
		!strings.Contains(stderr, "on the database of the URL") {
		t.Errorf("a URL out of reach: exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestDoctor_Tables(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		if f, code := doctor(t, b.URL); code != 0 || f.level("tables") != "note" {
			t.Errorf("missing: exit code %d, %+v", code, f)
		}
		b.mustRun(t, "init")
		b.exec(t, "DELETE FROM drover_schema WHERE version_id > 0")
		if f, code := doctor(t, b.URL); code != 0 || f.level("tables") != "warning" {
			t.Errorf("older: exit code %d, %+v", code, f)
		}
		b.exec(t, "INSERT INTO drover_schema (version_id, is_applied) VALUES (99, TRUE)")
		if f, code := doctor(t, b.URL); code != drover.ExitFailed || f.level("tables") != "problem" {
			t.Errorf("newer: exit code %d, %+v", code, f)
		}
	})
}
