package db

import (
	"context"
	"database/sql/driver"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Statement is a statement that is about to be sent.
type Statement struct {
	Alias string
	SQL   string
	Args  []any
}

// Interceptor is called around every statement that goes through a block, or through [DB.Exec], [DB.Query] and [DB.DBTX], with BEGIN,
// COMMIT, ROLLBACK and savepoints among them. It passes the statement on by calling next; returning an error without that keeps the
// statement from the database. It must not send statements to the same block. Statements that other libraries send on the
// pool, outside a block, do not come by.
type Interceptor func(ctx context.Context, s Statement, next func(context.Context) error) error

// intercept calls send inside the interceptors, the first one outermost.
func (d *DB) intercept(ctx context.Context, query string, args []driver.NamedValue, send func(context.Context) error) error {
	if len(d.interceptors) == 0 {
		return send(ctx)
	}
	s := Statement{Alias: d.alias, SQL: query}
	for _, a := range args {
		s.Args = append(s.Args, a.Value)
	}
	return d.interceptFrom(ctx, 0, s, send)
}

func (d *DB) interceptFrom(ctx context.Context, i int, s Statement, send func(context.Context) error) error {
	if i == len(d.interceptors) {
		return send(ctx)
	}
	return d.interceptors[i](ctx, s, func(ctx context.Context) error {
		return d.interceptFrom(ctx, i+1, s, send)
	})
}

// LogStatements returns an interceptor that logs each statement at debug level with its alias, duration and error.
// Parameters are left out: they may be personal data or secrets.
func LogStatements(log *slog.Logger) Interceptor {
	return func(ctx context.Context, s Statement, next func(context.Context) error) error {
		if !log.Enabled(ctx, slog.LevelDebug) {
			return next(ctx)
		}
		start := time.Now()
		err := next(ctx)
		attrs := []slog.Attr{slog.String("database", s.Alias), slog.String("sql", s.SQL), slog.Duration("duration", time.Since(start))}
		if err != nil {
			attrs = append(attrs, slog.Any("error", err))
		}
		log.LogAttrs(ctx, slog.LevelDebug, "statement", attrs...)
		return err
	}
}

// QueryLog keeps the last statements, for tests and debugging. Its zero value keeps none; make one with [NewQueryLog]. It is safe
// for concurrent use.
type QueryLog struct {
	mu      sync.Mutex
	limit   int
	entries []LoggedStatement
	dropped int
	log     *slog.Logger
}

// LoggedStatement is a statement that was sent.
type LoggedStatement struct {
	Statement
	Duration time.Duration
	Err      error
}

// NewQueryLog returns a log of the last limit statements. When the first one is dropped, warn is told once; a nil warn is slog's
// default logger.
func NewQueryLog(limit int, warn *slog.Logger) *QueryLog {
	if warn == nil {
		warn = slog.Default()
	}
	return &QueryLog{limit: limit, log: warn}
}

// Intercept is the log's [Interceptor].
func (l *QueryLog) Intercept(ctx context.Context, s Statement, next func(context.Context) error) error {
	start := time.Now()
	err := next(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, LoggedStatement{s, time.Since(start), err})
	if over := len(l.entries) - l.limit; over > 0 {
		if l.dropped == 0 && l.log != nil {
			l.log.WarnContext(ctx, "query log is full, the oldest statements are dropped", "limit", l.limit)
		}
		l.dropped += over
		l.entries = slices.Delete(l.entries, 0, over)
	}
	return err
}

// Statements returns the statements kept, oldest first.
func (l *QueryLog) Statements() []LoggedStatement {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// Reset forgets all statements.
func (l *QueryLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.dropped = nil, 0
}
