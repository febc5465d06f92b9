package runstore

import (
	"context"
	"slices"
)

// AddEvent notes what happened to a run. actor is who did it, and text one line about it.
func (s *Store) AddEvent(ctx context.Context, runID, typ, actor, text string) error {
	_, err := s.exec(ctx, `INSERT INTO "drover_events" ("run_id", "happened_at", "event_type", "actor", "message") VALUES (?, {now}, ?, ?, ?)`,
		runID, cut(typ), cut(actor), Storable(text))
	return op("note an event of", runID, err)
}

// Events returns the last events of a run, at most limit, the oldest of them first; a limit of 0 is none.
func (s *Store) Events(ctx context.Context, runID string, limit int) ([]Event, error) {
	query := `SELECT "id", "run_id", "happened_at", "event_type", "actor", "message" FROM "drover_events" WHERE "run_id" = ? ORDER BY "id" DESC`
	args := []any{runID}
	if limit > 0 {
		query, args = query+` LIMIT ?`, append(args, limit)
	}
	var events []Event
	err := s.each(ctx, query, args, func(scan scan) error {
		var e Event
		var at moment
		err := scan(&e.ID, &e.RunID, &at, &e.Type, &e.Actor, &e.Text)
		e.At = at.Time
		events = append(events, e)
		return err
	})
	slices.Reverse(events)
	return events, op("read the events of", runID, err)
}
