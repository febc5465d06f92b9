// Package command holds the commands that drover brings along. A program takes them in with
//
//	app.AddBuiltin(command.All()...)
//
// and may replace any of them with a command of its own of the same name.
package command

import "github.com/drover-dev/drover"

// All returns the constructors of all commands of this package, for [drover.App.AddBuiltin].
func All() []func() *drover.Command {
	return []func() *drover.Command{Backfill, Copy, Doctor, Export, Import, Init, Inspect, New, Purge, Recover, Runs, Shell, Undo}
}
