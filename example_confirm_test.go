package drover_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/drover-dev/drover"
)

// A confirmation tells measured facts, and only the exact word goes on.
func ExampleCall_Confirm() {
	app := drover.New("manage")
	app.Add(&drover.Command{
		Name: "forget", NoDatabase: true, Options: drover.Options{Confirm: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			if err := c.Confirm(ctx, drover.Facts{Action: "forget", Count: 1200, What: "names"}); err != nil {
				return err
			}
			c.Success("Removed %d names", 1200)
			return nil
		},
	})
	for _, answers := range []string{"yes\n", "y\nno\n"} {
		res, err := app.CallWith(context.Background(), drover.CallOptions{Stdin: strings.NewReader(answers), Interactive: true}, "forget")
		fmt.Printf("%s%s%v, exit code %d\n\n", strings.ReplaceAll(res.Stderr, ": ", ":\n"), res.Stdout, err, drover.ExitCode(err))
	}
	_, err := app.Call(context.Background(), "forget") // nobody to ask
	fmt.Println(err)
	// Output:
	// This will forget 1,200 names.
	// Type "yes" to continue, or press Ctrl-C:
	// Removed 1,200 names
	// <nil>, exit code 0
	//
	// This will forget 1,200 names.
	// Type "yes" to continue, or press Ctrl-C:
	// Only "yes", in lower case, continues; anything else cancels:
	// Cancelled. Nothing was changed., exit code 4
	//
	// this needs a confirmation, but the input is not a terminal; add --no-input to go on without asking
}
