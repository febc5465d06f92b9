package sqlite

import (
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// uriParams are the parameters that SQLite itself reads, in every program.
var uriParams = []string{"cache", "immutable", "mode", "modeof", "nolock", "psow", "vfs"}

// Client says how sqlite3 is started on a URL. It can write, as the clients of servers can, unless the URL says mode=ro. It has the pragmas that a
// connection of drover's has, busy timeout and foreign keys among them, but for the journal, which stays as the file has it. It refuses a file that
// is missing, which sqlite3 would make, and a database in memory.
func Client(rawURL string) (*dialect.Client, error) {
	path, params, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	if path == ":memory:" {
		return nil, &dialect.BadURLError{Reason: "a database in memory is inside its program: no other one sees it"}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, &dialect.ConnectError{Address: path, Reason: "there is no such file", Err: err}
	}
	setDefault(params, "synchronous", "NORMAL")
	args := []string{"-cmd", ".output /dev/null"} // some pragmas answer with their value
	for _, pragma := range params["_pragma"] {
		args = append(args, "-cmd", "PRAGMA "+pragma)
	}
	for _, pragma := range slices.Sorted(maps.Keys(shorthands)) {
		for _, name := range shorthands[pragma] {
			if params.Has(name) {
				args = append(args, "-cmd", "PRAGMA "+pragma+"("+params.Get(name)+")")
				params.Del(name)
			}
		}
	}
	args = append(args, "-cmd", ".output")
	own, left := url.Values{}, []string(nil)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch {
		case slices.Contains(uriParams, name):
			own[name] = params[name]
		case name == "_pragma", name == "_time_format", name == "_timezone", name == "_dqs" && params.Get(name) == "0":
		default:
			left = append(left, name)
		}
	}
	file := path
	switch {
	case len(own) > 0:
		file = uri(path, own)
	case strings.HasPrefix(path, "-"):
		file = "./" + path
	}
	return &dialect.Client{Programs: []dialect.ClientProgram{{Name: "sqlite3", Package: "sqlite3", Args: append(args, file), Left: left}}}, nil
}
