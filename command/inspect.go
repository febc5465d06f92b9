package command

import (
	"context"
	"errors"
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/model"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// Inspect returns the command "inspect", which prints the Go structs of a database's tables. It changes nothing.
func Inspect() *drover.Command {
	var o model.Options
	var schema string
	return &drover.Command{
		Name: "inspect", Short: "Print Go structs for the tables of a database",
		Long: `Print a Go file with a struct for each TABLE, or for all tables but drover's own, with the tags that package table reads.

A column that can be NULL is a pointer. Decimals, times of day, UUIDs and types that only one kind of database knows
are strings. A text column that cannot be NULL and has a length gets a tag validate. --json prints what the database
says about the tables: columns, keys, foreign keys, triggers.`,
		Example: `drover inspect > tables.go
drover inspect users orders --package app
drover inspect --tags gorm --schema sales`,
		Args: drover.Args{Usage: "[TABLE...]"},
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.Package, "package", "models", "the `name` of the file's package")
			f.StringVar(&o.Tags, "tags", model.TagsDB, "write these `tags`: "+strings.Join(model.Tags(), ", "))
			f.StringVar(&schema, "schema", "", "without a TABLE: all tables of this `schema`")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			switch {
			case !token.IsIdentifier(o.Package) || o.Package == "_":
				return drover.Exit(drover.ExitUsage, "--package: %q is not the name of a Go package", o.Package)
			case !slices.Contains(model.Tags(), o.Tags):
				return drover.Exit(drover.ExitUsage, "--tags: no tags are called %q", o.Tags).Try("tags: %s", strings.Join(model.Tags(), ", "))
			case schema != "" && len(c.Args()) > 0:
				return drover.Exit(drover.ExitUsage, "--schema and a TABLE exclude each other").Try("write the table as %s.TABLE", schema)
			}
			tables, every, err := inspected(ctx, c, schema)
			if err != nil {
				return err
			}
			if c.JSONOutput() {
				return inspectJSON(ctx, c, tables, every)
			}
			source, err := model.Source(o, c.DB().Dialect(), tables)
			if err != nil {
				return err
			}
			_, err = c.Out().Write(source)
			return err
		},
		Complete: func(ctx context.Context, c *drover.Call, option, prefix string) []string {
			switch option {
			case "":
				return tableNames(ctx, c, "database", prefix)
			case "tags":
				return model.Tags()
			}
			return nil
		},
	}
}

// inspected describes the tables that were asked for; every is nil, or all tables where they had to be read for that.
func inspected(ctx context.Context, c *drover.Call, schema string) (tables, every []model.Table, err error) {
	if len(c.Args()) > 0 {
		tables, err = namedTables(ctx, c)
		return tables, nil, err
	}
	if every, err = everyTable(ctx, c.DB()); err != nil {
		return nil, nil, err
	}
	own := ownTables()
	tables = slices.DeleteFunc(slices.Clone(every), func(t model.Table) bool {
		return slices.Contains(own, t.Name) || schema != "" && t.Schema != schema
	})
	switch {
	case len(tables) > 0:
		return tables, every, nil
	case schema != "":
		return nil, nil, drover.Exit(drover.ExitUsage, "no tables of a schema %q in database %q (%s)", schema, c.DB().Alias(), c.DB().Address())
	}
	return nil, nil, drover.Exit(drover.ExitUsage, "database %q (%s) has no tables", c.DB().Alias(), c.DB().Address()).
		Try("--database ALIAS chooses another one")
}

// namedTables describes the tables of the arguments.
func namedTables(ctx context.Context, c *drover.Call) ([]model.Table, error) {
	var tables []model.Table
	for _, name := range c.Args() {
		t, err := c.DB().Dialect().Table(ctx, c.DB(), name)
		switch {
		case errors.Is(err, dialect.ErrNoTable):
			return nil, newTarget(c, c.DB(), name, "").noTable(ctx)
		case err != nil && db.KindOf(err) == db.ErrUnknown:
			return nil, drover.Exit(drover.ExitUsage, "%w", err)
		case err != nil:
			return nil, err
		}
		tables = append(tables, modelTable(t, name))
	}
	return tables, nil
}

// everyTable describes all tables.
func everyTable(ctx context.Context, conn *db.DB) ([]model.Table, error) {
	names, err := quotedTables(ctx, conn)
	if err != nil {
		return nil, err
	}
	var tables []model.Table
	for _, name := range names {
		t, err := conn.Dialect().Table(ctx, conn, name)
		if errors.Is(err, dialect.ErrNoTable) {
			continue // dropped meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read table %s: %w", name, err)
		}
		tables = append(tables, modelTable(t, name))
	}
	return tables, nil
}

// modelTable is a table that the program calls as it was named: with its schema where that was, and quoted where a dot is part of its name.
func modelTable(t *dialect.Table, name string) model.Table {
	switch {
	case strings.Contains(t.Name, "."):
		return model.Table{Table: t, Called: name}
	case t.Schema != "" && strings.Contains(name, "."):
		return model.Table{Table: t, Called: t.FullName()}
	}
	return model.Table{Table: t, Called: t.Name}
}

// ownTables are those that drover makes.
func ownTables() []string { return append(runstore.Tables(), decisionTable) }

// quotedTables are the names of all tables as a user would have to write them, whatever characters they have.
func quotedTables(ctx context.Context, conn *db.DB) ([]string, error) {
	names, err := conn.Dialect().Tables(ctx, conn)
	for i, name := range names {
		if strings.IndexFunc(name, func(r rune) bool { return r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) >= 0 {
			schema, table, err := dialect.SplitName(name, "\"`")
			switch {
			case err != nil: // the quotes are part of the name
				names[i] = conn.Dialect().Quote(name)
			case schema.Text == "":
				names[i] = conn.Dialect().Quote(table.Text)
			default:
				names[i] = conn.Dialect().Quote(schema.Text) + "." + conn.Dialect().Quote(table.Text)
			}
		}
	}
	return names, err
}

type inspectDocument struct {
	Type     string         `json:"type"`
	Time     string         `json:"time"`
	Database runDatabase    `json:"database"`
	Tables   []inspectTable `json:"tables"`
}

type inspectTable struct {
	Schema      string              `json:"schema,omitempty"`
	Name        string              `json:"name"`
	View        bool                `json:"view,omitempty"`
	Columns     []inspectColumn     `json:"columns"`
	Keys        []inspectKey        `json:"keys"`
	ForeignKeys []inspectForeignKey `json:"foreign_keys"`
	Triggers    []inspectTrigger    `json:"triggers"`
}

type inspectColumn struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Class     string `json:"class,omitempty"`
	Nullable  bool   `json:"nullable"`
	Auto      bool   `json:"auto,omitempty"`
	Generated bool   `json:"generated,omitempty"`
}

type inspectKey struct {
	Name    string   `json:"name,omitempty"`
	Columns []string `json:"columns"`
	Primary bool     `json:"primary"`
}

type inspectForeignKey struct {
	Name       string   `json:"name,omitempty"`
	Columns    []string `json:"columns"`
	Schema     string   `json:"references_schema,omitempty"`
	Table      string   `json:"references_table"`
	RefColumns []string `json:"references_columns"`
	OnDelete   string   `json:"on_delete"`
	Indexed    bool     `json:"indexed"`
}

type inspectTrigger struct {
	Name   string   `json:"name"`
	Events []string `json:"events"`
}

// inspectJSON prints the tables. What they point to is known to the tables they point to: every is all of them, or nil where they are still to be read.
func inspectJSON(ctx context.Context, c *drover.Call, tables, every []model.Table) error {
	if every == nil {
		var err error
		if every, err = everyTable(ctx, c.DB()); err != nil {
			return err
		}
	}
	foreign := foreignKeys(every)
	d := inspectDocument{Type: "inspect", Time: term.Timestamp(c.Now()), Database: databaseOf(c.DB())}
	for _, t := range tables {
		out := inspectTable{
			Schema: t.Schema, Name: t.Name, View: t.View, Columns: []inspectColumn{}, Keys: []inspectKey{},
			ForeignKeys: append([]inspectForeignKey{}, foreign[t.FullName()]...), Triggers: []inspectTrigger{},
		}
		for _, col := range t.Columns {
			out.Columns = append(out.Columns, inspectColumn{
				Name: col.Name, Type: col.Type, Class: string(c.DB().Dialect().Type(col).Class),
				Nullable: col.Nullable, Auto: col.Auto || col.Sequence, Generated: col.Generated,
			})
		}
		for _, k := range t.Keys {
			out.Keys = append(out.Keys, inspectKey{Name: k.Name, Columns: k.Columns, Primary: k.Primary})
		}
		for _, g := range t.Triggers {
			out.Triggers = append(out.Triggers, inspectTrigger{Name: g.Name, Events: g.Events})
		}
		d.Tables = append(d.Tables, out)
	}
	c.JSON(d)
	return nil
}

// foreignKeys are those of all tables, by the full name of the table that has them. The catalogue tells a table what points to it.
func foreignKeys(tables []model.Table) map[string][]inspectForeignKey {
	found := map[string][]inspectForeignKey{}
	for _, t := range tables {
		for _, r := range t.References {
			found[r.FullName()] = append(found[r.FullName()], inspectForeignKey{
				Name: r.Name, Columns: r.Columns, Schema: t.Schema, Table: t.Name, RefColumns: r.RefColumns, OnDelete: r.OnDelete, Indexed: r.Indexed,
			})
		}
	}
	return found
}
