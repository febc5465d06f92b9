package drovertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/drovertest"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func TestMain(m *testing.M) { testdb.Main(m) }

type Item struct {
	ID   int64 `db:"id,pk"`
	Hits int64 `db:"hits"`
}

func (Item) TableName() string { return "item" }

func setup(ctx context.Context, conn *db.DB) error {
	if err := conn.Exec(ctx, "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, hits bigint NOT NULL)"); err != nil {
		return err
	}
	if err := conn.Exec(ctx, "CREATE TABLE log (item bigint NOT NULL)"); err != nil {
		return err
	}
	rows := make([]Item, 25)
	for i := range rows {
		rows[i].ID = int64(i) * 2
	}
	_, err := table.Of[Item](conn).BulkCreate(ctx, rows)
	return err
}

// job counts up hits and writes a line of the log for each row.
func job() *batch.Job[Item] {
	return &batch.Job[Item]{
		Name: "count",
		Source: func(_ context.Context, conn *db.DB) (batch.Source[Item], error) {
			return batch.Rows(table.Of[Item](conn)), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[Item]) error {
			for i := range b.Rows {
				b.Rows[i].Hits++
				if err := b.DB().Exec(ctx, "INSERT INTO log VALUES (?)", b.Rows[i].ID); err != nil {
					return err
				}
			}
			_, err := table.Of[Item](b.DB()).BulkUpdate(ctx, b.Rows, "hits")
			return err
		},
	}
}

func runJob(ctx context.Context, conn *db.DB) error {
	_, err := job().Run(ctx, conn, batch.Options{BatchSize: 10})
	return err
}

func TestChaos_AJobOfBatchSurvivesEveryKill(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		every := map[string]int{testdb.NameSQLite: 7, testdb.NamePostgres: 13, testdb.NameMariaDB: 13}[d.Name]
		report := drovertest.Chaos(t, drovertest.ChaosOptions{
			URL:   func(testing.TB) string { return testdb.Fresh(t, d.Name).URL },
			Setup: setup, Run: runJob, Every: every,
		})
		t.Logf("%+v", report)
		if report.Kills < 10 || report.Resumed < report.Kills/2 {
			t.Errorf("report %+v", report)
		}
	})
}

// fakeT takes a failure in place of the test.
type fakeT struct {
	testing.TB
	failure string
}

type failed struct{}

func (f *fakeT) Fatalf(format string, args ...any) {
	f.failure = fmt.Sprintf(format, args...)
	panic(failed{})
}

func TestChaos_FindsALoopThatIsNotSafe(t *testing.T) {
	// The loop that everybody writes: it notes the last row after the transaction.
	run := func(ctx context.Context, conn *db.DB) error {
		if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS place (last bigint NOT NULL)"); err != nil {
			return err
		}
		for {
			var last int64
			if err := conn.QueryRow(ctx, "SELECT COALESCE(MAX(last), -1) FROM place").Scan(&last); err != nil {
				return err
			}
			rows, err := table.Of[Item](conn).Where("id > ?", last).OrderBy("id").Limit(10).List(ctx)
			if err != nil || len(rows) == 0 {
				return err
			}
			err = conn.Atomic(ctx, func(ctx context.Context) error {
				for i := range rows {
					rows[i].Hits++
				}
				_, err := table.Of[Item](conn).BulkUpdate(ctx, rows, "hits")
				return err
			})
			if err != nil {
				return err
			}
			if err := conn.Exec(ctx, "INSERT INTO place VALUES (?)", rows[len(rows)-1].ID); err != nil {
				return err
			}
		}
	}
	fake := &fakeT{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(failed); !ok {
					panic(r)
				}
			}
		}()
		drovertest.Chaos(fake, drovertest.ChaosOptions{Setup: setup, Run: run})
	}()
	if !strings.Contains(fake.failure, "does not hold what it holds after an undisturbed run") {
		t.Errorf("the unsafe loop passed: %q", fake.failure)
	}
}

func TestServer_MakesAndDropsADatabase(t *testing.T) {
	for _, server := range []*testdb.Server{testdb.Postgres(t), testdb.MariaDB(t)} {
		home := map[string]string{"postgres": "postgres", "mariadb": "mysql"}[server.Name()]
		t.Run(server.Name(), func(t *testing.T) {
			var name string
			t.Run("inner", func(t *testing.T) {
				conn := drovertest.Server(t, server.Database(t).URL)
				if err := setup(t.Context(), conn); err != nil {
					t.Fatal(err)
				}
				name = conn.Address()[strings.LastIndex(conn.Address(), "/")+1:]
			})
			var n int
			query := "SELECT count(*) FROM information_schema.schemata WHERE schema_name = '" + name + "'"
			if server.Name() == "postgres" {
				query = "SELECT count(*) FROM pg_database WHERE datname = '" + name + "'"
			}
			if err := server.Admin(t, home).QueryRowContext(t.Context(), query).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if name == "" || n != 0 {
				t.Errorf("database %q is left behind", name)
			}
		})
	}
}
