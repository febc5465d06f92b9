package command_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
)

type plannedEffect struct {
	Table    string
	OnDelete string `json:"on_delete"`
	Rows     int
	Deeper   bool `json:"deeper_not_counted"`
}

// effects runs a dry run and returns what it says of other tables.
func (b *bench) effects(t *testing.T, args ...string) (effects, blocks []plannedEffect, warnings []string, err error) {
	t.Helper()
	res, err := b.call(t, append(args, "--dry-run", "--json")...)
	var plan struct {
		Effects  []plannedEffect
		Blocks   []plannedEffect `json:"blocked_by"`
		Warnings []string
	}
	if jsonErr := json.Unmarshal([]byte(res.Stdout), &plan); jsonErr != nil {
		t.Fatalf("%v\n%s\n%v", jsonErr, res.Stdout, err)
	}
	return plan.Effects, plan.Blocks, plan.Warnings, err
}

func TestPurge_CountsWhatGoesWithTheRows(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t,
			`CREATE TABLE customers (id integer NOT NULL PRIMARY KEY, status varchar(10))`,
			`CREATE TABLE orders (id integer NOT NULL PRIMARY KEY, customer integer NOT NULL,
			 FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE)`,
			// Two ways lead here; a row is counted once.
			`CREATE TABLE items (id integer NOT NULL PRIMARY KEY, purchase integer NOT NULL, customer integer NOT NULL,
			 FOREIGN KEY (purchase) REFERENCES orders (id) ON DELETE CASCADE,
			 FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE)`,
			`CREATE TABLE notes (id integer NOT NULL PRIMARY KEY, purchase integer,
			 FOREIGN KEY (purchase) REFERENCES orders (id) ON DELETE SET NULL)`,
		)
		for _, index := range []string{"orders (customer)", "items (purchase)", "items (customer)", "notes (purchase)"} {
			b.exec(t, "CREATE INDEX "+strings.NewReplacer(" (", "_by_", ")", "").Replace(index)+" ON "+index)
		}
		b.exec(t,
			`INSERT INTO customers VALUES (1, 'old'), (2, 'old'), (3, 'new')`,
			`INSERT INTO orders VALUES (10, 1), (11, 1), (12, 2), (13, 3)`,
			`INSERT INTO items VALUES (100, 10, 1), (101, 11, 3), (102, 12, 2), (103, 13, 3), (104, 13, 2)`,
			`INSERT INTO notes VALUES (1000, 10), (1001, 13), (1002, NULL)`,
		)
		effects, blocks, warnings, err := b.effects(t, "--table", "customers", "--where", "status = 'old'")
		if err != nil || len(blocks) != 0 || len(warnings) != 0 {
			t.Errorf("blocks %v, warnings %v, error %v", blocks, warnings, err)
		}
		want := []plannedEffect{
			{Table: "orders", OnDelete: "CASCADE", Rows: 3},
			{Table: "notes", OnDelete: "SET NULL", Rows: 1},
			{Table: "items", OnDelete: "CASCADE", Rows: 4},
		}
		if diff := cmp.Diff(want, effects); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
		b.mustCall(t, "--table", "customers", "--where", "status = 'old'", "--no-input")
		b.wantCount(t, "SELECT count(*) FROM orders", 1)
		b.wantCount(t, "SELECT count(*) FROM items", 1)
		b.wantCount(t, "SELECT count(*) FROM notes WHERE purchase IS NULL", 2)
	})
}

func TestPurge_CircleOfCascades(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, `CREATE TABLE nodes (id integer NOT NULL PRIMARY KEY, parent integer,
		           FOREIGN KEY (parent) REFERENCES nodes (id) ON DELETE CASCADE)`,
			`CREATE INDEX nodes_parent ON nodes (parent)`,
			`INSERT INTO nodes VALUES (1, NULL)`, `INSERT INTO nodes VALUES (2, 1)`, `INSERT INTO nodes VALUES (3, 2)`,
			`INSERT INTO nodes VALUES (4, NULL)`)
		effects, _, _, err := b.effects(t, "--table", "nodes", "--where", "id = 1")
		want := []plannedEffect{{Table: "nodes", OnDelete: "CASCADE", Rows: 1, Deeper: true}}
		if diff := cmp.Diff(want, effects); diff != "" || err != nil {
			t.Errorf("effects: %v (-want +got):\n%s", err, diff)
		}
		b.mustCall(t, "--table", "nodes", "--where", "id = 1", "--no-input")
		b.wantCount(t, "SELECT count(*) FROM nodes", 1)
	})
}

func TestPurge_SetNullOfItsOwnRows(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(t, `CREATE TABLE nodes (id integer NOT NULL PRIMARY KEY, parent integer,
		           FOREIGN KEY (parent) REFERENCES nodes (id) ON DELETE SET NULL)`,
			`CREATE INDEX nodes_parent ON nodes (parent)`,
			`INSERT INTO nodes VALUES (1, NULL)`, `INSERT INTO nodes VALUES (2, 1)`, `INSERT INTO nodes VALUES (3, 2)`)
		effects, _, _, err := b.effects(t, "--table", "nodes", "--where", "id < 3")
		want := []plannedEffect{{Table: "nodes", OnDelete: "SET NULL", Rows: 1}} // 3; 2 is deleted itself
		if diff := cmp.Diff(want, effects); diff != "" || err != nil {
			t.Errorf("effects: %v (-want +got):\n%s", err, diff)
		}
		b.mustCall(t, "--table", "nodes", "--where", "id < 3", "--no-input")
		b.wantCount(t, "SELECT count(*) FROM nodes WHERE parent IS NULL", 1)
	})
}

// Rows that the cascade deletes as well do not protect what they point to, where the database checks at the end of the
// statement.
func TestPurge_CascadeReachesTheProtectingRows(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		if b.Name == "mariadb" {
			return // checks row by row
		}
		b.exec(t,
			`CREATE TABLE a (id integer NOT NULL PRIMARY KEY)`,
			`CREATE TABLE b (id integer NOT NULL PRIMARY KEY, a integer REFERENCES a (id) ON DELETE CASCADE)`,
			`CREATE TABLE c (id integer NOT NULL PRIMARY KEY, a integer REFERENCES a (id) ON DELETE CASCADE, b integer REFERENCES b (id))`,
			`INSERT INTO a VALUES (1), (2)`, `INSERT INTO b VALUES (1, 1), (2, 2)`, `INSERT INTO c VALUES (1, 1, 1), (2, 2, 2)`,
		)
		b.mustCall(t, "--table", "a", "--where", "id = 1", "--no-input")
		b.wantCount(t, "SELECT count(*) FROM c", 1)
		b.exec(t, `INSERT INTO a VALUES (3)`, `INSERT INTO c VALUES (3, 3, 2)`)
		_, blocks, _, err := b.effects(t, "--table", "a", "--where", "id = 2")
		want := []plannedEffect{{Table: "c", OnDelete: "NO ACTION", Rows: 1}}
		if diff := cmp.Diff(want, blocks); diff != "" || drover.ExitCode(err) != drover.ExitRefused {
			t.Errorf("blocks: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestPurge_WarnsOfAMissingIndex(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		if b.Name == "mariadb" {
			return // makes the index itself
		}
		b.exec(t, `CREATE TABLE a (id integer NOT NULL PRIMARY KEY)`, `CREATE TABLE b (a integer REFERENCES a (id) ON DELETE CASCADE)`,
			`INSERT INTO a VALUES (1)`)
		_, _, warnings, err := b.effects(t, "--table", "a", "--all")
		want := []string{"b has no index on (a): every deleted row makes the database read all of it"}
		if diff := cmp.Diff(want, warnings); diff != "" || err != nil {
			t.Errorf("warnings: %v (-want +got):\n%s", err, diff)
		}
	})
}
