// Package drovertest helps to test commands and jobs: it calls commands, gives each test a database of its own, and kills jobs.
//
//	func TestRecalculate(t *testing.T) {
//		conn := drovertest.SQLite(t)
//		…                                                        // tables and rows
//		res := drovertest.Call(t, app(), conn, "recalculate", "--no-input")
//		…
//	}
//
//	func TestRecalculate_SurvivesAnything(t *testing.T) {
//		drovertest.Chaos(t, drovertest.ChaosOptions{
//			Setup: func(ctx context.Context, conn *db.DB) error { … },
//			Run:   func(ctx context.Context, conn *db.DB) error { _, err := recalculate().Run(ctx, conn, batch.Options{BatchSize: 10}); return err },
//		})
//	}
//
// [Chaos] runs the job once undisturbed, and then once for every statement that it sends: killed right before the statement, and right after
// it, when it is done but its answer is lost. Each time the job is started again, and when it has finished the database must hold
// what it holds after the undisturbed run.
package drovertest
