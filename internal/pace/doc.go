// Package pace decides how fast a run goes. It holds no SQL and knows no database: what it measures with is given to it.
//
//   - [Sizer] chooses the number of rows of a batch, from the time that batches take and from their failures.
//   - [Throttle] reads meters (replica lag, lock waiters…) and holds workers back while one is near or over its limit.
//   - [Rate] shares a limit of rows per second between workers.
//   - [Window] is a time of day in which a run may work.
//   - [Durations] keeps a bounded sample of how long batches took.
//
// A worker of a run goes round like this:
//
//	for {
//		waited, err := throttle.Wait(ctx, last)
//		if err == nil {
//			err = rate.Wait(ctx, rows) // of the batch before
//		}
//		if err != nil {
//			return err
//		}
//		sizer.Hold(throttle.Pressure() > pace.NearLimit)
//		size, start := sizer.Size(), time.Now()
//		rows, err = work(ctx, size)
//		last = time.Since(start)
//		if kind := transient(err); kind != "" {
//			change, changed := sizer.Failed(size, kind) // tell it, and try again with the size that it is now
//			continue
//		}
//		change, changed := sizer.Done(size, rows, last)
//	}
//
// Everything here is safe for concurrent use, and keeps time with [time.Now], so that a test can run it in a bubble of
// testing/synctest.
package pace
