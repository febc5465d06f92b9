package runstore

import (
	"context"
	"fmt"
)

// Ask asks a run's runner to pause or to cancel it, and returns the run as it reads then. Where nobody works on the run a pause is refused, and it is
// cancelled at once; a batch of a runner whose lease has expired can not be committed any more then. Asking for what is asked for already
// changes nothing. A finished run, and a pause after a request to cancel, are errors that wrap [ErrState].
func (s *Store) Ask(ctx context.Context, id string, request Request, by string) (Run, error) {
	if request != RequestPause && request != RequestCancel {
		return Run{}, op("ask", id, fmt.Errorf("there is no request %q: %w", request, ErrState))
	}
	var now Run
	err := again(func() error {
		seen, err := s.get(ctx, id)
		if err != nil {
			return err
		}
		switch {
		case seen.State.Finished():
			return refused(seen, "so there is nothing to "+string(request))
		case seen.State.live():
			err = s.request(ctx, seen, request, by)
		case request == RequestCancel:
			err = s.cancel(ctx, seen, by)
		case seen.State == Paused:
			return refused(seen, "already")
		default:
			return refused(seen, "and nobody works on it")
		}
		if err != nil {
			return err
		}
		now, err = s.get(ctx, id)
		return err
	})
	return now, op(string(request), id, err)
}

// request notes a request for a live run's runner.
func (s *Store) request(ctx context.Context, seen Run, request Request, by string) error {
	switch {
	case seen.Request == request:
		return nil
	case seen.Request == RequestCancel && request == RequestPause:
		return refused(seen, "and is about to be cancelled")
	}
	return s.atomic(ctx, func(ctx context.Context) error {
		n, err := s.exec(ctx, `UPDATE "drover_runs" SET "request" = ?
			WHERE "id" = ? AND "token" = ? AND "request" = ? AND "state" = 'running' AND "lease_until" > {now}`,
			string(request), seen.ID, seen.Token, string(seen.Request))
		if err == nil && n == 0 {
			err = errChanged
		}
		if err != nil {
			return err
		}
		return s.AddEvent(ctx, seen.ID, "requested", by, change("request", string(seen.Request), string(request)))
	})
}

// cancel cancels a run that nobody works on. A runner that wakes up is fenced off.
func (s *Store) cancel(ctx context.Context, seen Run, by string) error {
	return s.atomic(ctx, func(ctx context.Context) error {
		n, err := s.exec(ctx, `UPDATE "drover_runs" SET "state" = 'cancelled', "token" = "token" + 1, "owner" = '', "lease_until" = NULL, "waiting" = '',
			"request" = '', "finished_at" = {now} WHERE "id" = ? AND "token" = ? AND "state" = ? AND ("state" <> 'running' OR "lease_until" <= {now})`,
			seen.ID, seen.Token, string(seen.State.stored()))
		if err == nil && n == 0 {
			err = errChanged
		}
		if err != nil {
			return err
		}
		if err := s.fence(ctx, seen.ID, seen.Token+1); err != nil {
			return err
		}
		return s.AddEvent(ctx, seen.ID, string(Cancelled), by, change("state", string(seen.State), string(Cancelled)))
	})
}

// Resume takes a request to pause back, if the run's runner has not followed it yet. Else the error wraps [ErrState].
func (s *Store) Resume(ctx context.Context, id, by string) error {
	return op("resume", id, again(func() error {
		seen, err := s.get(ctx, id)
		switch {
		case err != nil:
			return err
		case !seen.State.live():
			return refused(seen, "and nobody works on it")
		case seen.Request != RequestPause:
			return refused(seen, "and nobody has asked to pause it")
		}
		return s.request(ctx, seen, NoRequest, by)
	}))
}

// Set changes one of a run's options, which its runner finds with [Store.Poll], and returns what it was; "" where it was not set. Of several changes
// at once none is lost. The error wraps [ErrState] for a finished run.
func (s *Store) Set(ctx context.Context, id, option, value, by string) (old string, err error) {
	err = again(func() error {
		var text string
		row := s.conn.QueryRow(ctx, s.text(`SELECT `+runColumns+`, "options" FROM "drover_runs" WHERE "id" = ?`), id)
		seen, err := readRun(row.Scan, &text)
		err = noRow(s.conn.Wrap("read a run", err))
		switch {
		case err != nil:
			return err
		case seen.State.Finished():
			return refused(seen, "so its options do not matter any more")
		}
		old = seen.Options[option]
		if seen.Options == nil {
			seen.Options = map[string]string{}
		}
		seen.Options[option] = value
		changed, err := encodeOptions(seen.Options)
		if err != nil {
			return err
		}
		return s.atomic(ctx, func(ctx context.Context) error {
			n, err := s.exec(ctx, `UPDATE "drover_runs" SET "options" = ? WHERE "id" = ? AND "options" = ? AND "state" NOT IN ('succeeded', 'cancelled', 'undone')`,
				changed, id, text)
			if err == nil && n == 0 {
				err = errChanged
			}
			if err != nil {
				return err
			}
			return s.AddEvent(ctx, id, "set", by, change(option, old, value))
		})
	})
	return old, op("set an option of", id, err)
}

// change tells of an old and a new value.
func change(what, old, changed string) string {
	none := func(text string) string {
		if text == "" {
			return "none"
		}
		return text
	}
	return what + ": " + none(old) + " → " + none(changed)
}
