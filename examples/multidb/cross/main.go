// Program cross writes to two databases: a customer to the one, and what belongs to the customer to the other.
//
// In Django this is "Cross-Database Operations": transaction.atomic(using='default'), then transaction.atomic(using='replica'). Here, too, each
// database has a transaction of its own, and the second may fail when the first is committed. What differs: the order is such that the same
// command, run again, finishes what is missing (GetOrCreate), the error says so, and a dry run rolls back on both databases.
//
//	export DATABASE_URL_MAILING=sqlite:mailing.db
//	go run ./examples/multidb/cross setup --all-databases
//	go run ./examples/multidb/cross register 7 Ada --dry-run
//	go run ./examples/multidb/cross register 7 Ada
package main

import (
	"context"
	"strconv"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/table"
)

func main() {
	app := drover.New("cross") // default is DATABASE_URL, or the SQLite file cross.db; DATABASE_URL_MAILING is mailing
	app.Add(setup(), register())
	app.Main()
}

// mailing is the alias of the second database.
const mailing = "mailing"

// Customer is a row of example_customers.
type Customer struct {
	ID   int64  `db:"id,pk"`
	Name string `db:"name"`
}

// Subscription is a row of example_subscriptions, on the other database: no foreign key can lead there.
type Subscription struct {
	CustomerID int64 `db:"customer_id,pk"`
}

func register() *drover.Command {
	return &drover.Command{
		Name:      "register",
		Short:     "Register a customer, and subscribe the customer to the mailing list",
		Args:      drover.Args{Usage: "NUMBER NAME"},
		Options:   drover.Options{DryRun: true},
		Databases: func() []string { return []string{mailing} }, // what a dry run rolls back, beside c.DB()
		Run: func(ctx context.Context, c *drover.Call) error {
			id, err := strconv.ParseInt(c.Arg(0), 10, 64)
			if err != nil {
				return drover.Exit(drover.ExitUsage, "%q is not a number", c.Arg(0))
			}
			list, err := c.Database(ctx, mailing) // before anything is written: it may not be configured
			if err != nil {
				return err
			}
			// Each call is a transaction of its own, on its own database.
			customers := table.Of[Customer](c.DB(), table.Name("example_customers"))
			customer, _, err := customers.GetOrCreate(ctx, table.Key{"id": id}, func(row *Customer) { row.Name = c.Arg(1) })
			if err != nil {
				return err
			}
			subscriptions := table.Of[Subscription](list, table.Name("example_subscriptions"))
			if _, _, err = subscriptions.GetOrCreate(ctx, table.Key{"customer_id": customer.ID}, nil); err != nil {
				return drover.Errorf("customer %d is registered, but not subscribed: %w", id, err).Try("run it again: it does what is missing")
			}
			c.Success("Registered %s", customer.Name)
			return nil
		},
	}
}
