-- +goose Up

-- One row for every execution of a command's work. There are no foreign keys to it: a batch that writes to the other tables must not
-- wait for whoever renews or takes over the run.
CREATE TABLE IF NOT EXISTS drover_runs (
    id           TEXT NOT NULL,      -- a ULID: sorted by the time of creation
    command      TEXT NOT NULL,      -- the command's name
    identity     TEXT NOT NULL,      -- hash of command, arguments and database: the same work has the same one
    number       INTEGER NOT NULL,   -- counts the runs of one identity, from 1
    arguments    TEXT NOT NULL,      -- JSON: [{"name": …, "value": …}, …]
    command_line TEXT NOT NULL,      -- JSON: the words of the command line, without secrets
    options      TEXT NOT NULL,      -- JSON: {"batch-size": "500", …}; may change while the run lasts
    build        TEXT NOT NULL,      -- version of the program that began it
    state        TEXT NOT NULL,      -- planned, running, paused, failed, succeeded, cancelled, undoing or undone
    request      TEXT NOT NULL,      -- what somebody asks of the runner: pause or cancel; empty for nothing
    phase        INTEGER NOT NULL,   -- the phase that is being worked on, from 0
    planned      INTEGER NOT NULL,   -- rows that the plan counted; -1 where it does not know
    attempt      INTEGER NOT NULL,   -- how often a runner has begun or resumed it
    token        INTEGER NOT NULL,   -- fencing token: each runner gets a higher one
    owner        TEXT NOT NULL,      -- the runner that holds it; empty for none
    lease_until  TIMESTAMP,          -- when another may take it from its runner
    waiting      TEXT NOT NULL,      -- why the runner waits; empty where it does not
    error        TEXT NOT NULL,      -- why it failed
    undoable     BOOLEAN NOT NULL,   -- before-images are kept in drover_undo
    undo_of      TEXT NOT NULL,      -- the run that this one undoes, or empty
    retry_of     TEXT NOT NULL,      -- the run whose quarantine this one replays, or empty
    created_by   TEXT NOT NULL,      -- user@host
    created_at   TIMESTAMP NOT NULL, -- this and all times by the database's clock, in UTC
    started_at   TIMESTAMP,          -- when the first runner began
    finished_at  TIMESTAMP,          -- when the last runner ended
    PRIMARY KEY (id),
    UNIQUE (identity, number)
);
CREATE INDEX IF NOT EXISTS drover_runs_created ON drover_runs (created_at, id);

-- The parts of a run's work, each done in order by one worker at a time. The transaction of a batch updates its shard's row if the token is
-- still its runner's: so it is committed together with the batch, or neither is.
CREATE TABLE IF NOT EXISTS drover_shards (
    run_id           TEXT NOT NULL,    -- the run
    phase            INTEGER NOT NULL, -- the phase of the run
    shard            INTEGER NOT NULL, -- number of the shard in its phase
    token            INTEGER NOT NULL, -- of the runner that may commit
    lower_key        TEXT,             -- nothing at or before it belongs to the shard; NULL: no bound
    upper_key        TEXT,             -- the last key that belongs to it; NULL: no bound
    reached_key      TEXT,             -- all up to it is done; NULL: nothing yet
    planned          INTEGER NOT NULL, -- rows that the plan counted; -1 where it does not know
    done             BOOLEAN NOT NULL, -- nothing is left
    batches          INTEGER NOT NULL, -- committed batches
    rows_read        INTEGER NOT NULL, -- rows that were looked at
    rows_done        INTEGER NOT NULL, -- rows that were processed
    rows_quarantined INTEGER NOT NULL, -- rows that were set aside
    retries          INTEGER NOT NULL, -- attempts that were rolled back and tried again
    busy_us          INTEGER NOT NULL, -- microseconds in batches
    PRIMARY KEY (run_id, phase, shard)
);

-- Rows of data that were set aside because they failed, written in the transaction of their batch.
CREATE TABLE IF NOT EXISTS drover_quarantine (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     TEXT NOT NULL,      -- the run
    phase      INTEGER NOT NULL,   -- the phase of the run
    shard      INTEGER NOT NULL,   -- number of the shard in its phase
    row_key    TEXT,               -- the row's key
    error      TEXT NOT NULL,      -- why it failed
    kind       TEXT NOT NULL,      -- the class of the error in words, or empty
    input      TEXT NOT NULL,      -- the row as JSON, as far as it is known
    attempts   INTEGER NOT NULL,   -- how often it was tried
    retried_by TEXT NOT NULL,      -- the run that replayed it, or empty
    created_at TIMESTAMP NOT NULL  -- when it was set aside
);
CREATE INDEX IF NOT EXISTS drover_quarantine_run ON drover_quarantine (run_id, id);

-- The journal of changes, written in the transaction of their batch: what an undo puts back, newest first.
CREATE TABLE IF NOT EXISTS drover_undo (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id       TEXT NOT NULL, -- the run
    table_name   TEXT NOT NULL, -- the changed table, quoted
    row_key      TEXT,          -- the row's key before the change; for a created row the new one
    op           TEXT NOT NULL, -- update, delete or create
    image_before TEXT NOT NULL, -- the encoded row before the change; empty for create
    image_after  TEXT NOT NULL  -- the encoded row after the change; empty for delete
);
CREATE INDEX IF NOT EXISTS drover_undo_run ON drover_undo (run_id, id);

-- What happened to a run, for people.
CREATE TABLE IF NOT EXISTS drover_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id      TEXT NOT NULL, -- the run
    happened_at TIMESTAMP NOT NULL,
    event_type  TEXT NOT NULL, -- created, started, resumed, taken over, paused, failed, succeeded, cancelled, undone, requested, set, …
    actor       TEXT NOT NULL, -- user@host of a person's change, the owner of a runner's own
    message     TEXT NOT NULL  -- one line
);
CREATE INDEX IF NOT EXISTS drover_events_run ON drover_events (run_id, id);
