// Package drover makes commands that work on production data: it is to a Go team what management commands are to a Django
// team. A program is a main function that names its commands:
//
//	func main() {
//		app := drover.New("manage")            // databases from DATABASE_URL… or drover.toml; a SQLite file by default
//		app.Add(purgeObsolete())
//		app.Main()
//	}
//
//	func purgeObsolete() *drover.Command {
//		var status string
//		return &drover.Command{
//			Name:    "purge-obsolete",
//			Short:   "Delete items in a final state",
//			Options: drover.Options{DryRun: true, Confirm: true},
//			Flags: func(f *pflag.FlagSet) {
//				f.StringVar(&status, "status", "obsolete", "delete items in this `status`")
//			},
//			Run: func(ctx context.Context, c *drover.Call) error {
//				n, err := c.DB().ExecRows(ctx, "DELETE FROM items WHERE status = ?", status)
//				if err != nil {
//					return err
//				}
//				c.Did(drover.Deleted, "%d items", n)
//				return nil
//			},
//		}
//	}
//
// What every command gets:
//
//   - A dry run of anything: with --dry-run the whole of Run happens in a transaction that is rolled back, and the program
//     prints per table what would have changed and which on-commit hooks would have run.
//   - Confirmation bound to measured facts ([Call.Confirm]), refused where nobody can answer.
//   - A soft stop: the first Ctrl-C asks the command to end after its batch ([Call.Stopping]), the second cancels the
//     statement, and the transaction is rolled back.
//   - A run for each of several databases, with [Options.EachDatabase]: one summary, one exit code, and a failure on one hides
//     none of the others.
//   - Exit codes that scripts can rely on ([Exit] and the Exit constants), errors with advice, results on stdout and
//     everything else on stderr, --json, colour, progress, completion, man pages.
//
// Commands are called from code, and tested, with [App.Call]; a whole program run is [App.Run] with an [Env].
package drover
