package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/drover-dev/drover/db"
)

// state is what the tables held at the beginning, old events and those to keep apart.
type state struct {
	keepFrom              string
	oldEvents, keptEvents int64
	oldTags, keptTags     int64
	firstOld, lastOld     int64 // ids
	old, kept             fingerprint
}

// fingerprint stands for all values of some events and their tags.
type fingerprint [sha256.Size]byte

func survey(ctx context.Context, conn *db.DB, keepFrom string) (*state, error) {
	s := &state{keepFrom: keepFrom}
	const tags = "SELECT COUNT(*) FROM event_tags JOIN events ON events.id = event_id WHERE created_at "
	for _, count := range []struct {
		query string
		into  []any
	}{
		{"SELECT COUNT(*), MIN(id), MAX(id) FROM events WHERE created_at < ?", []any{&s.oldEvents, &s.firstOld, &s.lastOld}},
		{"SELECT COUNT(*) FROM events WHERE created_at >= ?", []any{&s.keptEvents}},
		{tags + "< ?", []any{&s.oldTags}},
		{tags + ">= ?", []any{&s.keptTags}},
	} {
		if err := conn.QueryRow(ctx, count.query, keepFrom).Scan(count.into...); err != nil {
			return nil, fmt.Errorf("survey the tables: %w", err)
		}
	}
	var err error
	if s.old, err = take(ctx, conn, "created_at < ?", keepFrom); err != nil {
		return nil, err
	}
	s.kept, err = take(ctx, conn, "created_at >= ?", keepFrom)
	return s, err
}

// take reads all events that fulfil a condition, each with its tags. Tags without an event count to every condition.
func take(ctx context.Context, conn *db.DB, where string, args ...any) (f fingerprint, err error) {
	rows, err := conn.Query(ctx, `
		SELECT events.id, user_id, kind, path, created_at, COALESCE(tag, '') FROM events
		LEFT JOIN event_tags ON event_id = events.id WHERE `+where+`
		UNION ALL
		SELECT event_id, 0, '', '', '', tag FROM event_tags WHERE event_id NOT IN (SELECT id FROM events)
		ORDER BY 1, 6`, args...)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	hash := sha256.New()
	for rows.Next() {
		var id, user int64
		var kind, path, at, tag string
		if err := rows.Scan(&id, &user, &kind, &path, &at, &tag); err != nil {
			return f, fmt.Errorf("read an event: %w", err)
		}
		hash.Write(fmt.Appendf(nil, "%d %d %q %q %q %q\n", id, user, kind, path, at, tag))
	}
	if err := rows.Err(); err != nil {
		return f, fmt.Errorf("read the events: %w", err)
	}
	return fingerprint(hash.Sum(nil)), nil
}

// gone tells whether this share of the old events has been deleted.
func (s *state) gone(ctx context.Context, conn *db.DB, share float64) (bool, error) {
	var first int64
	if err := conn.QueryRow(ctx, "SELECT MIN(id) FROM events").Scan(&first); err != nil {
		return false, fmt.Errorf("look at the progress: %w", err)
	}
	return float64(first-s.firstOld) >= share*float64(s.lastOld-s.firstOld), nil
}

// expectAll fails when anything has changed.
func (s *state) expectAll(ctx context.Context, conn *db.DB) error {
	old, err := take(ctx, conn, "created_at < ?", s.keepFrom)
	if err != nil {
		return err
	}
	if old != s.old {
		return errors.New("the old events are not what they were")
	}
	return s.expectKeptIn(ctx, conn, "created_at >= ?", s.keepFrom)
}

// expectSome fails unless a number of whole batches is gone from the beginning of the old events, and nothing else. It
// tells how many old events are left.
func (s *state) expectSome(ctx context.Context, conn *db.DB) (left int64, err error) {
	var first int64
	query := "SELECT COUNT(*), COALESCE(MIN(id), 0) FROM events WHERE created_at < ?"
	if err := conn.QueryRow(ctx, query, s.keepFrom).Scan(&left, &first); err != nil {
		return 0, fmt.Errorf("count the old events: %w", err)
	}
	gone := s.oldEvents - left
	switch {
	case left == 0 || gone == 0:
		return left, fmt.Errorf("%d of %d old events are left; the interruption was to come in between", left, s.oldEvents)
	case gone%batchSize != 0:
		return left, fmt.Errorf("%d old events are gone: a batch of %d is half done", gone, batchSize)
	case first != s.firstOld+gone: // the ids of the old events have no gaps
		return left, fmt.Errorf("%d old events are gone, but not those before %d", gone, first)
	}
	return left, s.expectKeptIn(ctx, conn, "created_at >= ?", s.keepFrom)
}

// expectKept fails unless the tables hold the events to keep and nothing else.
func (s *state) expectKept(ctx context.Context, conn *db.DB) error {
	return s.expectKeptIn(ctx, conn, "1 = 1")
}

func (s *state) expectKeptIn(ctx context.Context, conn *db.DB, where string, args ...any) error {
	kept, err := take(ctx, conn, where, args...)
	if err != nil {
		return err
	}
	if kept != s.kept {
		return errors.New("the events to keep are not what they were")
	}
	return nil
}
