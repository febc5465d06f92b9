package drover_test

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover"
)

// A command that works in batches looks between them whether it should stop, and says how far it came.
func ExampleCall_StopErr() {
	stop := make(chan struct{})
	app := drover.New("manage")
	app.Add(&drover.Command{
		Name: "count", NoDatabase: true,
		Run: func(_ context.Context, c *drover.Call) error {
			for done := 1000; done <= 5000; done += 1000 {
				if done == 3000 {
					close(stop) // the shell's Ctrl-C
				}
				if err := c.StopErr("%d of %d rows done", done, 5000); err != nil {
					return err
				}
			}
			return nil
		},
	})
	_, err := app.CallWith(context.Background(), drover.CallOptions{Stopping: stop}, "count")
	fmt.Println(err, drover.ExitCode(err))
	// Output: stopped: 3,000 of 5,000 rows done 130
}
