package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// Init returns the command "init", which makes the tables of drover, or brings them up to date. A run makes those that it needs by itself where it may;
// the command is for databases where it may not, and for those who want to see them first.
func Init() *drover.Command {
	var printSQL bool
	return &drover.Command{
		Name: "init", Short: "Make the tables of drover",
		Long: `Make the tables that runs are kept in, or bring them up to date: drover_runs, drover_shards, drover_quarantine, drover_undo, drover_events and
drover_schema; and, where the database can prepare transactions, drover_decisions, which transactions over several databases need. The first run, or the first
such transaction, makes them by itself where its user may.

--print-sql prints the statements and changes nothing, for somebody else to run; they can be run twice.`,
		Example: `drover init
drover init --print-sql | psql -U admin app`,
		Options:     drover.Options{EachDatabase: true},
		OneDatabase: []string{"print-sql"},
		Flags: func(f *pflag.FlagSet) {
			f.BoolVar(&printSQL, "print-sql", false, "print the statements, and change nothing")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			if printSQL {
				return printTables(c)
			}
			return makeTables(ctx, c)
		},
	}
}

type initDocument struct {
	Type     string      `json:"type"`
	Time     string      `json:"time"`
	Database runDatabase `json:"database"`
	Changed  bool        `json:"changed"`
	SQL      string      `json:"sql,omitempty"`
}

func newInitDocument(c *drover.Call) initDocument {
	return initDocument{Type: "init", Time: term.Timestamp(c.Now()), Database: databaseOf(c.DB())}
}

func printTables(c *drover.Call) error {
	text, err := runstore.SQL(c.DB().Dialect())
	if err != nil {
		return err
	}
	if decisions := c.DB().Dialect().Features().TwoPhase.DecisionTable; decisions != "" {
		text += "\n" + decisions
	}
	if c.JSONOutput() {
		d := newInitDocument(c)
		d.SQL = text
		c.JSON(d)
		return nil
	}
	if _, err := fmt.Fprint(c.Out(), text); err != nil {
		return fmt.Errorf("print the statements: %w", err)
	}
	return nil
}

// decisionTable is the table of package db's own, beside those of the runs.
const decisionTable = "drover_decisions"

func makeTables(ctx context.Context, c *drover.Call) error {
	changed, err := runstore.New(c.DB()).Init(ctx)
	decisions := false
	if err == nil {
		decisions, err = c.DB().MakeDecisionTable(ctx)
	}
	switch kind := db.KindOf(err); {
	case kind == db.ErrPermission || kind == db.ErrReadOnly:
		return drover.Errorf("%w", err).Try("%s init --print-sql    prints the statements, for somebody who may run them", tool(c))
	case err != nil:
		return unusable(err)
	}
	if c.JSONOutput() {
		d := newInitDocument(c)
		d.Changed = changed || decisions
		c.JSON(d)
		return nil
	}
	var made []string
	if changed {
		made = runstore.Tables()
	}
	if decisions {
		made = append(made, decisionTable)
	}
	switch last := len(made) - 1; last {
	case -1:
		c.Success("Nothing to do: drover's tables on %s are there and up to date.", c.DB().Alias())
	case 0:
		c.Success("Made the table %s on %s.", made[0], c.DB().Alias())
	default:
		c.Success("Made the tables %s and %s on %s.", strings.Join(made[:last], ", "), made[last], c.DB().Alias())
	}
	return nil
}
