package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/drover-dev/drover/db"
)

// changes are what makes the table equal to the price list.
type changes struct {
	creates, updates map[string]int64 // cents by name
	deletes          []string
}

// gather compares the table with the price list. It only reads.
func gather(ctx context.Context, conn *db.DB) (*changes, error) {
	rows, err := conn.Query(ctx, "SELECT name, cents FROM example_prices ORDER BY name")
	if err != nil {
		return nil, err
	}
	defer rows.Close() // rows.Err tells what went wrong
	ch := &changes{creates: maps.Clone(priceList), updates: map[string]int64{}}
	for rows.Next() {
		var name string
		var cents int64
		if err := rows.Scan(&name, &cents); err != nil {
			return nil, fmt.Errorf("read price: %w", err)
		}
		wanted, listed := priceList[name]
		switch {
		case !listed:
			ch.deletes = append(ch.deletes, name)
		case wanted != cents:
			ch.updates[name] = wanted
		}
		delete(ch.creates, name) // it is there already
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	return ch, nil
}

func (ch *changes) apply(ctx context.Context, conn *db.DB) error {
	for _, name := range slices.Sorted(maps.Keys(ch.creates)) {
		if err := conn.Exec(ctx, "INSERT INTO example_prices (name, cents) VALUES (?, ?)", name, ch.creates[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ch.updates)) {
		if err := conn.Exec(ctx, "UPDATE example_prices SET cents = ? WHERE name = ?", ch.updates[name], name); err != nil {
			return err
		}
	}
	for _, name := range ch.deletes {
		if err := conn.Exec(ctx, "DELETE FROM example_prices WHERE name = ?", name); err != nil {
			return err
		}
	}
	return nil
}
