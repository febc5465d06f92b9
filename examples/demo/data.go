package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/drover-dev/drover/db"
)

const (
	eventCount  = 200_000
	historyDays = 400
	userCount   = 8_000
	insertRows  = 1_000 // a statement
)

var schema = []string{
	`CREATE TABLE events (
		id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, kind TEXT NOT NULL, path TEXT NOT NULL, created_at TEXT NOT NULL)`,
	`CREATE INDEX events_created_at ON events (created_at)`,
	`CREATE TABLE event_tags (
		event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (event_id, tag))`,
}

// fill makes the tables of a small web shop: events in the order of their time, and tags of some of them. The
// same day gives the same data.
func fill(ctx context.Context, conn *db.DB, today time.Time) error {
	rnd := rand.New(rand.NewPCG(2005, 7)) // the same every time
	events := &inserter{conn: conn, into: "INSERT INTO events (id, user_id, kind, path, created_at) VALUES "}
	tags := &inserter{conn: conn, into: "INSERT INTO event_tags (event_id, tag) VALUES "}
	return conn.Atomic(ctx, func(ctx context.Context) error {
		for _, statement := range schema {
			if err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		users := rand.NewZipf(rnd, 1.1, 20, userCount-1) // a few visit often, most seldom
		for i, at := range times(rnd, today) {
			id := int64(i + 1)
			kind, path := visit(rnd)
			if err := events.add(ctx, id, int64(users.Uint64()+1), kind, path, at.Format(time.DateTime)); err != nil {
				return err
			}
			for _, tag := range tagsOf(rnd) {
				if err := tags.add(ctx, id, tag); err != nil {
					return err
				}
			}
			if events.rows == 0 { // those that the tags point to are in; there are fewer tags than events
				if err := tags.flush(ctx); err != nil {
					return err
				}
			}
		}
		return errors.Join(events.flush(ctx), tags.flush(ctx))
	})
}

// inserter gathers rows for a statement of many.
type inserter struct {
	conn *db.DB
	into string
	rows int
	args []any
}

func (in *inserter) add(ctx context.Context, values ...any) error {
	in.rows++
	in.args = append(in.args, values...)
	if in.rows < insertRows {
		return nil
	}
	return in.flush(ctx)
}

func (in *inserter) flush(ctx context.Context) error {
	if in.rows == 0 {
		return nil
	}
	row := "(?" + strings.Repeat(", ?", len(in.args)/in.rows-1) + ")"
	err := in.conn.Exec(ctx, in.into+row+strings.Repeat(", "+row, in.rows-1), in.args...)
	in.rows, in.args = 0, in.args[:0]
	return err
}

// times gives the instants of all events in order: more as the shop grows, fewer at weekends and at night.
func times(rnd *rand.Rand, today time.Time) []time.Time {
	first := today.AddDate(0, 0, -historyDays)
	hours := make([]float64, 0, historyDays*24) // cumulated weights
	sum := 0.0
	for hour := range historyDays * 24 {
		at := first.Add(time.Duration(hour) * time.Hour)
		weight := 1 + 1.5*float64(hour)/(historyDays*24)
		if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
			weight *= 0.6
		}
		sum += weight * [24]float64{
			2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 11, 10, 9, 9, 9, 10, 11, 12, 12, 10, 7, 4,
		}[at.Hour()]
		hours = append(hours, sum)
	}
	all := make([]time.Time, eventCount)
	for i := range all {
		hour := sort.SearchFloat64s(hours, rnd.Float64()*sum)
		all[i] = first.Add(time.Duration(hour)*time.Hour + time.Duration(rnd.IntN(3600))*time.Second)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// visit makes up what somebody did, and where.
func visit(rnd *rand.Rand) (kind, path string) {
	products := []string{"lantern", "kettle", "rope", "blanket", "compass", "tent", "knife", "stove"}
	product := "/p/" + products[rnd.IntN(len(products))]
	switch p := rnd.IntN(100); {
	case p < 58:
		return "view", product
	case p < 80:
		return "click", product
	case p < 91:
		return "search", "/search"
	case p < 97:
		return "cart", "/cart"
	default:
		return "order", "/checkout"
	}
}

// tagsOf makes up no tags for most events, and one or two for some.
func tagsOf(rnd *rand.Rand) []string {
	var tags []string
	if rnd.IntN(4) == 0 {
		tags = append(tags, "campaign")
	}
	if rnd.IntN(5) == 0 {
		tags = append(tags, "mobile")
	}
	return tags
}
