package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// statements is a transaction, or what a program makes of it that prepares each statement by hand.
type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// BenchmarkTx measures statements in one *sql.Tx: as modernc runs them by itself, with the cache, and prepared by hand.
func BenchmarkTx(b *testing.B) {
	insertMany := `INSERT INTO person (name, email, age) VALUES (?, ?, ?)` + strings.Repeat(`, (?, ?, ?)`, 999)
	tests := []struct {
		name string
		step func(s statements, i int) error
	}{
		{"get by id", func(s statements, i int) error {
			var id, age int
			var name, email string
			return s.QueryRowContext(b.Context(), `SELECT id, name, email, age FROM person WHERE id = ?`, i%1000+1).Scan(&id, &name, &email, &age)
		}},
		{"insert a row", func(s statements, i int) error {
			_, err := s.ExecContext(b.Context(), `INSERT INTO person (name, email, age) VALUES (?, ?, ?)`, "Ann", "ann@example.org", i)
			return err
		}},
		{"insert 1000 rows", func(s statements, i int) error {
			args := make([]any, 0, 3000)
			for range 1000 {
				args = append(args, "Ann", "ann@example.org", i)
			}
			_, err := s.ExecContext(b.Context(), insertMany, args...)
			return err
		}},
		{"no text twice", func(s statements, i int) error {
			var name string
			return s.QueryRowContext(b.Context(), fmt.Sprintf(`SELECT name FROM person WHERE id = %d AND age <> -%d`, i%1000+1, i)).Scan(&name)
		}},
	}
	for _, tt := range tests {
		for _, how := range []string{"plain", "cache", "prepared"} {
			if how == "prepared" && tt.name == "no text twice" {
				continue
			}
			b.Run(tt.name+"/"+how, func(b *testing.B) {
				s := benchTx(b, how)
				i := 0
				for b.Loop() {
					if err := tt.step(s, i); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
	}
}

func benchTx(b *testing.B, how string) statements {
	b.Helper()
	f := newFile(b)
	p := f.plain("")
	if how == "cache" {
		p = f.pool(cachingConnector{f.connector("")})
	}
	p.exec(`CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, age INTEGER NOT NULL);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO person (name, email, age) SELECT 'Ann', 'ann@example.org', i FROM n`)
	tx, err := p.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = tx.Rollback() })
	if how == "prepared" {
		return &preparing{tx: tx, b: b}
	}
	return tx
}

// preparing keeps the one statement that it has prepared.
type preparing struct {
	tx   *sql.Tx
	b    *testing.B
	stmt *sql.Stmt
}

func (p *preparing) statement(ctx context.Context, query string) *sql.Stmt {
	if p.stmt == nil {
		var err error
		if p.stmt, err = p.tx.PrepareContext(ctx, query); err != nil {
			p.b.Fatal(err)
		}
	}
	return p.stmt
}

func (p *preparing) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.statement(ctx, query).ExecContext(ctx, args...)
}

func (p *preparing) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.statement(ctx, query).QueryRowContext(ctx, args...)
}
