package drover_test

import (
	"context"

	"github.com/drover-dev/drover"
)

// programs are what this test binary can be run as, each a program of its own. They tell the test where they are by what
// they print, so that no test has to sleep.
var programs = map[string]func() *drover.App{"manage": processApp}

func processApp() *drover.App {
	return appOf(
		&drover.Command{Name: "polite", Short: "Stop between batches", Run: func(ctx context.Context, c *drover.Call) error {
			p := c.Progress(drover.ProgressOptions{Total: 1000})
			p.Batch(88)
			stopping := c.Stopping()
			if err := c.DB().Exec(ctx, "INSERT INTO batches VALUES (88)"); err != nil {
				return err
			}
			c.Notice("ready")
			<-stopping
			p.Set(88)
			return c.StopErr("%d of %d rows deleted", 87240, 318240)
		}},
		&drover.Command{Name: "finishing", Short: "Finish all the same", Run: func(_ context.Context, c *drover.Call) error {
			stopping := c.Stopping()
			c.Notice("ready")
			<-stopping
			c.Success("Deleted everything")
			return nil
		}},
		&drover.Command{Name: "stubborn", Short: "Never look at the stop", Run: func(ctx context.Context, c *drover.Call) error {
			return c.DB().Atomic(ctx, func(ctx context.Context) error {
				if err := c.DB().Exec(ctx, "INSERT INTO batches VALUES (1)"); err != nil {
					return err
				}
				c.Notice("ready")
				return c.DB().Exec(ctx, "SELECT pg_sleep(3600)")
			})
		}},
		&drover.Command{Name: "deaf", NoDatabase: true, Short: "Look at nothing", Run: func(context.Context, *drover.Call) error {
			println("ready")
			select {}
		}},
		&drover.Command{Name: "purge", Options: drover.Options{Confirm: true}, Run: func(ctx context.Context, c *drover.Call) error {
			if err := c.Confirm(ctx, drover.Facts{Action: "delete", Count: 3, What: "rows"}); err != nil {
				return err
			}
			return c.DB().Exec(ctx, "INSERT INTO batches VALUES (2)")
		}},
		plain("working", func(_ context.Context, c *drover.Call) error { // until it is stopped
			p := c.Progress(drover.ProgressOptions{Label: "purge a_table_with_a_longer_name", Total: 318240, Batches: 319})
			p.Set(86240)
			p.Batch(87)
			p.Fact("retries", "0")
			p.Note("batch 86: 1,000 rows in 0.44s")
			stopping := c.Stopping()
			c.Notice("ready")
			<-stopping
			return c.StopErr("%d rows deleted", 86240)
		}),
		plain("flood", func(_ context.Context, c *drover.Call) error {
			for {
				if _, err := c.Out().Write([]byte("a line of output\n")); err != nil {
					return err
				}
			}
		}),
		plain("bar", func(_ context.Context, c *drover.Call) error {
			p := c.Progress(drover.ProgressOptions{Label: "purge events", Total: 4})
			for i := range 4 {
				c.Notice("batch %d is done", i+1)
				p.Add(1)
			}
			return nil
		}),
		plain("code", func(context.Context, *drover.Call) error { return drover.Exit(7, "no music") }),
	)
}
