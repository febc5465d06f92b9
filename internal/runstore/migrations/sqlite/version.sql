-- Which migrations of the drover tables have been applied: goose's version table. Row 0 says that the table is there.
CREATE TABLE IF NOT EXISTS drover_schema (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL,
    is_applied INTEGER NOT NULL,
    tstamp     TIMESTAMP DEFAULT (datetime('now'))
);
