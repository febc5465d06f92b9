// Program demo shows drover's main job, deleting old rows from a table that is in use, as the transcript of a session: a dry
// run, a purge that is interrupted in the middle, the same command again, and once more when there is nothing left. It
// needs only Go, on a system with signals: the database is an SQLite file with 200,000 events in a temporary folder, which
// is removed at the end. What is left in the table is compared with what must be, and any difference is a failure.
//
//	go run ./examples/demo
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

const (
	keepDays  = 90
	batchSize = 20 // small, so that the interruption finds the purge at work
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Demo failed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "drover-demo-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Printf("Working in %s, which is removed at the end.\nBuilding drover ...\n", dir)
	sh := &shell{dir: dir}
	if err := sh.build(ctx); err != nil {
		return err
	}
	conn, err := db.Open(ctx, "sqlite:"+filepath.Join(dir, "events.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	fmt.Printf("Making events.db: %s events of the last %d days ...\n", drover.Count(eventCount), historyDays)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if err := fill(ctx, conn, today); err != nil {
		return err
	}
	return tell(ctx, sh, conn, today.AddDate(0, 0, -keepDays).Format(time.DateOnly))
}

// tell runs the session. Events since the day keepFrom are to be kept.
func tell(ctx context.Context, sh *shell, conn *db.DB, keepFrom string) error {
	before, err := survey(ctx, conn, keepFrom)
	if err != nil {
		return err
	}
	purge := []string{"purge", "--table", "events", "--where", fmt.Sprintf("created_at < '%s'", keepFrom)}
	dryRun := slices.Concat(purge, []string{"--dry-run"})
	forReal := slices.Concat(purge, []string{"--batch-size", strconv.Itoa(batchSize), "--no-input"})

	sh.say("What would a purge of everything older than %d days do? A dry run only reads.", keepDays)
	sh.show("export", "DATABASE_URL="+databaseURL)
	if err := sh.run(ctx, dryRun...); err != nil {
		return err
	}
	if err := before.expectAll(ctx, conn); err != nil {
		return fmt.Errorf("after the dry run: %w", err)
	}

	sh.say("Now for real. drover would ask for the table's name first; nobody types here, hence --no-input.\n" +
		"Ctrl-C is pressed when a third is done; the batches are small so that this takes a moment.")
	third := func() (bool, error) { return before.gone(ctx, conn, 1.0/3) }
	if err := sh.interrupt(ctx, third, forReal...); err != nil {
		return err
	}
	left, err := before.expectSome(ctx, conn)
	if err != nil {
		return fmt.Errorf("after the interruption: %w", err)
	}
	sh.say("Whole batches are gone, and nothing else: %s old events are left.\n"+
		"The same command goes on with them.", drover.Count(left))
	if err := sh.run(ctx, forReal...); err != nil {
		return err
	}
	sh.say("And once more, as a nightly job would:")
	if err := sh.run(ctx, forReal...); err != nil {
		return err
	}
	if err := before.expectKept(ctx, conn); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	sh.say("Checked with SQL: all %s events before %s are gone, with their %s tags;\n"+
		"all %s others are there, unchanged, with their %s tags.", drover.Count(before.oldEvents), keepFrom, drover.Count(before.oldTags),
		drover.Count(before.keptEvents), drover.Count(before.keptTags))
	return nil
}
