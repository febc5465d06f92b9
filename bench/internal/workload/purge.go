package workload

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/command"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

const (
	purgeWhere = "id % 3 = 0"
	purgeBatch = 1000
)

// purges deletes every third row of a table with the command "purge" and with a loop by hand that sends the best statements. Before
// each run the table is made anew from a copy.
//
// The loop is compared with what the command takes to delete. All of the command takes longer, for it also reads the catalogue, counts
// the rows that match before and after, and shows its plan; counting by hand costs the same.
func purges(ctx context.Context, s *site) error {
	if err := s.fill(ctx); err != nil {
		return err
	}
	side := func(name string, goal float64, purge func(ctx context.Context) error) measure.Side {
		return measure.Side{
			Name: name, Goal: goal, Prepare: s.restore, Check: s.nothingLeft,
			Run: func(ctx context.Context, _ int) error { return purge(ctx) },
		}
	}
	var deleting time.Duration
	purge := func(ctx context.Context) (err error) {
		deleting, err = s.purge(ctx)
		return err
	}
	part := side("purge, its deleting", 1.15, purge)
	part.Self = func() time.Duration { return deleting }
	p := measure.Plan{Rounds: s.options.PurgeRounds, Times: 1}
	return s.compare(ctx, fmt.Sprintf("purge of %d of %d rows", s.options.PurgeRows/3, s.options.PurgeRows), p,
		side("loop by hand", 0, s.purgeByHand), part,
		side("by hand in transactions", 0, s.purgeInTransactions),
		side("purge, all of it", 0, purge),
		side("by hand: count, loop, count", 0, func(ctx context.Context) error {
			return errors.Join(s.countByHand(ctx), s.purgeByHand(ctx), s.countByHand(ctx))
		}))
}

// purge runs the command and returns how long its batches took, as its summary says.
func (s *site) purge(ctx context.Context) (time.Duration, error) {
	app := drover.New("bench")
	app.AddBuiltin(command.Purge)
	result, err := app.CallWith(ctx, drover.CallOptions{Databases: []*db.DB{s.conn}},
		"purge", "--table", "item", "--where", purgeWhere, "--batch-size", strconv.Itoa(purgeBatch), "--no-input", "--json")
	if err != nil {
		return 0, err
	}
	lines := json.NewDecoder(strings.NewReader(result.Stdout))
	for {
		var event struct {
			Type    string  `json:"type"`
			Seconds float64 `json:"seconds"`
		}
		if err := lines.Decode(&event); err != nil {
			return 0, fmt.Errorf("find the command's summary: %w", err)
		}
		if event.Type == "summary" {
			return time.Duration(event.Seconds * float64(time.Second)), nil
		}
	}
}

func (s *site) countByHand(ctx context.Context) error {
	var n int
	return s.raw.QueryRowContext(ctx, "SELECT count(*) FROM item WHERE "+purgeWhere).Scan(&n)
}

// nothingLeft makes sure that a run deleted what it should. It takes as long as a count.
func (s *site) nothingLeft(ctx context.Context) error {
	var left int
	if err := s.raw.QueryRowContext(ctx, "SELECT id FROM item WHERE "+purgeWhere+" LIMIT 1").Scan(&left); !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("a row is left: %d, %w", left, err)
	}
	return nil
}

// purgeByHand is the loop to beat: two statements for a batch, by key range, each batch committed by itself. They are prepared once,
// and the DELETE is its own transaction, which saves two round trips.
func (s *site) purgeByHand(ctx context.Context) error {
	return s.purgeLoop(ctx, func(ctx context.Context, _ *sql.Conn, batch func(pair) error, st pair) error { return batch(st) })
}

// purgeInTransactions is the same loop with both statements of a batch in one transaction, as the command has them.
func (s *site) purgeInTransactions(ctx context.Context) error {
	return s.purgeLoop(ctx, func(ctx context.Context, conn *sql.Conn, batch func(pair) error, st pair) error {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := batch(pair{end: tx.StmtContext(ctx, st.end), del: tx.StmtContext(ctx, st.del)}); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	})
}

// pair is the statements of a batch: end finds the key of its last row, del deletes it.
type pair struct{ end, del *sql.Stmt }

// purgeLoop deletes batch after batch; around decides what is around the statements of one.
func (s *site) purgeLoop(ctx context.Context, around func(context.Context, *sql.Conn, func(pair) error, pair) error) (err error) {
	conn, err := s.raw.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var st pair
	st.end, err = conn.PrepareContext(ctx, s.placeholders(
		fmt.Sprintf("SELECT id FROM item WHERE id > ? AND id <= ? AND (%s) ORDER BY id LIMIT 1 OFFSET %d", purgeWhere, purgeBatch-1)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.end.Close()) }()
	st.del, err = conn.PrepareContext(ctx, s.placeholders("DELETE FROM item WHERE id > ? AND id <= ? AND ("+purgeWhere+")"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.del.Close()) }()
	var cursor, last int64
	if err := conn.QueryRowContext(ctx, "SELECT max(id) FROM item").Scan(&last); err != nil {
		return err
	}
	for cursor < last {
		var through int64
		err := around(ctx, conn, func(st pair) error {
			switch err := st.end.QueryRowContext(ctx, cursor, last).Scan(&through); {
			case errors.Is(err, sql.ErrNoRows):
				through = last
			case err != nil:
				return err
			}
			_, err := st.del.ExecContext(ctx, cursor, through)
			return err
		}, st)
		if err != nil {
			return err
		}
		cursor = through
	}
	return nil
}

// fill makes the table full_item, of which item is a copy before each run.
func (s *site) fill(ctx context.Context) error {
	columns := `(id bigint NOT NULL PRIMARY KEY, name varchar(20) NOT NULL, status varchar(10) NOT NULL, score double precision NOT NULL, ` +
		`created_at timestamp NOT NULL, note varchar(100))`
	values := `id, %[1]s, 'pending', id * 1.5, %[2]s, CASE WHEN id %% 3 = 0 THEN 'a note on the item' END`
	rows := s.options.PurgeRows
	switch s.Name {
	case testdb.NamePostgres:
		return s.exec(ctx, `CREATE TABLE full_item `+columns,
			`INSERT INTO full_item SELECT `+fmt.Sprintf(values, "concat('item ', id)", "timestamp '2026-01-01' + id * interval '1 second'")+
				fmt.Sprintf(` FROM generate_series(1, %d) AS id`, rows), `VACUUM ANALYZE full_item`)
	case testdb.NameMariaDB:
		return s.exec(ctx, `CREATE TABLE full_item `+columns+` ENGINE=InnoDB`,
			`INSERT INTO full_item SELECT `+fmt.Sprintf(values, "concat('item ', id)", "timestampadd(second, seq, '2026-01-01')")+
				` FROM (SELECT seq, seq AS id FROM seq_1_to_`+fmt.Sprint(rows)+`) AS s`,
			`CREATE TABLE item LIKE full_item`)
	}
	columns = strings.Replace(columns, "bigint NOT NULL PRIMARY KEY", "INTEGER PRIMARY KEY", 1)
	err := s.exec(ctx, `CREATE TABLE item `+columns,
		fmt.Sprintf(`WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < %d) INSERT INTO item SELECT `, rows)+
			fmt.Sprintf(values, "'item ' || id", "datetime('2026-01-01', id || ' seconds')")+` FROM n`,
		`ANALYZE`, `PRAGMA wal_checkpoint(TRUNCATE)`)
	if err != nil {
		return err
	}
	// The copy is the whole file.
	s.close()
	if err := harness.CopyFile(s.path()+".full", s.path()); err != nil {
		return err
	}
	return s.connect(ctx)
}

func (s *site) path() string { return strings.TrimPrefix(s.URL, "sqlite:") }

// restore makes the table item as it was before any run, and lets the database come to rest.
func (s *site) restore(ctx context.Context) error {
	switch s.Name {
	case testdb.NamePostgres:
		err := s.exec(ctx, `DROP TABLE IF EXISTS item`, `CREATE TABLE item (LIKE full_item INCLUDING ALL)`,
			`INSERT INTO item SELECT * FROM full_item ORDER BY id`, `VACUUM ANALYZE item`)
		if err != nil {
			return err
		}
		_, err = s.harness.Admin(s.Database).ExecContext(ctx, `CHECKPOINT`)
		return err
	case testdb.NameMariaDB:
		err := s.exec(ctx, `TRUNCATE TABLE item`, `INSERT INTO item SELECT * FROM full_item ORDER BY id`, `ANALYZE TABLE item`)
		if err != nil {
			return err
		}
		return harness.AwaitPurge(ctx, s.harness.Admin(s.Database))
	}
	s.close()
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(s.path() + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := harness.CopyFile(s.path(), s.path()+".full"); err != nil {
		return err
	}
	return s.connect(ctx)
}
