package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/runstore"
)

// age is the rows that are older than some time, by a column of theirs.
type age struct {
	older  string // --older-than
	column string // --column

	before   time.Duration
	boundary time.Time // which the times of the rows must lie before; the run keeps it
	keptBy   string    // the run that had it before
	planned  bool      // it is a plan file's
	form     string    // what the column holds
}

// boundaryName is the name that the run keeps the boundary by.
const boundaryName = "boundary"

// check reads the age.
func (a *age) check() error {
	switch {
	case a.older == "" && a.column == "":
		return nil
	case a.older == "":
		return drover.Exit(drover.ExitUsage, "--column needs --older-than").Try("--older-than 90d --column %s", a.column)
	case a.column == "":
		return drover.Exit(drover.ExitUsage, "--older-than needs --column").Try("--older-than %s --column created_at", a.older)
	}
	before, err := parseAge(a.older)
	if err == nil && before == 0 {
		err = fmt.Errorf("%q is no age: it must be more than 0", a.older)
	}
	if err != nil {
		return drover.Exit(drover.ExitUsage, "--older-than: %w", err).Try("12h, 90d or 2w; months and years have no fixed length: 30d, 365d")
	}
	a.before = before
	return nil
}

// old narrows the rows to those that are old enough: by the boundary that the run has kept, or counted back from the database's clock.
func (p *purge) old(ctx context.Context, kept, runID string) (err error) {
	if p.age.before == 0 {
		return nil
	}
	place := slices.IndexFunc(p.table.Columns, func(c dialect.Column) bool { return strings.EqualFold(c.Name, p.age.column) })
	if place < 0 {
		return p.noColumn(p.age.column, nil)
	}
	c := p.table.Columns[place]
	p.age.column = c.Name
	switch {
	case kept != "":
		if p.age.boundary, err = time.Parse(time.RFC3339Nano, kept); err != nil {
			return fmt.Errorf("read the boundary that was kept: %w", err)
		}
		p.age.keptBy, p.age.planned = runID, runID == ""
	default:
		now, err := runstore.New(p.conn).Clock(ctx)
		if err != nil {
			return err
		}
		p.age.boundary = now.Add(-p.age.before).Truncate(time.Microsecond)
	}
	p.options.Frozen = []batch.Argument{{Name: boundaryName, Value: p.age.boundary.Format(time.RFC3339Nano)}}
	before, err := p.dialect.Before(ctx, p.conn, p.keys.Table(), c, p.age.boundary)
	if refused, ok := errors.AsType[*dialect.NoTimeError](err); ok {
		return drover.Exit(drover.ExitUsage, "--column %s of %s does not say how old a row is: %w", c.Name, p.table.FullName(), refused).
			Try(`say it in SQL: --where "CONDITION"`)
	}
	if err != nil {
		return err
	}
	p.age.form = before.Form
	if p.where != "" {
		before.SQL += " AND (" + p.where + ")"
	}
	p.where = before.SQL
	return nil
}

// text says what the rows' age is measured by.
func (a *age) text() string {
	text := fmt.Sprintf("%s: %s before %s UTC", a.older, a.column, a.boundary.Format(dialect.MomentLayout))
	switch {
	case a.keptBy != "":
		text += ", as run " + batch.Short(a.keptBy) + " began with"
	case a.planned:
		text += ", as planned"
	default:
		text += ", by the database's clock"
	}
	return text + " (" + a.form + ")"
}

type ageDocument struct {
	Age      string `json:"age"`
	Column   string `json:"column"`
	Boundary string `json:"boundary"`
	Form     string `json:"form"`
}

// document is nil where no age was asked for.
func (a *age) document() *ageDocument {
	if a.before == 0 {
		return nil
	}
	return &ageDocument{a.older, a.column, a.boundary.Format(time.RFC3339Nano), a.form}
}
