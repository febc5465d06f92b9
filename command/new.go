package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/scaffold"
	"github.com/drover-dev/drover/internal/term"
)

// New returns the command "new", which writes files to begin from.
func New() *drover.Command {
	return &drover.Command{Name: "new", Short: "Write the source of a new command", Subcommands: []*drover.Command{newCommand()}}
}

func newCommand() *drover.Command {
	var dir string
	return &drover.Command{
		Name: "command", Short: "Write a Go file with a command, and one with its test",
		Long: `Write NAME.go, with a command that has --dry-run and asks before it changes anything, and NAME_test.go, which tests it on SQLite. Dashes in NAME
become underscores. Both compile and pass as they are.

The files get the package of the folder. In a folder without Go files they are a program of their own. Nothing is overwritten.`,
		Example: `drover new command close-accounts
drover new command close-accounts --dir internal/commands --dry-run`,
		Args:       drover.Args{Usage: "NAME"},
		NoDatabase: true,
		Options:    drover.Options{DryRun: true, PlanOnly: true},
		Flags:      func(f *pflag.FlagSet) { f.StringVar(&dir, "dir", ".", "write into this `folder`") },
		Run: func(_ context.Context, c *drover.Call) error {
			name := c.Arg(0)
			if c.HasCommand(name) {
				return drover.Exit(drover.ExitUsage, "%s has a command %q already; nothing was written", c.Program(), name)
			}
			command, err := scaffold.New(dir, name)
			if err != nil {
				return notNew(err)
			}
			files, err := command.Files()
			if err != nil {
				return err
			}
			for _, f := range files {
				if err := datafile.MayCreate(f.Path, false); err != nil {
					return notNew(err)
				}
			}
			if !c.DryRun() {
				if err := writeFiles(files); err != nil {
					return err
				}
			}
			return tellNew(c, command, files)
		},
	}
}

// notNew says why nothing is written.
func notNew(err error) error {
	var (
		name  *scaffold.NameError
		taken *scaffold.TakenError
		path  *fs.PathError
	)
	switch {
	case errors.As(err, &name):
		return drover.Exit(drover.ExitUsage, "%w; nothing was written", err).Try("a name of several words, such as close-accounts")
	case errors.Is(err, datafile.ErrExists), errors.As(err, &taken):
		return drover.Exit(drover.ExitUsage, "%w; nothing was written", err).Try("choose another name, or move what is there")
	case errors.As(err, &path):
		return drover.Exit(drover.ExitUsage, "--dir: cannot read %s: %w; nothing was written", path.Path, path.Err)
	}
	return drover.Errorf("--dir: the package cannot be read: %w; nothing was written", err)
}

// writeFiles writes all files, each under its name when it is whole.
func writeFiles(files []scaffold.File) error {
	for i, f := range files {
		out, err := datafile.CreateFile(f.Path, false)
		if err == nil {
			if _, err = out.Write(f.Content); err != nil {
				err = errors.Join(err, out.Abort())
			} else {
				err = out.Commit()
			}
		}
		if err != nil {
			kept := "nothing was written"
			if i > 0 {
				kept = files[0].Path + " was written"
			}
			return drover.Errorf("cannot write %s; %s: %w", f.Path, kept, err)
		}
	}
	return nil
}

type newDocument struct {
	Type     string    `json:"type"`
	Time     string    `json:"time"`
	DryRun   bool      `json:"dry_run"`
	Command  string    `json:"command"`
	Package  string    `json:"package"`
	Function string    `json:"function"`
	Files    []newFile `json:"files"`
}

type newFile struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

func tellNew(c *drover.Call, command *scaffold.Command, files []scaffold.File) error {
	if c.JSONOutput() {
		d := newDocument{"new_command", term.Timestamp(c.Now()), c.DryRun(), command.Name, command.Package, command.Func, nil}
		for _, f := range files {
			d.Files = append(d.Files, newFile{f.Path, string(f.Content)})
		}
		c.JSON(d)
		return nil
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
		if c.DryRun() {
			if _, err := fmt.Fprintf(c.Out(), "// %s\n\n%s\n", f.Path, f.Content); err != nil {
				return fmt.Errorf("print the files: %w", err)
			}
		}
	}
	c.Did(drover.Created, "%s", strings.Join(paths, " and "))
	if c.DryRun() {
		return nil
	}
	called := command.Func
	switch {
	case command.Main:
		c.Notice("The program is func main in %s; go run . %s --dry-run runs it.", paths[0], command.Name)
		return nil
	case command.Package != "main":
		called = command.Package + "." + called
	}
	c.Notice("Register it where the program is made:  app.Add(%s())", called)
	return nil
}
