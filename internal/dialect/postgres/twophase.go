package postgres

import "github.com/drover-dev/drover/internal/dialect"

// twoPhase is PREPARE TRANSACTION (PostgreSQL manual, PREPARE TRANSACTION and pg_prepared_xacts). Prepared transactions belong to their
// database, whatever the server's address.
var twoPhase = dialect.TwoPhase{
	Prepare:  []string{"PREPARE TRANSACTION '{name}'"},
	Abandon:  []string{"ROLLBACK"},
	Commit:   "COMMIT PREPARED '{name}'",
	Rollback: "ROLLBACK PREPARED '{name}'",
	Missing:  "42704", // undefined_object
	Prepared: "SELECT 1, length(gid), 0, gid FROM pg_prepared_xacts WHERE database = current_database()",
	Site: "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())::text, " +
		"(current_setting('transaction_read_only') = 'on')::int, current_setting('max_prepared_transactions')::int",
	Limit: "max_prepared_transactions",
	DecisionTable: `-- The decisions of transactions over several databases, on the first of them: one row while such a transaction is not finished everywhere.
CREATE TABLE IF NOT EXISTS drover_decisions (
    id           text COLLATE "C" NOT NULL PRIMARY KEY, -- a ULID; the prepared transactions are named drover:id:number
    state        text NOT NULL,                         -- preparing, committed or aborted
    participants text NOT NULL,                         -- JSON: [{"number": 1, "alias": …, "address": …, "site": …}, …]
    created_by   text NOT NULL,                         -- user@host
    begun_at     timestamptz NOT NULL,                  -- when the first was about to be prepared; this and all times by the database's clock
    decided_at   timestamptz                            -- when it was committed or aborted
);
`,
	Durable:     "set_config('synchronous_commit', COALESCE(NULLIF(current_setting('synchronous_commit'), 'off'), 'local'), true) <> ''",
	DecisionAge: "EXTRACT(EPOCH FROM clock_timestamp() - begun_at)::float8",
}
