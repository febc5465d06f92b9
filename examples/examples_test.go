// Package examples_test runs every example as its user does: the built program, on a real database.
package examples_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// step is one command line and what must come of it.
type step struct {
	args      []string
	terminal  string // typed at the prompt of a terminal; "": the input is empty and no terminal
	meanwhile string // a statement that somebody else sends while the program asks

	code      int
	stdout    string   // all of it, but for what differs between databases; on a terminal nothing is separate: ""
	says      []string // parts of stderr, or of the terminal's screen
	unchanged bool     // the database holds afterwards what it held before
	rows      []string // what the example's query gives afterwards
	elsewhere []string // what the query on the second database gives afterwards
	ends      string   // the end of stdout, in place of all of it
}

type example struct {
	query string // of one text column
	steps []step
}

// second is the second database of an example: one of another kind.
type second struct{ alias, query string }

var seconds = map[string]second{
	"multidb/database": {"reports", items},
	"multidb/cross":    {"mailing", "SELECT CONCAT('customer ', customer_id) FROM example_subscriptions ORDER BY customer_id"},
}

const items = "SELECT name FROM example_items ORDER BY name"

// allOrNone is what the programs have in common that differ only in how they say "one transaction".
func allOrNone(failure string) example {
	return example{items, []step{
		{args: []string{"add", "first", "second", "third"}, stdout: "Added 3 items\n", rows: []string{"first", "second", "third"}},
		{args: []string{"add", "fourth", "first", "fifth"}, code: 1, says: []string{failure}, unchanged: true},
		{args: []string{"add"}, code: 2, says: []string{"missing NAME..."}, unchanged: true},
	}}
}

const (
	records = "SELECT name FROM example_records WHERE status = 'obsolete' ORDER BY id"
	archive = "SELECT name FROM example_archive ORDER BY id"
	prices  = "SELECT CONCAT(name, '=', cents) FROM example_prices ORDER BY name"
	asks    = `This will permanently delete 7 obsolete records on "default"`

	readings = "SELECT CONCAT(COUNT(*), ' up to ', COALESCE(MAX(id), 0)) FROM example_readings"
	articles = `SELECT CONCAT(title, ' ', status, ' ', views, CASE WHEN processed_at IS NULL THEN '' ELSE ', with a time' END)
		FROM example_articles ORDER BY id`
	labels = "SELECT COALESCE(label, '') FROM example_products ORDER BY id"
	books  = "SELECT CONCAT(COUNT(*), ' books') FROM example_books"

	players = `SELECT CONCAT(COUNT(*), ' players, ', SUM(CASE WHEN runs = 1 AND score = 100 * wins THEN 1 ELSE 0 END), ' worked on once, ',
		SUM(CASE WHEN runs > 1 THEN 1 ELSE 0 END), ' more often') FROM example_players`
	letters   = "SELECT CONCAT(status, ' ', COUNT(*), ', sent ', SUM(sent)) FROM example_letters GROUP BY status ORDER BY status"
	orders    = "SELECT CONCAT(status, ' ', COUNT(*)) FROM example_orders GROUP BY status ORDER BY status"
	customers = `SELECT CONCAT(COUNT(*), ' customers, ', SUM(CASE WHEN name = CONCAT('Customer ', external_id) THEN 1 ELSE 0 END), ' up to date')
		FROM example_customers`
	accounts = "SELECT CONCAT(id, ': ', amount) FROM example_accounts ORDER BY id"
	register = "SELECT CONCAT(id, ' ', name) FROM example_customers ORDER BY id"
)

var (
	obsolete = []string{
		"ledger 2016", "ledger 2017", "ledger 2018", "ledger 2019", "ledger 2020", "ledger 2021", "ledger 2022",
	}
	none       = []string{}
	setup      = step{args: []string{"setup"}, stdout: "Created 10 records\n", rows: obsolete}
	setupEmpty = step{args: []string{"setup"}, stdout: "Created an empty table\n", rows: []string{"0 up to 0"}}
	setupThree = step{args: []string{"setup"}, stdout: "Created 3 books\n", rows: []string{"3 books"}}
	setupMany  = step{args: []string{"setup"}, stdout: "Created 5,000 books\n", rows: []string{"5000 books"}}
)

// wouldChange is the end of a dry run of one table.
func wouldChange(table string, inserted, updated, deleted int, sentence string) string {
	line := func(cells ...any) string {
		return fmt.Sprintf("  %-*s %13v %13v %13v\n", append([]any{len(table)}, cells...)...)
	}
	return "\nDry run on default (ADDRESS), rolled back:\n" + line("table", "inserted", "updated", "deleted") +
		line(table, drover.Count(int64(inserted)), drover.Count(int64(updated)), drover.Count(int64(deleted))) +
		"\nWould " + sentence + " in 1 table on default. Nothing was changed.\n"
}

// batchOfNone is wrong for every command that has the option: nothing is sent.
func batchOfNone(command string) step {
	return step{
		args: []string{command, "--batch-size", "0"}, code: 2, unchanged: true,
		says: []string{`invalid value "0" for --batch-size of `, "must be at least 1"},
	}
}

// examples are all programs by their folder.
var examples = map[string]example{
	"transaction/autocommit": {items, []step{
		{
			args: []string{"add", "first", "second", "third"}, stdout: "Added \"first\"\nAdded \"second\"\nAdded \"third\"\n",
			rows: []string{"first", "second", "third"},
		},
		{
			args: []string{"add", "fourth", "first", "fifth"}, code: 1, stdout: "Added \"fourth\"\n",
			says: []string{`Error: add "first": `}, rows: []string{"first", "fourth", "second", "third"},
		},
	}},
	"transaction/atomic":       allOrNone(`Error: add "first": `),
	"transaction/wholecommand": allOrNone(`Error: add "first": `),
	"transaction/manual":       allOrNone("Error: transaction failed: "),
	"transaction/savepoints": {items, []step{
		{
			args: []string{"add"}, stdout: "Added first and third\n", says: []string{"Warning: second is left out: oops"},
			rows: []string{"first", "third"},
		},
		{args: []string{"add"}, stdout: "Added first and third\n", unchanged: true},
	}},
	"transaction/validation": {items, []step{
		{args: []string{"add", "first", "second", "third"}, stdout: "Added 3 items\n", rows: []string{"first", "second", "third"}},
		{
			args: []string{"add", "fourth", "first", "", strings.Repeat("x", 101)}, code: 1,
			says: []string{
				`Error: nothing was saved: "first" is there already; an item has no name; "xxx`, `xxx" is longer than 100 bytes`,
			},
			unchanged: true,
		},
		{args: []string{"add", "fifth", "fifth"}, code: 1, says: []string{`Error: add "fifth": `}, unchanged: true},
	}},
	"dryrun/basic": {records, []step{
		setup,
		{args: []string{"delete-obsolete", "--dry-run"}, stdout: "Would delete 7 records\n", unchanged: true},
		{
			args: []string{"delete-obsolete", "--dry-run", "-v", "2"}, unchanged: true,
			stdout: "  - 1 ledger 2016\n  - 2 ledger 2017\n  - 3 ledger 2018\n  - 4 ledger 2019\n  - 5 ledger 2020\nWould delete 7 records\n",
		},
		{args: []string{"delete-obsolete"}, stdout: "Deleted 7 records\n", rows: none},
		{args: []string{"delete-obsolete"}, stdout: "Deleted 0 records\n", unchanged: true},
	}},
	"dryrun/preview": {prices, []step{
		{args: []string{"setup"}, stdout: "Created 3 prices\n", rows: []string{"apple=100", "bread=250", "candle=400"}},
		{
			args: []string{"sync-prices", "--dry-run"}, unchanged: true,
			stdout: "Changes:\n  Creates: 1\n  Updates: 1\n  Deletes: 1\nWould change 3 prices\n",
		},
		{
			args: []string{"sync-prices"}, rows: []string{"apple=120", "bread=250", "dates=700"},
			stdout: "Changes:\n  Creates: 1\n  Updates: 1\n  Deletes: 1\nChanged 3 prices\n",
		},
		{
			args: []string{"sync-prices"}, unchanged: true,
			stdout: "Changes:\n  Creates: 0\n  Updates: 0\n  Deletes: 0\nChanged 0 prices\n",
		},
	}},
	"dryrun/rollback": {archive, []step{
		{args: []string{"setup"}, stdout: "Created 10 records\n", rows: none},
		{args: []string{"archive", "--dry-run"}, unchanged: true, stdout: `
Dry run on default (ADDRESS), rolled back:
  table                inserted       updated       deleted
  example_archive             7             0             0
  example_records             0             0             7
  After the commit 1 hook would run:
    1. tell the owners

Would insert 7 and delete 7 rows in 2 tables on default. Nothing was changed.
`},
		{args: []string{"archive"}, stdout: "Told the owners of 7 records\n", rows: obsolete},
		{args: []string{"archive"}, stdout: "Told the owners of 0 records\n", unchanged: true},
	}},
	"dryrun/confirm": {records, []step{
		setup,
		{args: []string{"delete-obsolete", "--dry-run"}, unchanged: true, says: []string{asks, "Would ask: Type \"yes\""}, stdout: `Would delete 7 records

Dry run on default (ADDRESS), rolled back:
  table                inserted       updated       deleted
  example_records             0             0             7

Would delete 7 rows in 1 table on default. Nothing was changed.
`},
		{args: []string{"delete-obsolete"}, code: 2, says: []string{"the input is not a terminal; add --no-input"}, unchanged: true},
		{args: []string{"delete-obsolete"}, terminal: "no\n", code: 4, says: []string{asks, "Cancelled. Nothing was changed."}, unchanged: true},
		{args: []string{"delete-obsolete"}, terminal: "\x04", code: 4, says: []string{asks, "Cancelled. Nothing was changed."}, unchanged: true},
		{args: []string{"delete-obsolete"}, terminal: "yes\n", says: []string{asks, "Deleted 7 records"}, rows: none},
		{args: []string{"setup"}, stdout: "Created 10 records\n", rows: obsolete},
		{
			args: []string{"delete-obsolete"}, terminal: "yes\n", code: 6,
			meanwhile: "INSERT INTO example_records (id, name, status) VALUES (11, 'ledger 2026', 'obsolete')",
			says:      []string{asks, "8 records are obsolete by now, 7 were confirmed; nothing was deleted"},
			rows:      append(slices.Clone(obsolete), "ledger 2026"),
		},
		{args: []string{"setup"}, stdout: "Created 10 records\n", rows: obsolete},
		{args: []string{"delete-obsolete", "--no-input"}, says: []string{asks}, stdout: "Deleted 7 records\n", rows: none},
		{args: []string{"delete-obsolete"}, says: []string{"Nothing to do: 0 obsolete records."}, unchanged: true},
	}},
	"batch/bulkcreate": {readings, []step{
		setupEmpty,
		{
			args: []string{"add", "--from", "1", "--to", "2500", "--batch-size", "1000", "--dry-run"}, unchanged: true,
			says:   []string{"1,000 readings sent, not committed yet\n2,000 readings sent, not committed yet\n2,500 readings sent"},
			stdout: "Would create 2,500 readings\n" + wouldChange("example_readings", 2500, 0, 0, "insert 2,500 rows"),
		},
		batchOfNone("add"),
		{args: []string{"add", "--from", "2491", "--to", "2500"}, stdout: "Created 10 readings\n", rows: []string{"10 up to 2500"}},
		{
			args: []string{"add", "--batch-size", "1000"}, code: 1, unchanged: true, // the third batch fails, and takes the others along
			says: []string{
				"2,000 readings sent, not committed yet\n", "Error: create example_readings: row 2490 (id 2491): column id: ",
				"nothing of the transaction was kept",
			},
		},
		{args: []string{"add", "--to", "2490", "-v", "0"}, rows: []string{"2500 up to 2500"}},
	}},
	"batch/perbatch": {readings, []step{
		setupEmpty,
		{args: []string{"add", "--from", "1001", "--to", "1010"}, stdout: "Created 10 readings...\nCreated 10 readings\n", rows: []string{"10 up to 1010"}},
		{
			args: []string{"add", "--from", "1", "--to", "2500", "--batch-size", "400"}, code: 1,
			stdout: "Created 400 readings...\nCreated 800 readings...\n",
			says: []string{
				"Error: create example_readings: row 1000 (id 1001): column id: ",
				"Try:   800 readings of this run are kept; go on with --from 801",
			},
			rows: []string{"810 up to 1010"},
		},
		{args: []string{"add", "--from", "801", "--to", "1000"}, stdout: "Created 200 readings...\nCreated 200 readings\n", rows: []string{"1010 up to 1010"}},
		{
			args: []string{"add", "--from", "1011", "--to", "1015", "--batch-size", "2", "--dry-run"}, unchanged: true,
			stdout: "Would create 2 readings...\nWould create 4 readings...\nWould create 5 readings...\nWould create 5 readings\n" +
				wouldChange("example_readings", 5, 0, 0, "insert 5 rows"),
		},
		batchOfNone("add"),
	}},
	"batch/bulkupdate": {articles, []step{
		{
			args: []string{"setup"}, stdout: "Created 6 articles\n",
			rows: []string{"ants pending 0", "bees pending 0", "crows active 7", "deer pending 0", "eels active 41", "foxes draft 0"},
		},
		{
			args: []string{"process", "--dry-run"}, unchanged: true,
			stdout: "Would update 3 pending articles\nWould update 2 active articles\n" + wouldChange("example_articles", 0, 5, 0, "update 5 rows"),
		},
		{
			args: []string{"process"}, stdout: "Updated 3 pending articles\nUpdated 2 active articles\n",
			rows: []string{
				"ants processed 0, with a time", "bees processed 0, with a time", "crows active 8", "deer processed 0, with a time",
				"eels active 42", "foxes draft 0",
			},
		},
		{args: []string{"process", "ants"}, code: 2, says: []string{`unexpected argument "ants"`}, unchanged: true},
	}},
	"batch/individual": {labels, []step{
		{args: []string{"setup"}, stdout: "Created 6 products\n", rows: []string{"", "", "candle, red", "", "", ""}},
		{
			args: []string{"label", "--batch-size", "2", "--dry-run"}, unchanged: true,
			stdout: "Would update 2 products...\nWould update 4 products...\nWould update 5 products...\nWould update 5 products\n" +
				wouldChange("example_products", 0, 5, 0, "update 5 rows"),
		},
		batchOfNone("label"),
		{
			args:   []string{"label", "--batch-size", "2"},
			stdout: "Updated 2 products...\nUpdated 4 products...\nUpdated 5 products...\nUpdated 5 products\n",
			rows:   []string{"apple 0.45", "bread 3.20", "candle, red", "dates 7.00", "eggs 4.05", "figs 6.10"},
		},
		{args: []string{"label"}, stdout: "Updated 0 products\n", unchanged: true},
	}},
	"batch/batchdelete": {records, []step{
		setup,
		{
			args: []string{"delete-obsolete", "--batch-size", "3", "--dry-run"}, unchanged: true,
			stdout: "Would delete 3 records...\nWould delete 6 records...\nWould delete 7 records...\nWould delete 7 records\n" +
				wouldChange("example_records", 0, 0, 7, "delete 7 rows"),
		},
		batchOfNone("delete-obsolete"),
		{
			args:   []string{"delete-obsolete", "--batch-size", "3"},
			stdout: "Deleted 3 records...\nDeleted 6 records...\nDeleted 7 records...\nDeleted 7 records\n", rows: none,
		},
		{args: []string{"delete-obsolete"}, stdout: "Deleted 0 records\n", unchanged: true},
	}},
	"memory/iterator": {books, []step{
		setupMany,
		{args: []string{"count-pages"}, stdout: "5000 books have 1237700 pages\n", unchanged: true},
	}},
	"memory/fields": {books, []step{
		setupThree,
		{args: []string{"list"}, unchanged: true, stdout: `only: 1 Ants
only: 2 Bees
only: 3 Crows
defer: 1 Ants, printed, 120 pages
defer: 2 Bees, printed, 80 pages
defer: 3 Crows, draft, 200 pages
into: 1 Ants
into: 2 Bees
into: 3 Crows
`},
	}},
	"memory/values": {books, []step{
		setupThree,
		{args: []string{"list"}, unchanged: true, stdout: `map: 1 Ants
map: 2 Bees
map: 3 Crows
tuple: 1 Ants
tuple: 2 Bees
tuple: 3 Crows
value: 1
value: 2
`},
	}},
	"memory/chunks": {books, []step{
		setupMany,
		{
			args: []string{"count-words", "--batch-size", "2000"}, unchanged: true,
			stdout: "Processed 2,000 books...\nProcessed 4,000 books...\nProcessed 5,000 books...\n5000 books have summaries of 150000 words\n",
		},
		batchOfNone("count-words"),
	}},
	"memory/rawsql": {books, []step{
		setupMany,
		{args: []string{"list-drafts", "--batch-size", "200"}, unchanged: true, stdout: `Processed 200 drafts, the last is Volume 3001
Processed 400 drafts, the last is Volume 1001
Processed 500 drafts, the last is Volume 0001
500 drafts have summaries of 65000 letters
`},
		batchOfNone("list-drafts"),
	}},
	"memory/cursor": {books, []step{
		setupMany,
		{args: []string{"check-order"}, stdout: "5000 books, from Volume 0001 to Volume 5000\n", unchanged: true},
	}},
	"advanced/progress": {players, []step{
		{args: []string{"setup"}, stdout: "Created 1,000 players\n", rows: []string{"1000 players, 0 worked on once, 0 more often"}},
		{args: []string{"score", "--batch-size", "100", "--dry-run"}, unchanged: true, stdout: `score  plan only, nothing will be changed

  Database   ADDRESS
  Source     example_players
  Match      1,000 rows   id 1 .. 1000
  Order      id, keyset
  Batches    10 x 100 rows, one transaction each

  Sample     id 1  wins 1  games 10  score 0  ... 1 more (-v 2 for all columns)
             id 2  wins 2  games 10  score 0  ... 1 more (-v 2 for all columns)
             id 3  wins 3  games 10  score 0  ... 1 more (-v 2 for all columns)
             id 4  wins 4  games 10  score 0  ... 1 more (-v 2 for all columns)
             id 5  wins 5  games 10  score 0  ... 1 more (-v 2 for all columns)
Would update 1,000 rows in 10 batches on default.
`},
		{
			args: []string{"score", "--batch-size", "100", "--no-input"}, code: 1,
			says: []string{"a row failed at id 550: a player without games has no score", "549 of 1,000 rows updated (54.9 %)", "--resume "},
			rows: []string{"1000 players, 549 worked on once, 0 more often"},
		},
		{args: []string{"mend"}, stdout: "Updated 1 players\n", rows: []string{"1000 players, 549 worked on once, 0 more often"}},
		{
			args: []string{"score", "--batch-size", "100", "--no-input"}, says: []string{"Resuming run "},
			stdout: "Updated 1,000 rows in 13 batches on default.\n",
			rows:   []string{"1000 players, 1000 worked on once, 0 more often"},
		},
		{args: []string{"score", "--no-input"}, code: 6, says: []string{"the same work was finished by run ", "--again"}, unchanged: true},
	}},
	"advanced/queue": {letters, []step{
		{args: []string{"setup"}, stdout: "Created 300 letters\n", rows: []string{"pending 300, sent 0"}},
		{
			args: []string{"send", "--no-input", "--batch-size", "50", "--max-errors", "5"}, code: 3,
			says:   []string{"row 100 quarantined: the letter has no address", "3 rows set aside"},
			stdout: "Sent 297 rows in 6 batches on default.\n",
			rows:   []string{"completed 297, sent 297", "failed 3, sent 0"},
		},
		{args: []string{"send", "--no-input"}, stdout: "Nothing to send: no rows of example_letters match.\n", unchanged: true},
	}},
	"advanced/twophase": {orders, []step{
		{args: []string{"setup"}, stdout: "Created 50 orders\n", rows: []string{"pending 50"}},
		{
			args: []string{"ship", "--no-input", "--batch-size", "10"}, code: 1,
			says: []string{"an order of 0 pieces"}, rows: []string{"pending 40", "prepared 10"},
		},
		{
			args: []string{"ship", "--no-input", "--batch-size", "10", "--max-errors", "5"}, code: 3,
			says: []string{"Phase apply.", "2 rows set aside"}, rows: []string{"pending 2", "shipped 48"},
			stdout: "Processed 96 rows in 10 batches on default.\n",
		},
	}},
	"advanced/idempotent": {customers, []step{
		{args: []string{"setup"}, stdout: "Created 1 customer\n", rows: []string{"1 customers, 0 up to date"}},
		{
			args: []string{"sync", "--no-input", "--batch-size", "30"}, stdout: "Processed 100 rows in 4 batches on default.\n",
			rows: []string{"100 customers, 100 up to date"},
		},
		{args: []string{"sync", "--no-input"}, code: 6, says: []string{"the same work was finished"}, unchanged: true},
		{
			args: []string{"sync", "--no-input", "--again"}, stdout: "Processed 100 rows in 1 batch on default.\n",
			rows: []string{"100 customers, 100 up to date"},
		},
	}},
	"advanced/deadlock": {accounts, []step{
		{args: []string{"setup"}, stdout: "Created 3 accounts\n", rows: []string{"1: 100", "2: 100", "3: 100"}},
		{args: []string{"transfer", "1", "2", "30"}, stdout: "Moved 30 from account 1 to account 2\n", rows: []string{"1: 70", "2: 130", "3: 100"}},
		{args: []string{"transfer", "1", "9", "30"}, code: 1, says: []string{"there is no account 9; nothing was moved"}, unchanged: true},
		{args: []string{"transfer", "1", "2", "x"}, code: 2, says: []string{"not a number above 0"}, unchanged: true},
	}},
	"multidb/database": {items, []step{
		{args: []string{"add", "first"}, stdout: "Added 1 items; default has 1\n", rows: []string{"first"}},
		{
			args: []string{"add", "second", "--database", "reports"}, stdout: "Added 1 items; reports has 1\n",
			unchanged: true, elsewhere: []string{"second"},
		},
		{
			args: []string{"add", "third", "--all-databases"},
			stdout: "Database default (1 of 2)\nAdded 1 items; default has 2\n\nDatabase reports (2 of 2)\nAdded 1 items; reports has 2\n" +
				"\nDatabases\n  default   OK          Added 1 items; default has 2\n  reports   OK          Added 1 items; reports has 2\n" +
				"2 of 2 databases succeeded.\n",
			rows: []string{"first", "third"}, elsewhere: []string{"second", "third"},
		},
		{
			args: []string{"add", "first", "--database", "default", "--database", "reports", "-v", "0"}, code: 1,
			says: []string{"Error: "}, rows: []string{"first", "third"}, elsewhere: []string{"first", "second", "third"},
			ends: "1 of 2 databases succeeded.\n",
		},
		{
			args: []string{"add", "fourth", "--database", "report"}, code: 2, unchanged: true,
			says: []string{"(configured: default, reports); did you mean reports?"},
		},
	}},
	"multidb/cross": {register, []step{
		{args: []string{"setup"}, stdout: "Created 2 tables on default\n", rows: none},
		{
			args: []string{"register", "7", "Ada"}, code: 1, rows: []string{"7 Ada"},
			says: []string{"Error: customer 7 is registered, but not subscribed: ", "Try:   run it again: it does what is missing"},
		},
		{args: []string{"setup", "--database", "mailing"}, stdout: "Created 2 tables on mailing\n", rows: []string{"7 Ada"}, elsewhere: none},
		{args: []string{"register", "7", "Ada"}, stdout: "Registered Ada\n", rows: []string{"7 Ada"}, elsewhere: []string{"customer 7"}},
		{args: []string{"register", "7", "Ada"}, stdout: "Registered Ada\n", rows: []string{"7 Ada"}, elsewhere: []string{"customer 7"}},
		{
			args: []string{"register", "8", "Bob", "--dry-run", "-v", "0"}, unchanged: true, elsewhere: []string{"customer 7"},
			stdout: "Would insert 2 rows in 2 tables on default, mailing. Nothing was changed.\n",
		},
		{args: []string{"register", "x", "Bob"}, code: 2, says: []string{`"x" is not a number`}, unchanged: true},
	}},
}

func TestExamples(t *testing.T) {
	bin := build(t, slices.Collect(maps.Keys(examples))...)
	for _, dir := range slices.Sorted(maps.Keys(examples)) {
		t.Run(dir, func(t *testing.T) {
			program := filepath.Join(bin, filepath.Base(dir))
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				raw := d.RawDB(t)
				also, rawAlso, environ := seconds[dir], (*sql.DB)(nil), []string(nil)
				if also.alias != "" {
					kinds := testdb.Names()
					e := testdb.Fresh(t, kinds[(slices.Index(kinds, d.Name)+1)%len(kinds)])
					rawAlso, environ = e.RawDB(t), []string{"DATABASE_URL_" + strings.ToUpper(also.alias) + "=" + e.URL}
				}
				for _, s := range examples[dir].steps {
					t.Run(strings.TrimSpace(strings.Join(s.args, " ")+" "+strings.TrimSpace(s.terminal)), func(t *testing.T) {
						check(t, program, d, raw, s, environ...)
						if s.elsewhere != nil {
							if diff := cmp.Diff(s.elsewhere, texts(t, rawAlso, also.query)); diff != "" {
								t.Errorf("rows of the second database (-want +got):\n%s", diff)
							}
						}
						if s.rows != nil {
							if diff := cmp.Diff(s.rows, texts(t, raw, examples[dir].query)); diff != "" {
								t.Errorf("rows (-want +got):\n%s", diff)
							}
						}
					})
				}
			})
			t.Run("without DATABASE_URL", func(t *testing.T) {
				cmd := exec.CommandContext(t.Context(), program, examples[dir].steps[0].args...)
				cmd.Dir, cmd.Env = t.TempDir(), []string{}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if _, err := os.Stat(filepath.Join(cmd.Dir, filepath.Base(dir)+".db")); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestExamples_StopBetweenBatches interrupts the programs that commit batch by batch: what was done stays, and the rest is left.
func TestExamples_StopBetweenBatches(t *testing.T) {
	const rows = 5000 // the programs cannot write so many lines before the first one was read, so they are interrupted on the way
	bin := build(t, "batch/batchdelete", "batch/perbatch")
	for _, c := range []struct {
		program string
		args    []string
		prepare string
		done    string // how many rows are done
	}{
		{
			"batchdelete",
			[]string{"delete-obsolete", "--batch-size", "1"},
			"INSERT INTO example_records (id, name, status) VALUES (?, 'x', 'obsolete')", "SELECT 5000 + 7 - COUNT(*) FROM example_records WHERE status = 'obsolete'",
		},
		{"perbatch", []string{"add", "--to", "5000", "--batch-size", "1"}, "", "SELECT COUNT(*) FROM example_readings"},
	} {
		t.Run(c.program, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, d testdb.Database) {
				program := filepath.Join(bin, c.program)
				check(t, program, d, nil, step{args: []string{"setup", "-v", "0"}})
				if c.prepare != "" {
					insertMany(t, d, c.prepare, rows)
				}
				cmd := exec.CommandContext(t.Context(), program, c.args...)
				cmd.Dir, cmd.Env = t.TempDir(), []string{"DATABASE_URL=" + d.URL}
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				stdout, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				if _, err := stdout.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, stdout)
				_ = cmd.Wait() // the exit code tells
				if got := cmd.ProcessState.ExitCode(); got != drover.ExitInterrupted {
					t.Errorf("exit code %d, want %d\n%s", got, drover.ExitInterrupted, stderr.String())
				}
				done := texts(t, d.RawDB(t), c.done)[0]
				if n, err := strconv.Atoi(done); err != nil || n < 1 || n >= rows {
					t.Errorf("%s of %d rows are done", done, rows)
				}
			})
		})
	}
}

// insertMany sends an INSERT for each number from 1001.
func insertMany(t *testing.T, d testdb.Database, query string, n int) {
	t.Helper()
	conn, err := db.Open(t.Context(), d.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	err = conn.Atomic(t.Context(), func(ctx context.Context) error {
		for id := range n {
			if err := conn.Exec(ctx, query, 1001+id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// check runs the step and compares everything but the rows. environ goes beside the step's database.
func check(t *testing.T, program string, d testdb.Database, raw *sql.DB, s step, environ ...string) {
	t.Helper()
	var before string
	if s.unchanged {
		before = d.Dump(t)
	}
	cmd := exec.CommandContext(t.Context(), program, s.args...)
	cmd.Dir, cmd.Env = t.TempDir(), append([]string{"DATABASE_URL=" + d.URL, "NO_COLOR=1", "TERM=xterm"}, environ...)
	var stdout, stderr string
	if s.terminal != "" {
		stderr = onTerminal(t, cmd, func() string {
			if s.meanwhile != "" {
				if _, err := raw.ExecContext(t.Context(), s.meanwhile); err != nil {
					t.Error(err)
				}
			}
			return s.terminal
		})
	} else {
		stdout, stderr = run(t, cmd)
	}
	if got := cmd.ProcessState.ExitCode(); got != s.code {
		t.Errorf("exit code %d, want %d", got, s.code)
	}
	stdout = sameEverywhere(stdout)
	if s.ends != "" && strings.HasSuffix(stdout, s.ends) {
		stdout = s.stdout
	}
	if diff := cmp.Diff(s.stdout, stdout); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	for _, part := range s.says {
		if !strings.Contains(stderr, part) {
			t.Errorf("it does not say %q", part)
		}
	}
	if s.unchanged {
		if diff := cmp.Diff(before, d.Dump(t)); diff != "" {
			t.Errorf("the database has changed (-before +after):\n%s", diff)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr or screen:\n%s", stdout, stderr)
	}
}

// run runs the program without a terminal.
func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String()
}

// onTerminal runs the program on a terminal of its own, types the answer once it is asked, and returns the screen.
func onTerminal(t *testing.T, cmd *exec.Cmd, answer func() string) string {
	t.Helper()
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	var seen bytes.Buffer
	typed := false
	for chunk := make([]byte, 4096); ; {
		n, err := screen.Read(chunk)
		seen.Write(chunk[:n])
		if err != nil { // the end is EOF on some systems and an error on others
			break
		}
		if !typed && strings.Contains(seen.String(), "press Ctrl-C: ") {
			typed = true
			if _, err := screen.WriteString(answer()); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // the exit code is looked at by the caller
	return strings.ReplaceAll(seen.String(), "\r\n", "\n")
}

// sameEverywhere takes out of a dry run's preview what differs between databases: the address, and the notes on what the
// counts of this kind of database cannot see.
func sameEverywhere(out string) string {
	out = previewAddress.ReplaceAllString(out, "Dry run on default (ADDRESS)")
	out = planAddress.ReplaceAllString(out, "  Database   ADDRESS")
	return previewNote.ReplaceAllString(out, "")
}

var (
	previewAddress = regexp.MustCompile(`Dry run on default \(.*?\)`)
	planAddress    = regexp.MustCompile(`(?m)^  Database   .*$`)
	previewNote    = regexp.MustCompile(`(?m)^  Note: .*\n`)
)

func texts(t *testing.T, raw *sql.DB, query string) []string {
	t.Helper()
	rows, err := raw.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := []string{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// build compiles the programs of some folders, and returns where they are.
func build(t *testing.T, dirs ...string) string {
	t.Helper()
	bin := t.TempDir()
	args := []string{"build", "-o", bin + string(filepath.Separator)}
	for _, dir := range dirs {
		args = append(args, "./"+dir)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// TestExamples_AreAllTested keeps an example from being added without a test and a line in README.md.
func TestExamples_AreAllTested(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	err = filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "main.go" {
			found = append(found, filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tested := append(slices.Sorted(maps.Keys(examples)), "demo", "multidb/lag")
	slices.Sort(tested)
	slices.Sort(found)
	if diff := cmp.Diff(tested, found); diff != "" {
		t.Errorf("programs (-tested +in the folder):\n%s", diff)
	}
	for _, dir := range found {
		if !strings.Contains(string(readme), "("+dir+"/main.go)") {
			t.Errorf("README.md does not link to %s", dir)
		}
	}
}
