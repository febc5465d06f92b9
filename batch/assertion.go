package batch

import (
	"context"
	"fmt"
	"strings"

	"github.com/drover-dev/drover/db"
)

// Assertion is a query that must give one value: true, or the value of Want.
type Assertion struct {
	// Name is for messages; empty: the query.
	Name string
	SQL  string
	Args []any
	// Want is what the query must answer, compared as text; "" stands for true (or 1, where the database has no booleans).
	Want string
}

// check asks the database.
func (a Assertion) check(ctx context.Context, conn *db.DB, when string) error {
	name := a.Name
	if name == "" {
		name = a.SQL
	}
	var got any
	err := conn.QueryRow(ctx, a.SQL, a.Args...).Scan(&got)
	if err != nil {
		return &AssertionError{Name: name, When: when, Err: err}
	}
	text := answer(got)
	if a.holds(text) {
		return nil
	}
	return &AssertionError{Name: name, When: when, Got: text}
}

func (a Assertion) holds(got string) bool {
	if a.Want != "" {
		return got == a.Want
	}
	return got == "true" || got == "1"
}

// answer writes a value of the database as text.
func answer(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case []byte:
		return string(v)
	}
	return strings.TrimSpace(fmt.Sprint(value))
}

// assert checks all of them in a transaction that cannot write.
func assert(ctx context.Context, conn *db.DB, when string, all ...[]Assertion) error {
	var list []Assertion
	for _, some := range all {
		list = append(list, some...)
	}
	if len(list) == 0 {
		return nil
	}
	var options []db.BlockOption
	if !conn.InBlock(ctx) {
		options = append(options, db.ReadOnly())
	}
	return conn.Atomic(ctx, func(ctx context.Context) error {
		for _, a := range list {
			if err := a.check(ctx, conn, when); err != nil {
				return err
			}
		}
		return nil
	}, options...)
}
