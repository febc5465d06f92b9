package workload

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/drover-dev/drover/internal/testdb"
)

const (
	// undisturbedRounds is how often each side does the work without a kill, in turns with the others.
	undisturbedRounds = 3
	// killWithin is the part of its undisturbed working time in which a process is killed.
	killWithin = 0.25
	// heldPause is how long is waited before a command that was refused is started again.
	heldPause = 500 * time.Millisecond
)

// kills has a purge and a backfill done by processes of drover and of others that do such work: undisturbed, and killed with SIGKILL at random
// moments and started again at once, until the work is done. Then it looks at every row.
//
// The rule of the moments is the same for all: each process tells on its output when it begins with its first batch, and is killed at a moment
// that is uniformly distributed over the first quarter of the time that the side works when it is undisturbed. So neither the start of an
// interpreter nor drover's plan is what is hit, but batches; slow sides are not hit more often for a row than quick ones; and a run is
// killed some eight times before it ends. When it ends before all kills are given, the table is made anew and the next run begins. Every
// side gets the same random numbers.
func kills(ctx context.Context, s *site) error {
	k := killer{rounds: undisturbedRounds, killed: func(context.Context, *site) error { return nil }}
	return k.run(ctx, s)
}

// killer kills processes that work on a database of its own.
type killer struct {
	*site
	rounds int
	killed func(ctx context.Context, s *site) error // what is done after each kill of a process that had a lease
	drover string                                   // the program
	admin  *sql.DB                                  // nil on SQLite
	own    []int64                                  // the sessions that are not of these processes
}

func (k *killer) run(ctx context.Context, s *site) (err error) {
	o := s.options
	o.PurgeRows = o.KillRows
	if k.site, err = open(ctx, s.harness, o, s.harness.Database(s.Name)); err != nil {
		return err
	}
	defer k.close()
	if k.drover, err = buildDrover(ctx, s.harness, o); err != nil {
		return err
	}
	if err := k.fill(ctx); err != nil {
		return err
	}
	if err := k.count(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.countNoMore()) }()
	for _, c := range k.chores() {
		if err := k.compareKilled(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// chore is work that several sides do.
type chore struct {
	name  string
	title string
	rows  int    // to be changed
	wrong string // the query that counts wrong rows
	done  string // the query that counts the changes that the table shows
	// placed says that sides keep a place, which the columns tell.
	placed bool
	sides  func(ctx context.Context) ([]victim, error)
}

func (k *killer) chores() []chore {
	rows := k.options.KillRows
	title := fmt.Sprintf("Killed %d times: ", k.options.Kills)
	return []chore{
		{
			name: "purge", title: title + fmt.Sprintf("purge of %d of %d rows", rows/3, rows), rows: rows / 3,
			wrong: fmt.Sprintf("SELECT %d + COALESCE(sum(CASE WHEN %s THEN 1 ELSE -1 END), 0) FROM item", rows-rows/3, purgeWhere),
			done:  fmt.Sprintf("SELECT %d - count(*) FROM item", rows),
			sides: k.purgers,
		},
		{
			name: "backfill", title: title + fmt.Sprintf("backfill of %d rows", rows), rows: rows, placed: true,
			wrong: fmt.Sprintf("SELECT %d - COALESCE(sum(CASE WHEN score = id * 1.5 + 1 THEN 1 ELSE 0 END), 0) FROM item", rows),
			done:  "SELECT COALESCE(sum(score - id * 1.5), 0) FROM item",
			sides: k.backfillers,
		},
	}
}

// pace is how a side works when nobody disturbs it.
type pace struct {
	took, worked []time.Duration
	between      time.Duration // of all runs, from the commit of a batch to that of its place
}

// compareKilled has all sides do a chore, and reports each.
func (k *killer) compareKilled(ctx context.Context, c chore) error {
	sides, err := c.sides(ctx)
	if err != nil {
		return err
	}
	paces := make([]pace, len(sides))
	for round := range k.rounds {
		for i := range sides {
			i = (i + round) % len(sides)
			if sides[i].missing != "" {
				continue
			}
			if err := k.undisturbed(ctx, c, sides[i], &paces[i]); err != nil {
				return fmt.Errorf("%s: %w", sides[i].name, err)
			}
		}
	}
	for i, v := range sides {
		row := []string{k.Name, v.name, v.missing, "–", "–", "–", "–", "–", "–"}
		if v.missing == "" {
			o, err := k.ordeal(ctx, c, v, middle(paces[i].worked))
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			row = []string{
				k.Name, v.name, fmt.Sprintf("%.0f", float64(c.rows)/middle(paces[i].took).Seconds()), fmt.Sprint(o.wrong), k.redone(o), fmt.Sprint(o.tables),
				seconds(o.total), "–", v.place,
			}
			if v.leased {
				row[7] = seconds(o.waited)
			}
			if v.place == "" {
				share := paces[i].between.Seconds() / sum(paces[i].worked).Seconds()
				row[8] = fmt.Sprintf("%.1f %% of the time", 100*share)
			}
		}
		k.options.Sheet(k.sheet(c, row))
	}
	return nil
}

// sheet is that of a side; those of one title are put together.
func (k *killer) sheet(c chore, row []string) Sheet {
	s := Sheet{
		Title:  c.title,
		Header: []string{"database", "side", "rows/s undisturbed", "wrong rows", "rows redone", "tables", "total", "of it waiting", "between two commits"},
		Rows:   [][]string{row},
		Notes: []string{
			fmt.Sprintf("rows/s: the median of %d runs without a kill, of the whole process with its start and, with drover, its plan and its counts", k.rounds),
			fmt.Sprintf("each process is killed with SIGKILL at a random moment within the first %.0f %% of the time that its side works undisturbed, counted from "+
				"when it says that it begins with its first batch, and started again at once; a run that ends before all kills are given is followed "+
				"by one on a new table: tables is how many there were, wrong rows are those of all of them, total is the time of all processes", 100*killWithin),
			"rows redone: rows whose change a kill has rolled back, so that it was made again: the changes that PostgreSQL (pg_stat_user_tables) and " +
				"MariaDB (userstat) have counted, which are also those that were rolled back, less those that are in the table. SQLite does not " +
				"count them: a batch for each kill at most",
			"of it waiting: drover goes on only when the lease of the killed process has run out, which is 2 s here (--lease; 15 s by default); " +
				"until then it is refused, and started again every " + heldPause.String(),
		},
	}
	if c.placed {
		s.Notes = append(s.Notes, "between two commits: how much of an undisturbed run lies between the commit of a batch and the commit of how far the run is; "+
			"a kill at such a moment is a batch that is done twice; none: the two are one transaction")
		return s
	}
	s.Header, s.Rows[0] = s.Header[:8], row[:8]
	return s
}

func (k *killer) redone(o ordeal) string {
	if k.Name == testdb.NameSQLite {
		return fmt.Sprintf("≤ %d", o.kills*purgeBatch)
	}
	return fmt.Sprint(o.redone)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func middle(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func sum(times []time.Duration) (all time.Duration) {
	for _, d := range times {
		all += d
	}
	return all
}

// undisturbed is one run without a kill. It also shows that what the server counts is what is done.
func (k *killer) undisturbed(ctx context.Context, c chore, v victim, p *pace) error {
	before, err := k.fresh(ctx)
	if err != nil {
		return err
	}
	l, err := k.live(ctx, v, never)
	if err != nil {
		return err
	}
	if l.refused || l.worked == 0 {
		return fmt.Errorf("it has not said that it begins: %s", l.printed)
	}
	wrong, redone, err := k.look(ctx, c, before)
	if err == nil && (wrong != 0 || redone != 0) {
		err = fmt.Errorf("an undisturbed run leaves %d wrong rows, and has done %d rows twice", wrong, redone)
	}
	p.took, p.worked = append(p.took, l.took), append(p.worked, l.worked)
	p.between += l.between()
	return err
}

// ordeal is what becomes of a side that is killed again and again.
type ordeal struct {
	kills, tables int
	wrong, redone int64
	total, waited time.Duration
}

// ordeal kills a side that needs so long for the work when it is undisturbed.
func (k *killer) ordeal(ctx context.Context, c chore, v victim, works time.Duration) (o ordeal, err error) {
	chance := rand.New(rand.NewPCG(1, 2))
	for o.kills < k.options.Kills {
		if o.tables > 20*k.options.Kills {
			return o, fmt.Errorf("it is too quick to be killed: %d runs have ended, and only %d were killed", o.tables, o.kills)
		}
		before, err := k.fresh(ctx)
		if err != nil {
			return o, err
		}
		for ended := false; !ended; {
			after := never
			if o.kills < k.options.Kills {
				after = time.Duration(chance.Float64() * killWithin * float64(works))
			}
			if ended, err = k.attempt(ctx, v, after, &o); err != nil {
				return o, err
			}
		}
		wrong, redone, err := k.look(ctx, c, before)
		if err != nil {
			return o, err
		}
		o.tables, o.wrong, o.redone = o.tables+1, o.wrong+wrong, o.redone+redone
	}
	return o, nil
}

// attempt starts the process, again and again while it is refused, and reports whether it has come to the end of the work.
func (k *killer) attempt(ctx context.Context, v victim, after time.Duration, o *ordeal) (ended bool, err error) {
	began := time.Now()
	l, err := k.live(ctx, v, after)
	for err == nil && l.refused {
		if err = wait(ctx, heldPause); err == nil {
			l, err = k.live(ctx, v, after)
		}
	}
	took := time.Since(began)
	o.total, o.waited = o.total+took, o.waited+took-l.took
	if err != nil || !l.killed {
		return true, err
	}
	o.kills++
	if v.leased {
		err = k.killed(ctx, k.site)
	}
	return false, err
}

// look waits until the sessions of the processes have ended, and counts the wrong rows, and the changes that were rolled back since the server
// had counted so many.
func (k *killer) look(ctx context.Context, c chore, before int64) (wrong, redone int64, err error) {
	if err := k.awaitSessions(ctx); err != nil {
		return 0, 0, err
	}
	var done float64
	err = errors.Join(k.raw.QueryRowContext(ctx, c.wrong).Scan(&wrong), k.raw.QueryRowContext(ctx, c.done).Scan(&done))
	if err != nil {
		return 0, 0, fmt.Errorf("look at the rows: %w", err)
	}
	if k.Name == testdb.NameSQLite {
		return wrong, 0, nil
	}
	now, err := k.changed(ctx)
	if err != nil {
		return 0, 0, err
	}
	return wrong, now - before - int64(done), nil
}
