// Package scaffold makes the source of a new command:
//
//	c, err := scaffold.New("./cmd/manage", "close-accounts")
//	files, err := c.Files()                                   // close_accounts.go, close_accounts_test.go
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed *.tmpl
var sources embed.FS

// Command is a command that is to be written into a folder.
type Command struct {
	Name    string // "close-accounts"
	Package string // that of the folder; main where it has none
	Func    string // the function that returns the command: exported but in a program
	Test    string
	Main    bool // the folder is to be a program, and has no func main yet

	dir string
}

// File is a file that is to be written.
type File struct {
	Path    string
	Content []byte
}

// NameError says why a command cannot have a name.
type NameError struct{ Reason string }

func (e *NameError) Error() string { return e.Reason }

// TakenError says that a package has something of a name that the command needs.
type TakenError struct{ Name, Where string }

func (e *TakenError) Error() string { return fmt.Sprintf("there is a %s already: %s", e.Name, e.Where) }

var commandName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// New looks at a folder and says what a command would be there. Errors: [*NameError], [*TakenError], and what is wrong with the folder.
func New(dir, name string) (*Command, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}
	words := strings.Split(name, "-")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	exported := strings.Join(words, "")
	c := &Command{Name: name, Package: "main", Func: exported, Test: "Test" + exported, dir: dir}
	found, err := build.ImportDir(dir, 0)
	if none := (*build.NoGoError)(nil); err != nil && !errors.As(err, &none) {
		return nil, err
	}
	if found.Name != "" {
		c.Package = found.Name
	}
	if c.Package == "main" {
		c.Func = strings.ToLower(exported[:1]) + exported[1:]
		c.Main = true
	}
	switch used, err := c.uses(c.Func); {
	case err != nil:
		return nil, err
	case used:
		c.Func += "Command"
	}
	return c, c.compare(slices.Concat(found.GoFiles, found.CgoFiles, found.TestGoFiles))
}

// uses reports whether the source has a name for something else than the command's function: a package, or a variable.
func (c *Command) uses(name string) (bool, error) {
	other := *c
	other.Func = "another" // which no template has
	files, err := other.Files()
	used := false
	for _, f := range files {
		parsed, failed := parser.ParseFile(token.NewFileSet(), f.Path, f.Content, parser.SkipObjectResolution)
		if failed != nil {
			return false, failed
		}
		for _, decl := range parsed.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				if n, ok := n.(*ast.Ident); ok && n.Name == name {
					used = true
				}
				return true
			})
		}
	}
	return used, err
}

// compare looks for the command's names among those of the package.
func (c *Command) compare(files []string) error {
	set := token.NewFileSet()
	for _, name := range files {
		file, err := parser.ParseFile(set, filepath.Join(c.dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for ident := range declared(file) {
			switch ident.Name {
			case c.Func, c.Test:
				return &TakenError{ident.Name, set.Position(ident.Pos()).String()}
			case "main":
				c.Main = false
			}
		}
	}
	return nil
}

// declared are the names that a file declares for its whole package.
func declared(file *ast.File) func(yield func(*ast.Ident) bool) {
	return func(yield func(*ast.Ident) bool) {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && !yield(decl.Name) {
					return
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					var names []*ast.Ident
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names = []*ast.Ident{spec.Name}
					case *ast.ValueSpec:
						names = spec.Names
					}
					for _, name := range names {
						if !yield(name) {
							return
						}
					}
				}
			}
		}
	}
}

// checkName refuses what is no command's name, no function's, or no file's that is built everywhere.
func checkName(name string) error {
	switch {
	case !commandName.MatchString(name):
		return &NameError{fmt.Sprintf("%q is no name of a command: it is made of lower-case words of letters and digits, with dashes between them", name)}
	case token.IsKeyword(name), types.Universe.Lookup(name) != nil, name == "main", name == "init":
		return &NameError{fmt.Sprintf("%q is a word of Go, so that no function can have it for a name", name)}
	case strings.HasSuffix(name, "-test"):
		return &NameError{fmt.Sprintf("%q would be the name of a test: Go builds a file %s for tests only", name, fileName(name))}
	}
	nowhere := build.Context{ // built for no system, so that a file for one of them does not match
		OpenFile: func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("package p\n")), nil },
	}
	if everywhere, err := nowhere.MatchFile("", fileName(name)); err == nil && !everywhere {
		return &NameError{fmt.Sprintf("%q ends with the name of a system: Go builds a file %s for that one only", name, fileName(name))}
	}
	return nil
}

func fileName(name string) string { return strings.ReplaceAll(name, "-", "_") + ".go" }

// Files are the command and its test, as gofmt writes them.
func (c *Command) Files() ([]File, error) {
	templates, err := template.ParseFS(sources, "*.tmpl")
	if err != nil {
		return nil, err
	}
	name := fileName(c.Name)
	var files []File
	for _, f := range []struct{ template, name string }{{"command.go.tmpl", name}, {"command_test.go.tmpl", strings.TrimSuffix(name, ".go") + "_test.go"}} {
		var text bytes.Buffer
		if err := templates.ExecuteTemplate(&text, f.template, c); err != nil {
			return nil, err
		}
		source, err := format.Source(text.Bytes())
		if err != nil {
			return nil, err
		}
		files = append(files, File{filepath.Join(c.dir, f.name), source})
	}
	return files, nil
}
