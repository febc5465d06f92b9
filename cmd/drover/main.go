// Command drover is the ready-made program: database commands that are safe to run on production data.
package main

import (
	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/command"
)

func main() {
	app := drover.New("drover")
	app.Short = "Database commands that are safe to run on production data: PostgreSQL, MariaDB, MySQL and SQLite."
	app.DefaultURL = "" // a tool for existing databases does not make one
	app.AddBuiltin(command.All()...)
	app.Main()
}
