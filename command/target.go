package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
	"github.com/drover-dev/drover/internal/suggest"
)

// target is the rows that a command works on: those of a table that match a condition. Its table is there once it is found.
type target struct {
	call    *drover.Call
	conn    *db.DB
	dialect dialect.Dialect
	name    string // --table
	given   string // --where

	table *dialect.Table
	key   dialect.Key
	keys  *keyset.Keyset
	where string // the condition as a statement takes it; "" for all rows
}

func newTarget(c *drover.Call, conn *db.DB, table, where string) *target {
	return &target{call: c, conn: conn, dialect: conn.Dialect(), name: table, given: where}
}

// checkWhere refuses what is no condition, and keeps it as a statement takes it.
func (t *target) checkWhere() error {
	if err := sqltext.CheckWhere(t.dialect.Syntax(), t.given); err != nil {
		refused := drover.Exit(drover.ExitUsage, "--where: %w", err)
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) && hinted.Hint() != "" {
			refused = refused.Try("%s", hinted.Hint())
		}
		return refused
	}
	t.where = literalMarks(t.dialect.Syntax(), t.given)
	return nil
}

// literalMarks keeps the operators of PostgreSQL that are written with a question mark from being taken for
// placeholders, as package db wants it.
func literalMarks(s sqltext.Syntax, where string) string {
	var b strings.Builder
	for token := range sqltext.Tokens(s, where) {
		b.WriteString(token.Text)
		if token.Kind == sqltext.QuestionMark {
			b.WriteString(token.Text)
		}
	}
	return b.String()
}

// findTable reads the table's description and refuses what cannot be walked.
func (t *target) findTable(ctx context.Context) error {
	if err := t.describeTable(ctx); err != nil {
		return err
	}
	if len(t.table.Keys) == 0 {
		return drover.Exit(drover.ExitUsage, "table %s has no primary key and no unique key without NULLs, so its rows cannot be walked in safe batches", t.table.FullName()).
			Try("ALTER TABLE %s ADD PRIMARY KEY (...)", keyset.TableName(t.dialect, t.table.Schema, t.table.Name))
	}
	return nil
}

// describeTable reads the table's description, and its key where it has one.
func (t *target) describeTable(ctx context.Context) error {
	found, err := t.dialect.Table(ctx, t.conn, t.name)
	switch {
	case errors.Is(err, dialect.ErrNoTable):
		return t.noTable(ctx)
	case db.KindOf(err) != db.ErrUnknown:
		return err
	case err != nil:
		return drover.Exit(drover.ExitUsage, "--table: %w", err)
	case found.View:
		return drover.Exit(drover.ExitUsage, "%s is a view or another relation without rows of its own", found.FullName()).
			Try("name the table that the rows are stored in")
	case len(found.Keys) > 0 && !slices.ContainsFunc(found.Columns, func(c dialect.Column) bool { return c.Name == found.Keys[0].Columns[0] }):
		return drover.Errorf("table %s does not show its columns to the user of database %q (%s); nothing was changed", found.FullName(), t.conn.Alias(), t.conn.Address()).
			Try("grant the user SELECT on the table, or connect as a user who has it")
	}
	if t.table = found; len(found.Keys) == 0 {
		return nil
	}
	t.key = found.Keys[0]
	t.keys, err = keyset.New(t.dialect, found, t.key)
	return err
}

// commonName is the name by which runs know the table, however --table writes it: without its schema where that is not needed.
func (t *target) commonName(ctx context.Context) (string, error) {
	if t.name == t.table.Name {
		return t.name, nil
	}
	bare, err := t.dialect.Table(ctx, t.conn, t.dialect.Quote(t.table.Name))
	switch {
	case err == nil && bare.Schema == t.table.Schema:
		return t.table.Name, nil
	case err != nil && !errors.Is(err, dialect.ErrNoTable):
		return "", err
	}
	return t.table.FullName(), nil
}

// setArgument gives an argument that says which work a run is another value, where there is one of that name.
func setArgument(arguments []batch.Argument, name, value string) {
	for i := range arguments {
		if arguments[i].Name == name {
			arguments[i].Value = value
		}
	}
}

// noTable names the table that was probably meant, or those that there are.
func (t *target) noTable(ctx context.Context) error {
	refused := drover.Exit(drover.ExitUsage, "no table %q in database %q (%s)", t.name, t.conn.Alias(), t.conn.Address())
	names, err := t.dialect.Tables(ctx, t.conn)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return refused.Try("the database has no tables; --database ALIAS chooses another one")
	}
	if near := suggest.Nearest(t.name, names); near != "" {
		return refused.Try("did you mean %s?", near)
	}
	return refused.Try("tables: %s", short(names))
}

// short lists names, the first ones of many.
func short(names []string) string {
	const most = 12
	if len(names) > most {
		names = append(slices.Clone(names[:most]), "…")
	}
	return strings.Join(names, ", ")
}

// checkNames refuses a quoted name that is no column. SQLite reads such a name as a string, so that a misspelt
// "statsu" <> 'new' holds for every row.
func (t *target) checkNames(text string) error {
	tokens := t.tokens(text)
	for i, token := range tokens {
		if token.Kind == sqltext.Word && strings.EqualFold(token.Text, "SELECT") {
			return nil // names may belong to another table
		}
		if token.Kind != sqltext.QuotedIdent || isQualifier(tokens, i) || isOther(tokens, i) {
			continue
		}
		if name := unquoted(token.Text); !t.hasColumn(name) {
			return t.noColumn(name, nil)
		}
	}
	return nil
}

// tokens are the tokens of a condition or an expression but for the spaces.
func (t *target) tokens(text string) []sqltext.Token {
	return slices.DeleteFunc(slices.Collect(sqltext.Tokens(t.dialect.Syntax(), text)), func(token sqltext.Token) bool {
		return token.Kind == sqltext.Space
	})
}

// isQualifier reports whether the name at i is followed by a dot or a parenthesis: a table, a schema or a function.
func isQualifier(tokens []sqltext.Token, i int) bool {
	return i+1 < len(tokens) && (tokens[i+1].Text == "." || tokens[i+1].Text == "(")
}

// isOther reports whether the name at i follows a dot, or names a type or a collation.
func isOther(tokens []sqltext.Token, i int) bool {
	if i == 0 {
		return false
	}
	switch strings.ToUpper(tokens[i-1].Text) {
	case ".", "::", "AS", "COLLATE":
		return true
	}
	return false
}

func unquoted(ident string) string {
	if len(ident) < 2 {
		return ident
	}
	q := ident[len(ident)-1:]
	return strings.ReplaceAll(ident[1:len(ident)-1], q+q, q)
}

func (t *target) hasColumn(name string) bool {
	return slices.ContainsFunc(t.table.Columns, func(c dialect.Column) bool { return strings.EqualFold(c.Name, name) })
}

func (t *target) columnNames() []string {
	names := make([]string, len(t.table.Columns))
	for i, c := range t.table.Columns {
		names[i] = c.Name
	}
	return names
}

func (t *target) noColumn(name string, cause error) error {
	refused := drover.Exit(drover.ExitUsage, "table %s has no column %q", t.table.FullName(), name)
	refused.Err = cause
	if near := suggest.Nearest(name, t.columnNames()); near != "" {
		return refused.Try("did you mean %s?", near)
	}
	return refused.Try("columns: %s", short(t.columnNames()))
}

// rejected explains an error that the database gave for the text of an option. Errors that say nothing about the text stay as they are.
func (t *target) rejected(ctx context.Context, err error, option, text, advice string) error {
	if err == nil || ctx.Err() != nil || text == "" {
		return err
	}
	switch db.KindOf(err) {
	case db.ErrUndefinedColumn:
		if name := t.unknownName(err, text); name != "" {
			return t.noColumn(name, err)
		}
	case db.ErrSyntax, db.ErrData, db.ErrUndefinedTable:
	case db.ErrUnknown:
		if _, answered := t.dialect.Classify(err); !answered {
			return err
		}
	default:
		return err
	}
	refused := drover.Exit(drover.ExitUsage, "the database does not accept %s: %s", option, databaseMessage(err))
	refused.Err = err
	return refused.Try("%s", advice)
}

// untouched says of a database's error that it came before anything was changed.
func untouched(err error) error {
	if db.KindOf(err) == db.ErrUnknown || errors.As(err, new(*drover.CommandError)) {
		return err
	}
	return fmt.Errorf("%w; nothing was changed", err)
}

// databaseMessage is what the database itself said, in one line.
func databaseMessage(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return dialect.OneLine(err.Error())
}

// unknownName finds the name that the database does not know: the one of the text that its message repeats.
func (t *target) unknownName(err error, text string) string {
	if own := (*db.Error)(nil); errors.As(err, &own) && own.Column != "" {
		return own.Column
	}
	message := databaseMessage(err)
	for _, token := range t.tokens(text) {
		name := token.Text
		switch token.Kind {
		case sqltext.QuotedIdent:
			name = unquoted(name)
		case sqltext.Word:
		default:
			continue
		}
		if !t.hasColumn(name) && strings.Contains(message, name) && !sqlWord(name) {
			return name
		}
	}
	return ""
}

// sqlWord tells the words of conditions that may stand in a message by chance.
func sqlWord(name string) bool {
	return slices.Contains([]string{"AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "BETWEEN"}, strings.ToUpper(name)) || len(name) == 1
}

// triggers are those that an event fires.
func (t *target) triggers(event string) []string {
	var names []string
	for _, g := range t.table.Triggers {
		if slices.Contains(g.Events, event) {
			names = append(names, g.Name)
		}
	}
	return names
}

// display leaves the schema out where it is the table's own.
func (t *target) display(schema, table string) string {
	if schema == "" || schema == t.table.Schema {
		return table
	}
	return schema + "." + table
}

// count counts the rows that match now.
func (t *target) count(ctx context.Context) (n int64, err error) {
	query := "SELECT count(*) FROM " + t.keys.Table()
	if t.where != "" {
		query += " WHERE (" + t.where + ")"
	}
	err = t.conn.QueryRow(ctx, query).Scan(&n)
	return n, err
}

// matched counts the rows that match, and refuses a condition for which the database had to take a value for another one. It is for a block.
func (t *target) matched(ctx context.Context) (int64, error) {
	n, err := t.count(ctx)
	with, warns := t.dialect.(dialect.Converter)
	if err != nil || t.where == "" || !warns {
		return n, err
	}
	text, err := with.Converted(ctx, t.conn)
	if err == nil && text != "" {
		err = &db.Error{Op: "compare", Alias: t.conn.Alias(), Kind: db.ErrData, Table: t.table.FullName(), Err: errors.New(text)}
	}
	return n, err
}

// readKey runs a query for one key.
func (t *target) readKey(ctx context.Context, query string, args ...any) (keyset.Values, error) {
	return t.keys.Scan(t.conn.QueryRow(ctx, query, args...).Scan)
}
