// Program deadlock moves amounts between accounts, in an order that makes such programs deadlock when several run at a time.
//
// In Django this is "Deadlock Handling": a loop around transaction.atomic() that looks for 'deadlock' in the message and sleeps. What differs: it
// is one option; the database's error code decides and not its text; the pause is random, so that two who met do not meet again; and
// only what may succeed the next time is tried again.
//
//	go run ./examples/advanced/deadlock setup
//	go run ./examples/advanced/deadlock transfer 1 2 10 & go run ./examples/advanced/deadlock transfer 2 1 10
package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
)

func main() {
	app := drover.New("deadlock") // works on DATABASE_URL, or on the SQLite file deadlock.db
	app.Add(setup(), transfer())
	app.Main()
}

func transfer() *drover.Command {
	return &drover.Command{
		Name:    "transfer",
		Short:   "Move an amount from one account to another",
		Args:    drover.Args{Usage: "FROM TO AMOUNT", Validate: isNumber},
		Options: drover.Options{DryRun: true},
		Run: func(ctx context.Context, c *drover.Call) error {
			from, to, amount := c.Arg(0), c.Arg(1), c.Arg(2)
			err := c.DB().Atomic(ctx, func(ctx context.Context) error {
				if err := add(ctx, c.DB(), from, "-"+amount); err != nil {
					return err
				}
				return add(ctx, c.DB(), to, amount)
			}, db.Retry(3), db.OnRetry(func(a db.Attempt) {
				c.Warning("%v, trying again in %s", db.KindOf(a.Err), drover.Duration(a.Wait))
			}))
			if errors.Is(err, db.ErrDeadlock) {
				return drover.Errorf("%w", err).Try("run it again: other programs use these accounts in another order")
			}
			if err != nil {
				return err
			}
			c.Did(drover.Moved, "%s from account %s to account %s", amount, from, to)
			return nil
		},
	}
}

func add(ctx context.Context, conn *db.DB, account, amount string) error {
	n, err := conn.ExecRows(ctx, "UPDATE example_accounts SET amount = amount + CAST(? AS DECIMAL) WHERE id = CAST(? AS DECIMAL)", amount, account)
	if err == nil && n == 0 {
		err = drover.Errorf("there is no account %s; nothing was moved", account)
	}
	return err
}

func isNumber(arg string) error {
	if n, err := strconv.Atoi(arg); err != nil || n < 1 {
		return errors.New("not a number above 0")
	}
	return nil
}
