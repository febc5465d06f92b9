package workload

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
)

// statementExtra is what a block may add to a statement.
const statementExtra = 5 * time.Microsecond

var noSavepoint = db.NoSavepoint()

// autoKey is a key that the database counts up.
func (s *site) autoKey() string {
	switch s.Name {
	case testdb.NamePostgres:
		return "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
	case testdb.NameMariaDB:
		return "bigint AUTO_INCREMENT PRIMARY KEY"
	}
	return "INTEGER PRIMARY KEY"
}

// placeholders gives a statement the database's own placeholders.
func (s *site) placeholders(query string) string {
	if s.Name != testdb.NamePostgres {
		return query
	}
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// statements measures one statement inside a block, through each way into the block. An UPDATE that finds no row costs the same
// however often it is run; a SELECT by key reads one row.
func statements(ctx context.Context, s *site) error {
	if err := s.exec(ctx, `CREATE TABLE account (id bigint PRIMARY KEY, name varchar(50) NOT NULL, balance bigint NOT NULL)`); err != nil {
		return err
	}
	err := s.rawTx(ctx, func(tx *sql.Tx) error {
		for i := range 1000 {
			_, err := tx.ExecContext(ctx, s.placeholders(`INSERT INTO account (id, name, balance) VALUES (?, ?, ?)`), i, "account "+strconv.Itoa(i), i)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	const (
		update = `UPDATE account SET balance = ? WHERE id = ?`
		query  = `SELECT name, balance FROM account WHERE id = ?`
	)
	ownUpdate, ownQuery := s.placeholders(update), s.placeholders(query)
	read := func(row interface{ Scan(dest ...any) error }) error {
		var name string
		var balance int64
		return row.Scan(&name, &balance)
	}

	err = s.compare(ctx, "UPDATE in a block", s.options.Plan,
		s.inTx("*sql.Tx", func(ctx context.Context, tx *sql.Tx, i int) error {
			_, err := tx.ExecContext(ctx, ownUpdate, i, -1)
			return err
		}),
		s.inBlock("Exec", func(ctx context.Context, i int) error { return s.conn.Exec(ctx, update, i, -1) }),
		s.inBlock("SQL(ctx)", func(ctx context.Context, i int) error {
			_, err := s.conn.SQL(ctx).ExecContext(ctx, ownUpdate, i, -1)
			return err
		}),
		s.inBlock("DBTX", func(ctx context.Context, i int) error {
			_, err := s.conn.DBTX().ExecContext(ctx, ownUpdate, i, -1)
			return err
		}))
	if err != nil {
		return err
	}
	err = s.compare(ctx, "SELECT of one row in a block", s.options.Plan,
		s.inTx("*sql.Tx", func(ctx context.Context, tx *sql.Tx, i int) error {
			return read(tx.QueryRowContext(ctx, ownQuery, i%1000))
		}),
		s.inBlock("QueryRow", func(ctx context.Context, i int) error { return read(s.conn.QueryRow(ctx, query, i%1000)) }),
		s.inBlock("SQL(ctx)", func(ctx context.Context, i int) error {
			return read(s.conn.SQL(ctx).QueryRowContext(ctx, ownQuery, i%1000))
		}),
		s.inBlock("DBTX", func(ctx context.Context, i int) error {
			return read(s.conn.DBTX().QueryRowContext(ctx, ownQuery, i%1000))
		}))
	if err != nil || s.native == nil {
		return err
	}
	err = s.compare(ctx, "UPDATE in a block", s.options.Plan,
		s.inPGX("pgx.Tx", func(ctx context.Context, tx pgx.Tx, i int) error {
			_, err := tx.Exec(ctx, ownUpdate, i, -1)
			return err
		}),
		s.inBlock("PGX(ctx)", func(ctx context.Context, i int) error {
			tx, err := s.conn.PGX(ctx)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, ownUpdate, i, -1)
			return err
		}))
	if err != nil {
		return err
	}
	return s.compare(ctx, "SELECT of one row in a block", s.options.Plan,
		s.inPGX("pgx.Tx", func(ctx context.Context, tx pgx.Tx, i int) error { return read(tx.QueryRow(ctx, ownQuery, i%1000)) }),
		s.inBlock("PGX(ctx)", func(ctx context.Context, i int) error {
			tx, err := s.conn.PGX(ctx)
			if err != nil {
				return err
			}
			return read(tx.QueryRow(ctx, ownQuery, i%1000))
		}))
}

// inBlock makes a side of a statement that is sent n times in one block of drover's.
func (s *site) inBlock(name string, once func(ctx context.Context, i int) error) measure.Side {
	return measure.Side{Name: name, Extra: statementExtra, Run: func(ctx context.Context, n int) error {
		return s.conn.Atomic(ctx, func(ctx context.Context) error {
			for i := range n {
				if err := once(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}}
}

// inTx makes a side of a statement that is sent n times in one transaction of database/sql.
func (s *site) inTx(name string, once func(ctx context.Context, tx *sql.Tx, i int) error) measure.Side {
	return measure.Side{Name: name, Run: func(ctx context.Context, n int) error {
		return s.rawTx(ctx, func(tx *sql.Tx) error {
			for i := range n {
				if err := once(ctx, tx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}}
}

// inPGX makes a side of a statement that is sent n times in one transaction of pgx.
func (s *site) inPGX(name string, once func(ctx context.Context, tx pgx.Tx, i int) error) measure.Side {
	return measure.Side{Name: name, Run: func(ctx context.Context, n int) error {
		return pgx.BeginFunc(ctx, s.native, func(tx pgx.Tx) error {
			for i := range n {
				if err := once(ctx, tx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}}
}
