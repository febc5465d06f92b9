// Package db opens databases by alias and runs blocks of work on them that happen completely or not at all.
//
//	conn, err := db.Open(ctx, "postgres://app@db1/app")
//	…
//	err = conn.Atomic(ctx, func(ctx context.Context) error {       // BEGIN … COMMIT, or ROLLBACK on error or panic
//		if err := conn.Exec(ctx, "INSERT INTO item (name) VALUES (?)", "first"); err != nil {
//			return err
//		}
//		return conn.OnCommit(ctx, func(ctx context.Context) error { return notify(ctx) })
//	}, db.Retry(3))
//
// The transaction travels in the context, one for each database: a function that is given the context takes part
// in it, and [DB.Atomic] inside [DB.Atomic] is a savepoint. Code that is written for database/sql, pgx, sqlc, sqlx, bun,
// GORM or ent joins the block through [DB.SQL], [DB.DBTX] and [DB.PGX].
//
// Three rules hold in every block. It is used by one goroutine at a time. A statement that fails in the database breaks
// the block (or its innermost savepoint): further statements are refused with the first error as their cause, and a
// block whose function hides that error and returns nil is rolled back with it. And only the block's own context is
// in the transaction: a statement sent with the context from outside runs on another connection.
//
// [AtomicAll] opens a block on each of several databases and commits on all of them or on none; [Recover] finishes what a crash has left of it.
//
// The behaviour follows Django's django.db.transaction (Django 6.1 documentation, "Database transactions") but where
// the documentation of a name says otherwise.
package db
