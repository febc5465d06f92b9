package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
	"github.com/drover-dev/drover/internal/suggest"
)

// checkOptions refuses what can be seen without the database.
func (p *purge) checkOptions() error {
	o := p.options
	switch {
	case strings.TrimSpace(o.table) == "":
		return drover.Exit(drover.ExitUsage, "--table is empty").Try("--table NAME names the table to delete from")
	case o.all:
		return nil
	case strings.TrimSpace(o.where) == "":
		return drover.Exit(drover.ExitUsage, "no condition: without one every row would be deleted").
			Try(`--where "CONDITION" says which rows to delete`).
			Try("--all deletes every row")
	}
	if err := sqltext.CheckWhere(p.dialect.Syntax(), o.where); err != nil {
		refused := drover.Exit(drover.ExitUsage, "--where: %w", err)
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) && hinted.Hint() != "" {
			refused = refused.Try("%s", hinted.Hint())
		}
		return refused
	}
	p.where = literalMarks(p.dialect.Syntax(), o.where)
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

// findTable reads the table's description and refuses what cannot be purged.
func (p *purge) findTable(ctx context.Context) error {
	t, err := p.dialect.Table(ctx, p.conn, p.options.table)
	switch {
	case errors.Is(err, dialect.ErrNoTable):
		return p.noTable(ctx)
	case db.KindOf(err) != db.ErrUnknown:
		return err
	case err != nil:
		return drover.Exit(drover.ExitUsage, "--table: %w", err)
	case t.View:
		return drover.Exit(drover.ExitUsage, "%s is a view or another relation without rows of its own", t.FullName()).
			Try("name the table that the rows are stored in")
	case len(t.Keys) == 0:
		return drover.Exit(drover.ExitUsage, "table %s has no primary key and no unique key without NULLs, so its rows cannot be deleted in safe batches", t.FullName()).
			Try("ALTER TABLE %s ADD PRIMARY KEY (...)", keyset.TableName(p.dialect, t.Schema, t.Name))
	}
	p.table, p.key = t, t.Keys[0]
	if p.keys, err = keyset.New(p.dialect, t, p.key); err != nil {
		return err
	}
	return nil
}

// noTable names the table that was probably meant, or those that there are.
func (p *purge) noTable(ctx context.Context) error {
	refused := drover.Exit(drover.ExitUsage, "no table %q in database %q (%s)", p.options.table, p.conn.Alias(), p.conn.Address())
	names, err := p.dialect.Tables(ctx, p.conn)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return refused.Try("the database has no tables; --database ALIAS chooses another one")
	}
	if near := suggest.Nearest(p.options.table, names); near != "" {
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
func (p *purge) checkNames() error {
	tokens := p.tokens()
	for i, token := range tokens {
		if token.Kind == sqltext.Word && strings.EqualFold(token.Text, "SELECT") {
			return nil // names may belong to another table
		}
		if token.Kind != sqltext.QuotedIdent || isQualifier(tokens, i) || isOther(tokens, i) {
			continue
		}
		if name := unquoted(token.Text); !p.hasColumn(name) {
			return p.noColumn(name, nil)
		}
	}
	return nil
}

// tokens are the condition's tokens but for the spaces.
func (p *purge) tokens() []sqltext.Token {
	return slices.DeleteFunc(slices.Collect(sqltext.Tokens(p.dialect.Syntax(), p.options.where)), func(t sqltext.Token) bool {
		return t.Kind == sqltext.Space
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

func (p *purge) hasColumn(name string) bool {
	return slices.ContainsFunc(p.table.Columns, func(c dialect.Column) bool { return strings.EqualFold(c.Name, name) })
}

func (p *purge) columnNames() []string {
	names := make([]string, len(p.table.Columns))
	for i, c := range p.table.Columns {
		names[i] = c.Name
	}
	return names
}

func (p *purge) noColumn(name string, cause error) error {
	refused := drover.Exit(drover.ExitUsage, "table %s has no column %q", p.table.FullName(), name)
	refused.Err = cause
	if near := suggest.Nearest(name, p.columnNames()); near != "" {
		return refused.Try("did you mean %s?", near)
	}
	return refused.Try("columns: %s", short(p.columnNames()))
}

// rejected explains an error that the database gave for the condition. Errors that say nothing about the condition
// stay as they are.
func (p *purge) rejected(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || p.where == "" {
		return err
	}
	switch db.KindOf(err) {
	case db.ErrUndefinedColumn:
		if name := p.unknownName(err); name != "" {
			return p.noColumn(name, err)
		}
	case db.ErrSyntax, db.ErrData, db.ErrUndefinedTable:
	case db.ErrUnknown:
		if _, answered := p.dialect.Classify(err); !answered {
			return err
		}
	default:
		return err
	}
	refused := drover.Exit(drover.ExitUsage, "the database does not accept --where: %s", databaseMessage(err))
	refused.Err = err
	return refused.Try("the condition is what would follow WHERE in a statement on %s", p.table.FullName())
}

// databaseMessage is what the database itself said, in one line.
func databaseMessage(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return dialect.OneLine(err.Error())
}

// unknownName finds the name that the database does not know: the one of the condition that its message repeats.
func (p *purge) unknownName(err error) string {
	if own := (*db.Error)(nil); errors.As(err, &own) && own.Column != "" {
		return own.Column
	}
	message := databaseMessage(err)
	for _, token := range p.tokens() {
		name := token.Text
		switch token.Kind {
		case sqltext.QuotedIdent:
			name = unquoted(name)
		case sqltext.Word:
		default:
			continue
		}
		if !p.hasColumn(name) && strings.Contains(message, name) && !sqlWord(name) {
			return name
		}
	}
	return ""
}

// sqlWord tells the words of conditions that may stand in a message by chance.
func sqlWord(name string) bool {
	return slices.Contains([]string{"AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "BETWEEN"}, strings.ToUpper(name)) || len(name) == 1
}
