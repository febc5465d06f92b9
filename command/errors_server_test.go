package command_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestErrors_NoConnection(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.people(t)
		if b.Server == nil {
			b.failing(t, "connect", "sqlite:/no/such/folder/app.db", []failure{fails(1, "purge --table people --all --no-input")})
			return
		}
		b.failing(t, "password", b.as(t, testdb.User, wrongPassword), []failure{
			fails(1, "purge --table people --all --no-input"),
			fails(1, "export - --table people"),
			fails(1, "doctor"),
		})
		proxy := testdb.NewProxy(t, b.Server.Addr())
		proxy.Refuse(true)
		b.failing(t, "refused", proxy.URL(b.URL), []failure{fails(1, "purge --table people --all --no-input"), fails(1, "runs list")})
		proxy.Refuse(false)
		proxy.BlackholeResponses(true)
		silent := proxy.URL(b.URL) + map[string]string{testdb.NamePostgres: "&connect_timeout=1", testdb.NameMariaDB: "?timeout=1s&readTimeout=1s"}[b.Name]
		b.failing(t, "silent", silent, []failure{fails(1, "purge --table people --all --no-input")})
	})
}

// TestErrors_ServerDies kills the server in the middle of a run, for good: the run waits for it until its time is over, and tells how
// to go on.
func TestErrors_ServerDies(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...testdb.Option) *testdb.Server{
		testdb.NamePostgres: testdb.NewPostgres, testdb.NameMariaDB: testdb.NewMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			b := newBench(t, server.Database(t))
			b.events(t, 3000)
			b.mustRun(t, "init")
			args := "purge --table events --all --no-input -v 0 --batch-size 1 --time-limit 2s --progress none"
			p := startProgram(t, []string{"DATABASE_URL=" + b.URL}, strings.Fields(args)...)
			b.underway(t, "SELECT count(*) FROM events", 3000)
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			_, code := p.wait(t)
			text := b.transcript(t, fails(drover.ExitAgain, args), code, p.stderr.String())
			for pattern, mask := range map[string]string{`(?m)^Warning: batch .*\n`: "", `[\d,]+( of 3,000 rows)`: "SOME$1", `in [\d,]+ batch(es)?`: "in SOME batches", `batch [\d,]+`: "batch N", `(is kept: ).*(connect: )`: "$1… $2"} {
				text = regexp.MustCompile(pattern).ReplaceAllString(text, mask)
			}
			golden(t, "errors/server-dies."+b.Name, text)
		})
	}
}
