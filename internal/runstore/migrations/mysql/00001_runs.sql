-- +goose NO TRANSACTION
-- +goose Up

-- One row for every execution of a command's work. There are no foreign keys to it: a batch that writes to the other tables must not
-- wait for whoever renews or takes over the run.
CREATE TABLE IF NOT EXISTS drover_runs (
    id           VARCHAR(26) NOT NULL,  -- a ULID: sorted by the time of creation
    command      VARCHAR(255) NOT NULL, -- the command's name
    identity     VARCHAR(255) NOT NULL, -- hash of command, arguments and database: the same work has the same one
    number       INT NOT NULL,          -- counts the runs of one identity, from 1
    arguments    LONGTEXT NOT NULL,     -- JSON: [{"name": …, "value": …}, …]
    command_line LONGTEXT NOT NULL,     -- JSON: the words of the command line, without secrets
    options      LONGTEXT NOT NULL,     -- JSON: {"batch-size": "500", …}; may change while the run lasts
    build        VARCHAR(255) NOT NULL, -- version of the program that began it
    state        VARCHAR(255) NOT NULL, -- planned, running, paused, failed, succeeded, cancelled, undoing or undone
    request      VARCHAR(255) NOT NULL, -- what somebody asks of the runner: pause or cancel; empty for nothing
    phase        INT NOT NULL,          -- the phase that is being worked on, from 0
    planned      BIGINT NOT NULL,       -- rows that the plan counted; -1 where it does not know
    attempt      INT NOT NULL,          -- how often a runner has begun or resumed it
    token        BIGINT NOT NULL,       -- fencing token: each runner gets a higher one
    owner        VARCHAR(255) NOT NULL, -- the runner that holds it; empty for none
    lease_until  DATETIME(6) NULL,      -- when another may take it from its runner
    waiting      LONGTEXT NOT NULL,     -- why the runner waits; empty where it does not
    error        LONGTEXT NOT NULL,     -- why it failed
    undoable     BOOLEAN NOT NULL,      -- before-images are kept in drover_undo
    undo_of      VARCHAR(26) NOT NULL,  -- the run that this one undoes, or empty
    retry_of     VARCHAR(26) NOT NULL,  -- the run whose quarantine this one replays, or empty
    created_by   VARCHAR(255) NOT NULL, -- user@host
    created_at   DATETIME(6) NOT NULL,  -- this and all times by the database's clock, in UTC
    started_at   DATETIME(6) NULL,      -- when the first runner began
    finished_at  DATETIME(6) NULL,      -- when the last runner ended
    PRIMARY KEY (id),
    UNIQUE (identity, number),
    KEY drover_runs_created (created_at, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The parts of a run's work, each done in order by one worker at a time. The transaction of a batch updates its shard's row if the token is
-- still its runner's: so it is committed together with the batch, or neither is.
CREATE TABLE IF NOT EXISTS drover_shards (
    run_id           VARCHAR(26) NOT NULL, -- the run
    phase            INT NOT NULL,         -- the phase of the run
    shard            INT NOT NULL,         -- number of the shard in its phase
    token            BIGINT NOT NULL,      -- of the runner that may commit
    lower_key        LONGTEXT NULL,        -- nothing at or before it belongs to the shard; NULL: no bound
    upper_key        LONGTEXT NULL,        -- the last key that belongs to it; NULL: no bound
    reached_key      LONGTEXT NULL,        -- all up to it is done; NULL: nothing yet
    planned          BIGINT NOT NULL,      -- rows that the plan counted; -1 where it does not know
    done             BOOLEAN NOT NULL,     -- nothing is left
    batches          BIGINT NOT NULL,      -- committed batches
    rows_read        BIGINT NOT NULL,      -- rows that were looked at
    rows_done        BIGINT NOT NULL,      -- rows that were processed
    rows_quarantined BIGINT NOT NULL,      -- rows that were set aside
    retries          BIGINT NOT NULL,      -- attempts that were rolled back and tried again
    busy_us          BIGINT NOT NULL,      -- microseconds in batches
    PRIMARY KEY (run_id, phase, shard)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Rows of data that were set aside because they failed, written in the transaction of their batch.
CREATE TABLE IF NOT EXISTS drover_quarantine (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    run_id     VARCHAR(26) NOT NULL,  -- the run
    phase      INT NOT NULL,          -- the phase of the run
    shard      INT NOT NULL,          -- number of the shard in its phase
    row_key    LONGTEXT NULL,         -- the row's key
    error      LONGTEXT NOT NULL,     -- why it failed
    kind       VARCHAR(255) NOT NULL, -- the class of the error in words, or empty
    input      LONGTEXT NOT NULL,     -- the row as JSON, as far as it is known
    attempts   INT NOT NULL,          -- how often it was tried
    retried_by VARCHAR(26) NOT NULL,  -- the run that replayed it, or empty
    created_at DATETIME(6) NOT NULL,  -- when it was set aside
    KEY drover_quarantine_run (run_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The journal of changes, written in the transaction of their batch: what an undo puts back, newest first.
CREATE TABLE IF NOT EXISTS drover_undo (
    id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    run_id       VARCHAR(26) NOT NULL,  -- the run
    table_name   LONGTEXT NOT NULL,     -- the changed table, quoted
    row_key      LONGTEXT NULL,         -- the row's key before the change; for a created row the new one
    op           VARCHAR(255) NOT NULL, -- update, delete or create
    image_before LONGTEXT NOT NULL,     -- the encoded row before the change; empty for create
    image_after  LONGTEXT NOT NULL,     -- the encoded row after the change; empty for delete
    KEY drover_undo_run (run_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What happened to a run, for people.
CREATE TABLE IF NOT EXISTS drover_events (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    run_id      VARCHAR(26) NOT NULL,  -- the run
    happened_at DATETIME(6) NOT NULL,
    event_type  VARCHAR(255) NOT NULL, -- created, started, resumed, taken over, paused, failed, succeeded, cancelled, undone, requested, set, …
    actor       VARCHAR(255) NOT NULL, -- user@host of a person's change, the owner of a runner's own
    message     LONGTEXT NOT NULL,     -- one line
    KEY drover_events_run (run_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
