// Package batch runs work on many rows so that a crash at any instant loses nothing and repeats nothing.
//
//	job := &batch.Job[Item]{
//		Name: "recalculate",
//		Source: func(ctx context.Context, conn *db.DB) (batch.Source[Item], error) {
//			return batch.Rows(table.Of[Item](conn).Where("status = ?", "stale")), nil
//		},
//		Process: func(ctx context.Context, b *batch.Batch[Item]) error {
//			for i := range b.Rows {
//				b.Rows[i].Total = b.Rows[i].Price * b.Rows[i].Count
//			}
//			_, err := table.Of[Item](b.DB()).BulkUpdate(ctx, b.Rows, "total")
//			return err
//		},
//	}
//	result, err := job.Run(ctx, conn, batch.Options{BatchSize: 500, Workers: 4})
//	app.Add(job.Command())      // or as a command, with --dry-run, --workers, --resume, --max-errors, …
//
// # Runs, shards, batches
//
// A [Job] says where the rows come from and what is done with them. One execution of it is a run, which is stored in the database that it works
// on. A run is cut into shards, ranges of keys with about as many rows each and a bound that is frozen at the start; one worker at a time
// works a shard, batch by batch.
//
// What a batch changes, how far its shard is then, the rows that it set aside and the images that undo needs are committed in one
// transaction. So after kill -9, a power failure, a failover or a cut network the run goes on exactly behind the last committed batch: no
// row is missed, and none is done twice. What Process does outside that transaction (a mail, a file, another database) may happen again when
// a batch is tried again; use [db.DB.OnCommit] for what must only follow a commit.
//
// # One runner at a time
//
// A runner holds a lease on its run, renewed by the database's clock, and every batch checks the runner's token in its own transaction. When
// a runner dies, anybody can resume the run as soon as the lease has run out, by starting the same job again; a runner that was only thought
// dead finds its next batch rolled back.
//
// # Failures
//
// A deadlock, a lock timeout, a lost connection: the batch is rolled back and tried again. An error of the rows themselves: the batch is cut in
// halves until the bad row is alone, which is then set aside, up to Options.MaxErrors; with the default of none the run stops just before
// it. See [Options] for throttling, time limits and the rest.
package batch
