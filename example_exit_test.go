package drover_test

import (
	"context"
	"fmt"
	"os"

	"github.com/drover-dev/drover"
)

// An error can carry an exit code and advice. A whole command line, with what it prints and its exit code, is run with an
// Env.
func ExampleExit() {
	app := drover.New("manage")
	app.Add(&drover.Command{
		Name: "guarded", NoDatabase: true,
		Run: func(context.Context, *drover.Call) error {
			return drover.Exit(drover.ExitRefused, "replica lag is 31s, the limit is 10s").Try("wait, or raise --max-lag")
		},
	})
	code := app.Run(context.Background(), drover.Env{Args: []string{"guarded"}, Stderr: os.Stdout})
	fmt.Println("exit code", code)
	// Output:
	// Error: replica lag is 31s, the limit is 10s
	// Try:   wait, or raise --max-lag
	// exit code 6
}
