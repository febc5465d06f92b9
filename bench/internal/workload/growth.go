package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// growthItem is a row of the table growth.
type growthItem struct {
	ID   int64  `db:"id,pk"`
	N    int64  `db:"n"`
	Name string `db:"name"`
}

func (growthItem) TableName() string { return "growth" }

// growth runs a job on the first 10,000 rows of a table, on ten times as many, and so on, and looks how large the process grows. Each batch
// reads its 1,000 rows as structs and changes them with one UPDATE.
func growth(ctx context.Context, s *site) error {
	if err := s.fillGrowth(ctx); err != nil {
		return err
	}
	sheet := Sheet{
		Title:  "Memory of a job",
		Header: []string{"database", "rows", "rows/s", "growth of the process, MB", "its size then, MB"},
	}
	done := int64(0)
	for _, rows := range growthSizes(s.options.GrowthRows) {
		done += int64(rows)
		side := measure.Side{
			Name: "job", Role: measure.Drover,
			Run:   func(ctx context.Context, _ int) error { return s.grow(ctx, rows) },
			Check: func(ctx context.Context) error { return s.grown(ctx, done) },
		}
		lines, err := measure.Race(ctx, measure.Plan{Rounds: 1}, rows, side)
		if err != nil {
			return err
		}
		const mega = 1 << 20
		sheet.Rows = append(sheet.Rows, []string{
			s.Name, fmt.Sprint(rows), fmt.Sprintf("%.0f", lines[0].Speed()), fmt.Sprintf("%.1f", lines[0].Peak/mega), fmt.Sprintf("%.1f", lines[0].Total/mega),
		})
	}
	s.options.Sheet(sheet)
	return nil
}

// growthSizes are 10,000 and its multiples by ten, up to the largest.
func growthSizes(largest int) []int {
	var sizes []int
	for n := 10_000; n < largest; n *= 10 {
		sizes = append(sizes, n)
	}
	return append(sizes, largest)
}

// grow is one run.
func (s *site) grow(ctx context.Context, rows int) error {
	job := &batch.Job[growthItem]{
		Name: "growth",
		Source: func(_ context.Context, conn *db.DB) (batch.Source[growthItem], error) {
			return batch.Rows(table.Of[growthItem](conn).Where("id <= ?", rows)), nil
		},
		Process: func(ctx context.Context, b *batch.Batch[growthItem]) error {
			return b.DB().Exec(ctx, "UPDATE growth SET n = n + 1 WHERE id BETWEEN ? AND ?", b.Rows[0].ID, b.Rows[len(b.Rows)-1].ID)
		},
	}
	_, err := job.Run(ctx, s.conn, batch.Options{Again: true, Lease: time.Minute})
	return err
}

// grown checks that each run has changed each of its rows once.
func (s *site) grown(ctx context.Context, want int64) error {
	var got int64
	err := s.raw.QueryRowContext(ctx, "SELECT sum(n) FROM growth").Scan(&got)
	if err == nil && got != want {
		err = fmt.Errorf("the rows were changed %d times, not %d", got, want)
	}
	return err
}

// fillGrowth makes the table, some rows at a time: no database likes ten million in one statement.
func (s *site) fillGrowth(ctx context.Context) error {
	if err := s.exec(ctx, `CREATE TABLE growth (id bigint NOT NULL PRIMARY KEY, n bigint NOT NULL, name varchar(40) NOT NULL)`); err != nil {
		return err
	}
	const step = 500_000
	for from := 1; from <= s.options.GrowthRows; from += step {
		last := min(from+step-1, s.options.GrowthRows)
		numbers := fmt.Sprintf("WITH RECURSIVE s(id) AS (SELECT %d UNION ALL SELECT id + 1 FROM s WHERE id < %d) ", from, last)
		name := "'a row with the number ' || id"
		source := "s"
		switch s.Name {
		case testdb.NamePostgres:
			numbers, source = "", fmt.Sprintf("generate_series(%d, %d) AS s(id)", from, last)
		case testdb.NameMariaDB:
			numbers, source = "", fmt.Sprintf("(SELECT seq AS id FROM seq_%d_to_%d) AS s", from, last)
			name = "concat('a row with the number ', id)"
		}
		if err := s.exec(ctx, numbers+"INSERT INTO growth SELECT id, 0, "+name+" FROM "+source); err != nil {
			return err
		}
	}
	if s.Name == testdb.NamePostgres {
		return s.exec(ctx, "VACUUM ANALYZE growth")
	}
	return nil
}
