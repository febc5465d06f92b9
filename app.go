package drover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/drover-dev/drover/db"
)

// App is a program: a name and its commands. Make one with [New], fill it before its first use, and leave it alone then;
// after that all its methods are safe for concurrent use.
type App struct {
	Name    string // the program's name, as in usage lines
	Version string // what "version" prints; empty: the version of the main module, as built
	Short   string // one line for the help

	// DefaultURL is the database of the alias "default" where nothing else configures it. [New] sets it to
	// "sqlite:<name>.db"; empty: then there is no such database.
	DefaultURL string
	// ConfigFile is the configuration's path; empty: ./drover.toml, when it exists.
	ConfigFile string
	// Databases, when set, is used instead of the configuration. [App.Run] closes it, [App.Call] does not.
	Databases *db.Registry
	// Open is applied to every database that is opened from the configuration.
	Open []db.OpenOption
	// Checks run before those of each command that uses a database.
	Checks []Check

	entries []*entry
	guards  map[*Command]chan struct{}
}

// entry is one registered command and where it comes from.
type entry struct {
	cmd    *Command
	fresh  func() *Command // makes a new one for each invocation; nil: cmd serves all
	level  level
	origin string // file:line of the registration
}

// level decides which of two commands of one name is used: the higher.
type level int

const (
	levelIntrinsic level = iota // help, version, completion, man
	levelBuiltin                // App.AddBuiltin
	levelUser                   // App.Add, App.AddFunc
)

// New makes a program. Its commands are what is added to it, and help, version, completion and the hidden man.
func New(name string) *App {
	a := &App{Name: name, DefaultURL: "sqlite:" + name + ".db", guards: make(map[*Command]chan struct{})}
	for _, cmd := range intrinsicCommands() {
		a.register(&entry{cmd: cmd, level: levelIntrinsic, origin: "drover"})
	}
	return a
}

// Add registers commands. A command replaces a built-in one of the same name, whatever the order. Two that were
// registered with Add or AddFunc under one name are a mistake of the program: Add panics and names both places, as it does
// for a command that contradicts itself.
//
// The variables that a command's Flags binds exist once for all its invocations, so overlapping calls of one command wait
// for each other, and a command that calls itself gets an error; use [App.AddFunc] where that matters.
func (a *App) Add(cmds ...*Command) {
	origin := callerOrigin()
	for _, cmd := range cmds {
		a.register(&entry{cmd: cmd, level: levelUser, origin: origin})
	}
}

// AddFunc registers commands by their constructors, which are called again for every invocation: each has variables of
// its own, and calls may overlap. Otherwise it is [App.Add].
func (a *App) AddFunc(constructors ...func() *Command) {
	origin := callerOrigin()
	for _, fresh := range constructors {
		a.register(&entry{cmd: fresh(), fresh: fresh, level: levelUser, origin: origin})
	}
}

// AddBuiltin registers the commands of a library. A command of the program with the same name replaces them; two built-in
// commands of one name are a mistake, as for [App.Add].
func (a *App) AddBuiltin(constructors ...func() *Command) {
	origin := callerOrigin()
	for _, fresh := range constructors {
		a.register(&entry{cmd: fresh(), fresh: fresh, level: levelBuiltin, origin: origin})
	}
}

func (a *App) register(e *entry) {
	if err := e.cmd.validate(""); err != nil {
		panic(fmt.Sprintf("drover: %v (added at %s)", err, e.origin))
	}
	i := slices.IndexFunc(a.entries, func(o *entry) bool { return o.cmd.Name == e.cmd.Name })
	if i >= 0 && a.entries[i].level == e.level {
		panic(fmt.Sprintf("drover: two commands are called %q: one added at %s, one at %s", e.cmd.Name, a.entries[i].origin, e.origin))
	}
	switch {
	case i < 0:
		a.entries = append(a.entries, e)
	case a.entries[i].level < e.level:
		a.entries[i] = e
	default: // the one that is there wins
		return
	}
	a.guard(e.cmd)
}

// guard gives every command whose options live in shared variables a token that one invocation at a time holds. A command
// with a constructor is itself only read for help.
func (a *App) guard(cmd *Command) {
	if cmd.Flags != nil {
		a.guards[cmd] = make(chan struct{}, 1)
	}
	for _, sub := range cmd.Subcommands {
		a.guard(sub)
	}
}

// Main runs the process's command line and ends the process with the command's exit code. It never returns.
func (a *App) Main() {
	os.Exit(a.Run(context.Background(), ProcessEnv())) //nolint:forbidigo // the one place that does
}

// version is the version of the program, without its name.
func (a *App) version() string {
	v := a.Version
	if v == "" {
		v = "(devel)"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			v = info.Main.Version
		}
	}
	return v
}

// callerOrigin is the file and line of the code that called the calling method.
func callerOrigin() string {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "unknown place"
	}
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// configuration opens nothing: it reads which databases there are.
func (a *App) configuration(environ []string) (*db.Registry, error) {
	if a.Databases != nil {
		return a.Databases, nil
	}
	reg, err := db.LoadConfig(db.ConfigOptions{File: a.ConfigFile, Environ: environ, Default: a.DefaultURL, Open: a.Open})
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return reg, nil
}
