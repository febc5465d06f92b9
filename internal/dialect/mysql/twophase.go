package mysql

import "github.com/drover-dev/drover/internal/dialect"

// twoPhase is XA (MySQL manual, 15.3.8; MariaDB's knowledge base, XA Transactions). Prepared transactions belong to the server, and any of its
// databases lists and ends them. On MariaDB they outlive their session from 10.5 on, and until its end no other session may end them.
var twoPhase = dialect.TwoPhase{
	Prepare:  []string{"XA END '{name}'", "XA PREPARE '{name}'"},
	Abandon:  []string{"XA END '{name}'", "XA ROLLBACK '{name}'"}, // the first one fails where it was sent before
	Commit:   "XA COMMIT '{name}'",
	Rollback: "XA ROLLBACK '{name}'",
	Missing:  "1397", // XAER_NOTA
	Prepared: "XA RECOVER",
	// Both have a host name and a port; MariaDB has no server_uuid. A MariaDB of a later version says ON and OFF.
	Site: "SELECT CONCAT(@@hostname, ':', @@port, '/', COALESCE(DATABASE(), '')), @@GLOBAL.read_only NOT IN ('0', 'OFF'), 1",
	DecisionTable: `-- The decisions of transactions over several databases, on the first of them: one row while such a transaction is not finished everywhere.
CREATE TABLE IF NOT EXISTS drover_decisions (
    id           VARCHAR(26) NOT NULL PRIMARY KEY, -- a ULID; the prepared transactions are named drover:id:number
    state        VARCHAR(255) NOT NULL,            -- preparing, committed or aborted
    participants LONGTEXT NOT NULL,                -- JSON: [{"number": 1, "alias": …, "address": …, "site": …}, …]
    created_by   VARCHAR(255) NOT NULL,            -- user@host
    begun_at     DATETIME(6) NOT NULL,             -- when the first was about to be prepared; this and all times by the database's clock, in UTC
    decided_at   DATETIME(6) NULL                  -- when it was committed or aborted
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
`,
	DecisionAge: "TIMESTAMPDIFF(MICROSECOND, begun_at, UTC_TIMESTAMP(6)) / 1000000",
}
