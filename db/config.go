package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"github.com/drover-dev/drover/internal/dialect"
)

// DefaultAlias is the alias that commands use where none is given.
const DefaultAlias = "default"

// ConfigOptions say where the configuration of the databases is read from. Later sources win: the file, then the environment.
type ConfigOptions struct {
	// File is the path of the configuration file. When it is empty ./drover.toml is read where it exists; a named file must exist.
	File string
	// Environ is the environment in the form of os.Environ. DATABASE_URL is the alias "default", DATABASE_URL_REPORTS the alias
	// "reports".
	Environ []string
	// Default is the URL of the alias "default" where nothing configures it; empty for none.
	Default string
	// Open are options for every database; its alias is set by itself.
	Open []OpenOption
}

// configFile is drover.toml:
//
//	[databases.default]
//	url = "postgres://app@db1/app"
//	isolation = "serializable"   # optional
//	max_conns = 8                # optional
//
//	[databases.reports]
//	url = "mysql://app@db2/reports"
type configFile struct {
	Databases map[string]databaseConfig `toml:"databases"`
}

type databaseConfig struct {
	URL       string `toml:"url"`
	Isolation string `toml:"isolation"`
	MaxConns  int    `toml:"max_conns"`
}

// ConfigError says what is wrong with the configuration. It holds no URL.
type ConfigError struct {
	Source string // the file, or the environment variable
	Err    error
}

// Error names the source and the problem.
func (e *ConfigError) Error() string { return fmt.Sprintf("configuration %s: %s", e.Source, e.Err) }

// Unwrap returns the problem.
func (e *ConfigError) Unwrap() error { return e.Err }

// LoadConfig reads the configuration. It opens no database.
func LoadConfig(o ConfigOptions) (*Registry, error) {
	r := &Registry{configs: map[string]databaseConfig{}, open: map[string]*DB{}, options: o.Open}
	if o.Default != "" {
		r.configs[DefaultAlias] = databaseConfig{URL: o.Default}
	}
	if err := r.readFile(o.File); err != nil {
		return nil, err
	}
	for _, variable := range o.Environ {
		name, value, _ := strings.Cut(variable, "=")
		rest, ok := strings.CutPrefix(name, "DATABASE_URL")
		switch {
		case !ok || value == "":
		case rest == "":
			r.setURL(DefaultAlias, value)
		case strings.HasPrefix(rest, "_") && len(rest) > 1:
			r.setURL(strings.ToLower(rest[1:]), value)
		}
	}
	return r, nil
}

func (r *Registry) readFile(path string) error {
	named := path != ""
	if !named {
		path = "drover.toml"
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil
	case err != nil:
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return &ConfigError{Source: path, Err: err}
	}
	var file configFile
	meta, err := toml.Decode(string(text), &file)
	if err != nil {
		if parse, ok := errors.AsType[toml.ParseError](err); ok { // its text can quote the line, and the line a password
			err = fmt.Errorf("line %d: not valid TOML", parse.Position.Line)
		} else {
			err = errors.New("a value is of the wrong type")
		}
		return &ConfigError{Source: path, Err: err}
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return &ConfigError{Source: path, Err: fmt.Errorf("unknown key %q", unknown[0].String())}
	}
	for alias, c := range file.Databases {
		if c.URL == "" {
			return &ConfigError{Source: path, Err: fmt.Errorf("database %q has no url", alias)}
		}
		if _, err := isolationLevel(c.Isolation); err != nil {
			return &ConfigError{Source: path, Err: fmt.Errorf("database %q: %w", alias, err)}
		}
		r.configs[alias] = c
	}
	return nil
}

// setURL lets the environment replace the file's URL and keeps the file's other settings.
func (r *Registry) setURL(alias, url string) {
	c := r.configs[alias]
	c.URL = url
	r.configs[alias] = c
}

// isolationLevel reads a level as it is written in the configuration: "read committed", "serializable", …
func isolationLevel(text string) (sql.IsolationLevel, error) {
	if text == "" {
		return sql.LevelDefault, nil
	}
	for level := sql.LevelReadUncommitted; level <= sql.LevelLinearizable; level++ {
		if strings.EqualFold(level.String(), strings.NewReplacer("-", " ", "_", " ").Replace(text)) {
			return level, nil
		}
	}
	return 0, fmt.Errorf("unknown isolation level %q", text)
}

// Registry holds the configured databases by alias and opens each at its first use. It is safe for concurrent use.
type Registry struct {
	options []OpenOption

	mu      sync.Mutex
	configs map[string]databaseConfig
	open    map[string]*DB
	urls    []*DB // opened by URL, for Close
}

// NewRegistry returns a registry of the databases with the given URLs.
func NewRegistry(urls map[string]string, opts ...OpenOption) *Registry {
	r := &Registry{configs: map[string]databaseConfig{}, open: map[string]*DB{}, options: opts}
	for alias, url := range urls {
		r.setURL(alias, url)
	}
	return r
}

// Add puts an open database into the registry, under its alias. The registry's Close closes it too.
func (r *Registry) Add(d *DB) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.configs, d.Alias()) // it stands for what was configured
	r.open[d.Alias()] = d
}

// Release closes the database with an alias where [Registry.Get] has opened it; the next Get opens it anew. Nothing may use it any more. A database
// that was given to [Registry.Add] stays open.
func (r *Registry) Release(alias string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, open := r.open[alias]
	if _, configured := r.configs[alias]; !open || !configured {
		return nil
	}
	delete(r.open, alias)
	return d.Close()
}

// Aliases returns the configured aliases, sorted.
func (r *Registry) Aliases() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := map[string]bool{}
	for alias := range r.configs {
		known[alias] = true
	}
	for alias := range r.open {
		known[alias] = true
	}
	return slices.Sorted(maps.Keys(known))
}

// Get returns the database with an alias, opened at its first use. Text with a scheme ("postgres://…", "sqlite:…") is taken as a URL.
// The options, after those of the registry, count where this is the first use.
// Errors: [*AliasError] for an unknown alias, before anything is opened; [*OpenError] when it cannot be opened.
func (r *Registry) Get(ctx context.Context, alias string, more ...OpenOption) (*DB, error) {
	if isURL(alias) {
		return r.openURL(ctx, alias, more)
	}
	known := r.Aliases()
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.open[alias]; ok {
		return d, nil
	}
	c, ok := r.configs[alias]
	if !ok {
		return nil, &AliasError{Alias: alias, Known: known}
	}
	level, err := isolationLevel(c.Isolation)
	if err != nil {
		return nil, err
	}
	opts := append(slices.Concat(r.options, more), Alias(alias))
	if level != sql.LevelDefault {
		opts = append(opts, DefaultIsolation(level))
	}
	if c.MaxConns > 0 {
		opts = append(opts, MaxConns(c.MaxConns))
	}
	d, err := Open(ctx, c.URL, opts...)
	if err != nil {
		return nil, err
	}
	r.open[alias] = d
	return d, nil
}

// Client says how the database's own interactive program is started on the database with an alias, or with a URL. It opens nothing.
// Errors: [*AliasError] for an unknown alias; [*OpenError] for a database that no URL is known of, or one that such a program cannot be started on.
func (r *Registry) Client(alias string) (*Client, error) {
	url := alias
	if isURL(alias) {
		alias = DefaultAlias
	} else {
		var err error
		if url, err = r.url(alias); err != nil {
			return nil, err
		}
	}
	e, err := engineOf(url)
	if err != nil {
		return nil, &OpenError{Alias: alias, Err: err}
	}
	client, err := e.client(url)
	if err != nil {
		return nil, &OpenError{Alias: alias, Err: err}
	}
	return client, nil
}

// url is that of the database with an alias.
func (r *Registry) url(alias string) (string, error) {
	known := r.Aliases()
	r.mu.Lock()
	defer r.mu.Unlock()
	url := r.configs[alias].URL
	if d, open := r.open[alias]; open {
		url = d.url
	}
	switch {
	case !slices.Contains(known, alias):
		return "", &AliasError{Alias: alias, Known: known}
	case url == "":
		return "", &OpenError{Alias: alias, Err: &dialect.BadURLError{Reason: "it is a pool of the program's own, with no URL that another program could be given"}}
	}
	return url, nil
}

// Client is how a database's own interactive program is started: psql, mariadb, sqlite3. See [Registry.Client].
type Client = dialect.Client

// ClientProgram is one of the programs of a [Client].
type ClientProgram = dialect.ClientProgram

func isURL(text string) bool {
	return strings.Contains(text, "://") || strings.HasPrefix(text, "sqlite:") || strings.HasPrefix(text, "file:")
}

func (r *Registry) openURL(ctx context.Context, url string, more []OpenOption) (*DB, error) {
	d, err := Open(ctx, url, append(slices.Concat(r.options, more), Alias(DefaultAlias))...)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.urls = append(r.urls, d)
	return d, nil
}

// Close closes every database that is open.
func (r *Registry) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, alias := range slices.Sorted(maps.Keys(r.open)) {
		errs = append(errs, r.open[alias].Close())
	}
	for _, d := range r.urls {
		errs = append(errs, d.Close())
	}
	clear(r.open)
	r.urls = nil
	return errors.Join(errs...)
}

// AliasError says that no database is configured under an alias.
type AliasError struct {
	Alias string
	Known []string
}

// Error names the alias and those that are configured.
func (e *AliasError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("no database %q: none is configured", e.Alias)
	}
	return fmt.Sprintf("no database %q: configured are %s", e.Alias, strings.Join(e.Known, ", "))
}

// Hint tells how to configure it.
func (e *AliasError) Hint() string {
	variable := "DATABASE_URL"
	if e.Alias != DefaultAlias {
		variable += "_" + strings.ToUpper(e.Alias)
	}
	return fmt.Sprintf("set %s, or add [databases.%s] with a url to drover.toml", variable, e.Alias)
}
