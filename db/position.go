package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drover-dev/drover/internal/dialect"
)

// Position is a place in the log of a primary. Positions are made by [DB.Position] and compared by [DB.WaitFor]; == tells only that two are the
// same. The zero Position is none. It travels as text in cookies, headers, options and JSON: see [ParsePosition].
type Position struct{ text string }

// ParsePosition reads what [Position.String] gave. It checks the form, so text from a client may be given to it; where it comes from is checked by
// [DB.WaitFor].
func ParsePosition(text string) (Position, error) {
	for _, d := range dialects {
		if d.ValidPosition(text) {
			return Position{text}, nil
		}
	}
	return Position{}, fmt.Errorf("%.100q is not the position of a database", text)
}

// String gives the position without spaces: postgres:SYSTEM:TIMELINE:LSN, mariadb:GTID,GTID… or mysql:SET. It is "" for the zero Position.
func (p Position) String() string { return p.text }

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p.text == "" }

// MarshalText gives [Position.String].
func (p Position) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText is [ParsePosition]; an empty text is the zero Position.
func (p *Position) UnmarshalText(text []byte) (err error) {
	*p = Position{}
	if len(text) > 0 {
		*p, err = ParsePosition(string(text))
	}
	return err
}

// BehindError says that a replica had not applied a position when the wait was over. errors.Is(err, ErrBehind) holds.
type BehindError struct {
	Alias  string
	Want   Position
	At     Position      // the last that was seen, for people; zero where the replica did not answer in time
	Waited time.Duration // 0 where it was only looked at
	Reason string        // why the replica does not go on, as far as it says so; else ""
}

// Error names both positions, and the reason where there is one.
func (e *BehindError) Error() string {
	text := fmt.Sprintf("replica %q has not reached %s", e.Alias, e.Want)
	if e.Waited > 0 {
		text += fmt.Sprintf(" after %v", e.Waited.Round(time.Millisecond))
	}
	if e.At.IsZero() {
		text += ": it has not answered"
	} else {
		text += fmt.Sprintf(": it is at %s", e.At)
	}
	if e.Reason != "" {
		text += ", and " + e.Reason
	}
	return text
}

// Is makes errors.Is(err, ErrBehind) true.
func (e *BehindError) Is(target error) bool { return target == ErrBehind }

// Timeout reports true.
func (e *BehindError) Timeout() bool { return true }

// Hint tells how to go on.
func (e *BehindError) Hint() string { return "wait longer, or read from the primary" }

// PositionError says that a server cannot tell whether it has a position, and will not be able to later. errors.Is(err, ErrIncomparable) holds,
// and errors.Is(err, ErrNotReplica) where the server is none.
type PositionError struct {
	Alias    string
	Position Position
	Role     Role
	Reason   string
}

// Error names the position and the reason.
func (e *PositionError) Error() string {
	return fmt.Sprintf("%s %q cannot tell whether it has the position %q: %s", e.Role, e.Alias, e.Position, e.Reason)
}

// Is makes errors.Is true for ErrIncomparable, and for ErrNotReplica.
func (e *PositionError) Is(target error) bool {
	return target == ErrIncomparable || target == ErrNotReplica && e.Role == RolePrimary
}

// Hint tells how to go on.
func (e *PositionError) Hint() string { return "read from the primary" }

// Position returns the end of a primary's log, behind every commit that had returned before the call, by whatever session. On a replica it is
// what that has applied for certain. What is never logged is not covered: an unlogged table of PostgreSQL, a session of MariaDB or MySQL with
// sql_log_bin=0.
//
// Errors: [ErrInBlock] inside a block; [ErrNoReplication]; on a PostgreSQL replica [ErrPermission] for a user without pg_read_all_stats.
func (d *DB) Position(ctx context.Context) (Position, error) {
	const op = "read the log position"
	s, err := d.standing(ctx, op)
	if err == nil && s.Unsure != nil {
		err = d.wrapUnsure(op, s.Unsure)
	}
	if err != nil {
		return Position{}, err
	}
	return Position{s.Position}, nil
}

// standing asks the server outside a block.
func (d *DB) standing(ctx context.Context, op string) (dialect.Standing, error) {
	if d.InBlock(ctx) {
		return dialect.Standing{}, ErrInBlock
	}
	s, err := d.dialect.Standing(ctx, d)
	return s, d.wrap(op, err)
}

// wrapUnsure gives a reason that is no driver's error its class.
func (d *DB) wrapUnsure(op string, err error) error {
	if kind, ok := errors.AsType[Kind](err); ok {
		return &Error{Op: op, Alias: d.alias, Kind: kind, Err: err}
	}
	return d.wrap(op, err)
}

// Pauses between two looks at a replica that is waited for.
const (
	firstLook = 5 * time.Millisecond
	laterLook = 100 * time.Millisecond
)

// WaitFor returns nil once the server has applied everything up to pos, so that each statement that begins then sees it. It looks again and again,
// at first every 5 ms and later every 100 ms, and holds neither a connection nor a snapshot between two looks. After the timeout, 0 for none, the
// error is a [*BehindError]; when ctx ends it is ctx's cause. A replica whose replication is stopped is waited for too: it may come back. The
// error then says that it was.
//
// nil is only returned where it is certain. A position of another system, of another kind of database, or one that a failover may have lost is a
// [*PositionError] at once, and so is one on a primary that is not in its own log, such as a replica that was promoted without it. The zero
// Position is refused as well. PostgreSQL knows the system and its timeline, MySQL the server of each transaction; MariaDB compares server_id
// and domain, so that two unrelated systems must not share both. What nobody notices are two servers that were promoted from one replica set at
// the same time.
//
// Other errors: those of the connection, at once; [ErrInBlock] inside a block of this database; [ErrNoReplication]; on PostgreSQL
// [ErrPermission] for a user without pg_read_all_stats. The form for MySQL, which needs gtid_mode=ON, is not tested on MySQL.
func (d *DB) WaitFor(ctx context.Context, pos Position, timeout time.Duration) error {
	if timeout < 0 {
		return fmt.Errorf("wait for a position on %q: the timeout %v is negative", d.alias, timeout)
	}
	start := time.Now()
	bounded, cancel := ctx, func() {}
	if timeout > 0 {
		bounded, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	behind := &BehindError{Alias: d.alias, Want: pos}
	again := time.NewTimer(0)
	defer again.Stop()
	for pause := firstLook; ; pause = min(2*pause, laterLook) {
		select {
		case <-again.C:
		case <-bounded.Done():
		}
		var reached bool
		err := bounded.Err()
		if err == nil {
			reached, err = d.look(bounded, pos, behind)
		}
		switch {
		case reached:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case bounded.Err() != nil:
			behind.Waited = time.Since(start)
			return behind
		case err != nil:
			return err
		}
		again.Reset(pause)
	}
}

// look asks the server once whether it has applied pos, and notes where it is.
func (d *DB) look(ctx context.Context, pos Position, at *BehindError) (bool, error) {
	const op = "wait for a position"
	s, err := d.standing(ctx, op)
	switch {
	case err != nil:
		return false, err
	case pos.IsZero():
		return false, &PositionError{Alias: d.alias, Role: roleOf(s), Reason: "it is empty"}
	}
	reached, err := d.dialect.Reached(ctx, d, s, pos.text)
	at.At, at.Reason = Position{s.Position}, s.Stopped
	if at.Reason == "" {
		at.Reason = s.Paused
	}
	if never, ok := errors.AsType[*dialect.IncomparableError](err); ok {
		return false, &PositionError{Alias: d.alias, Position: pos, Role: roleOf(s), Reason: never.Reason}
	}
	return reached, d.wrapUnsure(op, err)
}
