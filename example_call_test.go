package drover_test

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
)

// greet is a command with an option. Its constructor makes a new variable for each invocation.
func greet() *drover.Command {
	var loud bool
	return &drover.Command{
		Name: "greet", Short: "Greet somebody", NoDatabase: true,
		Args:  drover.Args{Usage: "NAME..."},
		Flags: func(f *pflag.FlagSet) { f.BoolVar(&loud, "loud", false, "with an exclamation mark") },
		RunEach: func(_ context.Context, c *drover.Call, name string) error {
			if loud {
				name += "!"
			}
			c.Line("Hello %s", name)
			return nil
		},
	}
}

// A command is called from code as it is called from the shell, and returns what it printed.
func ExampleApp_Call() {
	app := drover.New("manage")
	app.AddFunc(greet)

	res, err := app.Call(context.Background(), "greet", "Ada", "Grace", "--loud")
	fmt.Print(res.Stdout)
	fmt.Println(err)

	_, err = app.Call(context.Background(), "greet")
	fmt.Println(err, drover.ExitCode(err))
	// Output:
	// Hello Ada!
	// Hello Grace!
	// <nil>
	// missing NAME... 2
}
