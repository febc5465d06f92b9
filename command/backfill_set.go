package command

import (
	"errors"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
)

// assignment is one --set.
type assignment struct {
	name   string // as given, without its quotes
	quoted bool
	given  string // the expression
	sql    string // the expression as a statement takes it
	column dialect.Column
}

// parse reads "column = expression".
func (b *backfill) parse(text string) (a assignment, err error) {
	tokens := b.tokens(text)
	if len(tokens) < 2 || !strings.HasPrefix(tokens[1].Text, "=") {
		return a, b.malformed(text)
	}
	switch name := tokens[0]; name.Kind {
	case sqltext.Word:
		a.name = name.Text
	case sqltext.QuotedIdent:
		a.name, a.quoted = unquoted(name.Text), true
	default:
		return a, b.malformed(text)
	}
	a.given = strings.TrimSpace(text[tokens[1].Pos+1:])
	if a.given == "" {
		return a, b.malformed(text)
	}
	if err := sqltext.CheckWhere(b.dialect.Syntax(), a.given); err != nil {
		return a, notOneExpression(a.name, err)
	}
	a.sql = literalMarks(b.dialect.Syntax(), a.given)
	return a, nil
}

func (b *backfill) malformed(text string) error {
	return drover.Exit(drover.ExitUsage, "--set %q is not of the form column = expression", text).
		Try(`--set "email = lower(email)" sets a column to what an SQL expression gives`)
}

// notOneExpression is the refusal of a text that a condition could not be either, in the words of an expression.
func notOneExpression(name string, err error) error {
	words := strings.NewReplacer("one condition, not a statement", "one expression, not a statement", "the condition", "the expression",
		"leave the word WHERE out", "--where says which rows are set", "join conditions with AND or OR", "give each column a --set of its own")
	refused := drover.Exit(drover.ExitUsage, "--set %s: %s", name, words.Replace(err.Error()))
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		refused = refused.Try("%s", words.Replace(hinted.Hint()))
	}
	return refused
}

// resolve finds the column of the i-th assignment.
func (b *backfill) resolve(i int) error {
	a := &b.set[i]
	var found bool
	if a.column, found = b.table.Column(a.name); !found && !a.quoted {
		a.column, found = b.table.Column(b.inCatalogue(a.name))
	}
	switch c := a.column; {
	case !found:
		return b.noColumn(a.name, nil)
	case slices.Contains(b.key.Columns, c.Name):
		return drover.Exit(drover.ExitRefused, "column %s belongs to the key that the rows of %s are walked by (%s): setting it would move rows into other batches",
			c.Name, b.table.FullName(), strings.Join(b.key.Columns, ", "))
	case c.Generated:
		return drover.Exit(drover.ExitUsage, "column %s of %s is generated: the database computes it", c.Name, b.table.FullName())
	}
	for _, before := range b.set[:i] {
		if before.column.Name == a.column.Name {
			return drover.Exit(drover.ExitUsage, "column %s is set twice", a.column.Name)
		}
		if b.dialect.Features().OrderedSet && b.names(a.given, before.column.Name) {
			return drover.Exit(drover.ExitUsage, "--set %s uses column %s, which an earlier --set has set by then: this database sets columns one after the other", a.name, before.column.Name).
				Try("give --set %s before --set %s", a.name, before.name)
		}
	}
	return b.checkNames(a.given)
}

// inCatalogue is the column that a name without quotes means.
func (b *backfill) inCatalogue(name string) string {
	for _, c := range b.table.Columns {
		if strings.EqualFold(c.Name, name) {
			return c.Name
		}
	}
	return name
}

// names reports whether a text seems to use a column.
func (b *backfill) names(text, column string) bool {
	return slices.ContainsFunc(b.tokens(text), func(t sqltext.Token) bool {
		return t.Kind == sqltext.Word && strings.EqualFold(t.Text, column) || t.Kind == sqltext.QuotedIdent && strings.EqualFold(unquoted(t.Text), column)
	})
}
