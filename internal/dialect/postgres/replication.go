package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// standingQuery reads a server's place in replication (PostgreSQL manual, "System Administration Functions" and pg_stat_wal_receiver).
//
// A primary's position is where the next record will be inserted, not how far the log is written: a commit with synchronous_commit=off returns
// before it is written. A replica is on the timeline that it receives. That one is read after what it has applied: as timelines only go up, all
// of it is of that timeline then, or of those before.
const standingQuery = `WITH applied AS MATERIALIZED (SELECT pg_is_in_recovery() AS replica, pg_last_wal_replay_lsn() AS lsn)
SELECT replica, (SELECT system_identifier::text FROM pg_control_system()),
	CASE WHEN replica THEN applied.lsn ELSE pg_current_wal_insert_lsn() END::text,
	CASE WHEN replica THEN received_tli ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END,
	current_setting('wal_block_size')::bigint, pg_size_bytes(current_setting('wal_segment_size')),
	pid IS NOT NULL, COALESCE(status, ''), CASE WHEN replica THEN pg_is_wal_replay_paused() ELSE false END,
	pg_wal_lsn_diff(GREATEST(latest_end_lsn, pg_last_wal_receive_lsn()), applied.lsn)::bigint,
	(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000000)::bigint
FROM applied LEFT JOIN pg_stat_wal_receiver ON true`

// Standing asks the server. A user without the privileges of pg_read_all_stats does not see which timeline a replica follows; then neither its
// position nor its lag can be relied on.
func (d Dialect) Standing(ctx context.Context, q dialect.Queryer) (dialect.Standing, error) {
	s, err := standing(ctx, q)
	if fault, _ := d.Classify(err); fault.Code == notInState {
		return standing(ctx, q) // it was promoted in the middle of the query
	}
	return s, err
}

// notInState is object_not_in_prerequisite_state: a function that is for replicas was called on a primary.
const notInState = "55000"

func standing(ctx context.Context, q dialect.Queryer) (dialect.Standing, error) {
	var s dialect.Standing
	err := dialect.Each(ctx, q, standingQuery, nil, func(scan func(...any) error) error {
		var (
			at                      position
			lsn                     sql.NullString
			timeline, behind, since sql.NullInt64
			block, segment          uint64
			receives, paused        bool
			status                  string
		)
		if err := scan(&s.Replica, &at.system, &lsn, &timeline, &block, &segment, &receives, &status, &paused, &behind, &since); err != nil {
			return err
		}
		at.timeline = timeline.Int64
		if lsn.Valid {
			var err error
			if at.lsn, err = parseLSN(lsn.String); err != nil {
				return err
			}
		}
		switch {
		case !s.Replica:
			at.lsn = recordEnd(at.lsn, block, segment)
		case !receives:
			s.Stopped = "it receives nothing from its primary"
			s.Unsure = fmt.Errorf("the server does not know its timeline while %s", s.Stopped)
		case !timeline.Valid:
			s.Unsure = fmt.Errorf("the user may not see which timeline the server follows, it needs pg_read_all_stats: %w", dialect.Permission)
		case status != "streaming":
			s.Stopped = "its WAL receiver is " + status
		}
		s.Position = at.String()
		if paused {
			s.Paused = "its replay is paused"
		}
		s.Lag.Bytes = max(behind.Int64, 0)
		switch {
		case s.Unsure != nil, s.Lag.Bytes > 0 && !since.Valid: // it has applied no commit since it was started
			s.Lag.Time = dialect.UnknownLag
		case s.Lag.Bytes > 0:
			s.Lag.Time = max(time.Duration(since.Int64)*time.Microsecond, 1)
		}
		return nil
	})
	return s, err
}

// The lengths of the headers of a page and of a segment's first page.
const pageHeader, segmentHeader = 24, 40

// recordEnd takes the header of a page back off the place of the next record, where nothing else is on the page yet: a replica counts it only
// with the record. After a switch to a new segment it would be waited for in vain.
func recordEnd(lsn, block, segment uint64) uint64 {
	header := uint64(pageHeader)
	if lsn%segment < block {
		header = segmentHeader
	}
	if lsn%block == header {
		return lsn - header
	}
	return lsn
}

// position is a place in the log of one timeline of one system: of a primary and all that were copied from it.
type position struct {
	system   string
	timeline int64
	lsn      uint64
}

// String is postgres:SYSTEM:TIMELINE:LSN.
func (p position) String() string {
	return fmt.Sprintf("postgres:%s:%d:%X/%X", p.system, p.timeline, p.lsn>>32, uint32(p.lsn))
}

var positionText = regexp.MustCompile(`^postgres:([0-9]{1,20}):([1-9][0-9]{0,9}):([0-9A-F]{1,8}/[0-9A-F]{1,8})$`)

func parsePosition(text string) (position, bool) {
	m := positionText.FindStringSubmatch(text)
	if m == nil {
		return position{}, false
	}
	timeline, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return position{}, false
	}
	lsn, err := parseLSN(m[3])
	return position{m[1], timeline, lsn}, err == nil
}

func parseLSN(text string) (uint64, error) {
	var high, low uint32
	if _, err := fmt.Sscanf(text, "%X/%X", &high, &low); err != nil {
		return 0, fmt.Errorf("log position %q: %w", text, err)
	}
	return uint64(high)<<32 | uint64(low), nil
}

// ValidPosition reports whether text is postgres:SYSTEM:TIMELINE:LSN.
func (Dialect) ValidPosition(text string) bool {
	_, ok := parsePosition(text)
	return ok
}

// Reached compares positions of the same timeline. A promotion begins a new one, which may lack the end of the one before; where it left
// that is not told to users.
func (Dialect) Reached(_ context.Context, _ dialect.Queryer, s dialect.Standing, text string) (bool, error) {
	want, ok := parsePosition(text)
	if !ok {
		return false, dialect.Incomparable("it is of another kind of database")
	}
	if s.Unsure != nil {
		if s.Stopped != "" {
			return false, nil
		}
		return false, s.Unsure
	}
	at, _ := parsePosition(s.Position)
	switch {
	case want.system != at.system:
		return false, dialect.Incomparable("it is of the system %s, and the server is of %s", want.system, at.system)
	case want.timeline < at.timeline:
		return false, dialect.Incomparable("it is of timeline %d, and the server is on %d since a promotion, which may have lost it", want.timeline, at.timeline)
	case want.timeline == at.timeline && want.lsn <= at.lsn:
		return true, nil
	case !s.Replica:
		return false, dialect.Incomparable("it lies behind the end of the server's log, on timeline %d", at.timeline)
	}
	return false, nil
}
