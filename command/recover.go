package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/term"
)

// atWork is how old a transaction must be, by itself, to be taken for one whose program has died.
const atWork = time.Minute

// Recover returns the command "recover", which finishes what db.AtomicAll has left when a program or a server died.
func Recover() *drover.Command {
	var list bool
	age := ageFlag(atWork)
	return &drover.Command{
		Name: "recover", Short: "Finish transactions over several databases that a crash has left",
		Long: `Finish transactions over several databases (db.AtomicAll) that were left prepared because a program died or a database could not be reached. What was
decided is done: committed, or rolled back. What was not decided is rolled back, and its program, should it be alive, cannot commit it any more.

Without an ALIAS all configured databases are asked; those that cannot take part in such a transaction are passed over. Give every database that the programs use: a
transaction is left alone without the record of its decision, which is on its first database, and the record stays until all its
databases have answered. A database that cannot be reached is told, and the others are finished as far as they can be.

Transactions that are younger than --older-than are left to their programs. --list shows all, and changes nothing. The exit code is 3 where something is left that is older,
also of --list, or a database could not be asked, and 1 where none could. Running it from time to time is safe.`,
		Example: `drover recover --list
drover recover
drover recover shop stock --older-than 10m`,
		Args: drover.Args{Usage: "[ALIAS...]"}, NoDatabase: true,
		Flags: func(f *pflag.FlagSet) {
			f.BoolVar(&list, "list", false, "show the transactions that are not finished, and change nothing")
			f.Var(&age, "older-than", "leave transactions alone that are younger than this `time`")
		},
		Run: func(ctx context.Context, c *drover.Call) error {
			return recovery(ctx, c, list || c.DryRun(), time.Duration(age))
		},
		Complete: func(_ context.Context, c *drover.Call, option, _ string) []string {
			if option != "" {
				return nil
			}
			aliases, _ := c.Aliases() // nothing to offer is no mistake
			return aliases
		},
	}
}

func recovery(ctx context.Context, c *drover.Call, list bool, age time.Duration) error {
	conns, failed, err := recoverable(ctx, c)
	if err != nil {
		return err
	}
	var found *db.Recovery
	if list {
		found, err = db.InDoubt(ctx, conns...)
	} else {
		found, err = db.Recover(ctx, conns, db.RecoverOptions{OlderThan: age})
	}
	if found != nil {
		found.Failed = append(failed, found.Failed...)
		printRecovery(c, found)
	}
	if err != nil {
		return err
	}
	return recovered(c, found, len(conns)+len(failed), list, age)
}

// recoverable opens the databases that are to be asked, and tells those that cannot be opened.
func recoverable(ctx context.Context, c *drover.Call) (conns []*db.DB, failed []db.DatabaseError, err error) {
	aliases := c.Args()
	if len(aliases) == 0 {
		if aliases, err = c.Aliases(); err != nil {
			return nil, nil, err
		}
	}
	if len(aliases) == 0 {
		return nil, nil, drover.Exit(drover.ExitUsage, "no database is configured").Try("set DATABASE_URL and DATABASE_URL_ALIAS, or name the databases in drover.toml")
	}
	for _, alias := range aliases {
		conn, err := c.Database(ctx, alias)
		var unknown *db.AliasError
		switch {
		case errors.As(err, &unknown), ctx.Err() != nil:
			return nil, nil, err
		case err != nil:
			failed = append(failed, db.DatabaseError{Alias: alias, Err: err})
		default:
			conns = append(conns, conn)
		}
	}
	return conns, failed, nil
}

// recovered is the last sentence, and the exit code. A list counts what is older than age, and what has no record of its age.
func recovered(c *drover.Call, found *db.Recovery, asked int, list bool, age time.Duration) error {
	var left, young, committed, rolledBack, removed int64
	for _, t := range found.Transactions {
		switch {
		case list && t.Coordinator != "" && t.Age < age:
		case t.Young:
			young++
		case !t.Finished():
			left++
		case t.Action == db.ActionCommitted:
			committed++
		case t.Action == db.ActionRolledBack:
			rolledBack++
		default:
			removed++
		}
	}
	switch n := int64(len(found.Transactions)); {
	case list && n > 0:
		c.Notice("%s not finished.", term.Counted(n, "transaction"))
	case len(found.Failed) == asked:
	case list || n == 0:
		c.Notice("No transaction is left unfinished on the %s.", term.Counted(int64(asked-len(found.Failed)), "database"))
	case committed+rolledBack+removed > 0:
		c.Notice("Finished %s: %d committed, %d rolled back, %d done already.", term.Counted(committed+rolledBack+removed, "transaction"), committed, rolledBack, removed)
	}
	if young > 0 {
		c.Notice("%s left to the program at work: younger than --older-than.", term.Counted(young, "transaction"))
	}
	var problems []string
	if n := int64(len(found.Failed)); n > 0 {
		problems = append(problems, term.Counted(n, "database")+" could not be asked")
	}
	switch {
	case list && c.DryRun(): // what would be finished is no problem
	case list && left > 0:
		problems = append(problems, term.Counted(left, "transaction")+" left by a program that has ended, or cannot go on")
	case left > 0:
		problems = append(problems, term.Counted(left, "transaction")+" could not be finished")
	}
	if len(problems) == 0 {
		return nil
	}
	code := drover.ExitPartial
	if len(found.Failed) == asked {
		code = drover.ExitFailed
	}
	failed := drover.Exit(code, "%s", strings.Join(problems, ", and "))
	if list && left > 0 && !c.DryRun() {
		return failed.Try("%s recover    finishes them", c.Program())
	}
	return failed.Try("run it again when all databases of these transactions can be reached: it goes on")
}

// doubtDocument is a transaction in JSON.
type doubtDocument struct {
	Type         string            `json:"type"`
	Time         string            `json:"time"`
	ID           string            `json:"transaction_id"`
	Decision     string            `json:"decision"` // empty without a record
	Coordinator  string            `json:"coordinator"`
	CreatedBy    string            `json:"created_by"`
	Age          float64           `json:"age_seconds"`
	Participants []partnerDocument `json:"participants"`
	Action       string            `json:"action"`
	Finished     bool              `json:"finished"`
	Reason       string            `json:"reason"`
}

type partnerDocument struct {
	Number   int    `json:"number"`
	Alias    string `json:"alias"`
	Address  string `json:"address"`
	Here     string `json:"here"`
	Prepared bool   `json:"prepared"`
	Error    string `json:"error"`
}

// unreachedDocument is a database that could not be asked.
type unreachedDocument struct {
	Type  string `json:"type"`
	Time  string `json:"time"`
	Alias string `json:"alias"`
	Error string `json:"error"`
}

func printRecovery(c *drover.Call, found *db.Recovery) {
	for _, t := range found.Transactions {
		if c.JSONOutput() {
			c.JSON(documentOfDoubt(c, t))
		} else {
			printDoubt(c, t)
		}
	}
	for _, f := range found.Failed {
		text := dialect.OneLine(f.Err.Error())
		if c.JSONOutput() {
			c.JSON(unreachedDocument{Type: "unreached", Time: term.Timestamp(c.Now()), Alias: f.Alias, Error: text})
		} else {
			c.Warning("%s was not asked: %s", f.Alias, term.Printable(text))
		}
	}
}

func documentOfDoubt(c *drover.Call, t db.InDoubtTx) doubtDocument {
	d := doubtDocument{
		Type: "in_doubt", Time: term.Timestamp(c.Now()), ID: t.ID, Decision: string(t.Decision), Coordinator: t.Coordinator, CreatedBy: t.By,
		Age: t.Age.Seconds(), Participants: []partnerDocument{}, Action: string(t.Action), Finished: t.Finished(), Reason: t.Reason,
	}
	for _, p := range t.Participants {
		one := partnerDocument{Number: p.Number, Alias: p.Alias, Address: p.Address, Here: p.Here, Prepared: p.Prepared}
		if p.Err != nil {
			one.Error = dialect.OneLine(p.Err.Error())
		}
		d.Participants = append(d.Participants, one)
	}
	return d
}

// printDoubt shows a transaction with its databases and what was done.
func printDoubt(c *drover.Call, t db.InDoubtTx) {
	about := "no record"
	if t.Decision != "" {
		about = fmt.Sprintf("%s, %s old, begun by %s", t.Decision, term.Duration(t.Age), term.Printable(t.By))
	}
	c.Line("%s  %s", t.ID, about)
	var g grid
	for _, p := range t.Participants {
		state := "nothing prepared"
		switch {
		case p.Err != nil:
			state = "still prepared"
		case p.Prepared:
			state = "prepared"
		case p.Here == "":
			state = "not asked"
		}
		g.add("  "+term.Printable(p.Alias), term.Printable(p.Address), state)
	}
	for line := range strings.Lines(g.String()) {
		c.Line("%s", line)
	}
	if t.Action != db.ActionNone {
		c.Line("  => %s", t.Action)
	}
	if t.Reason != "" {
		c.Line("  => left: %s", term.Printable(dialect.OneLine(t.Reason)))
	}
}
