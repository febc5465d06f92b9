package rowimage_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/testdb"
)

// made is a table whose columns the database makes by itself wherever it can.
var made = map[string]string{
	testdb.NamePostgres: `CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED, seen timestamptz DEFAULT now())`,
	testdb.NameMariaDB: `CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED, thrice integer AS (n * 3) VIRTUAL,
		hidden integer INVISIBLE DEFAULT 5, seen timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), day datetime ON UPDATE CURRENT_TIMESTAMP)`,
	testdb.NameSQLite: `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED, thrice integer AS (n * 3) VIRTUAL,
		seen timestamp DEFAULT CURRENT_TIMESTAMP)`,
}

// What the database makes by itself is written back as it was: the key 0 of AUTO_INCREMENT, a key that is GENERATED ALWAYS, a time of change.
func TestRestore_MadeColumns(t *testing.T) {
	insert := map[string][]string{
		testdb.NamePostgres: {`INSERT INTO t (id, n, seen) OVERRIDING SYSTEM VALUE VALUES (0, 1, '2020-01-01'), (-5, 2, NULL), (7, NULL, '2020-01-02')`},
		testdb.NameMariaDB: {
			`INSERT INTO t (id, n, seen, day, hidden) VALUES (1, 1, '2020-01-01', NULL, 6), (-5, 2, '2020-01-02', '2020-01-01', 7), (7, NULL, '2020-01-03 04:05:06.7', NULL, NULL)`,
			`UPDATE t SET id = 0, seen = seen, day = day WHERE id = 1`,
		},
		testdb.NameSQLite: {`INSERT INTO t (id, n, seen) VALUES (0, 1, '2020-01-01'), (-5, 2, NULL), (7, NULL, 'whenever')`},
	}
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := newWorld(t, d, made[d.Name])
		w.exec(insert[d.Name]...)
		want := d.Dump(t)
		images := w.stored(w.all(true))
		if slices.Contains(w.images.Columns(), "twice") {
			t.Error("a generated column is part of the image")
		}
		w.block(func(ctx context.Context) error {
			n, err := w.images.Delete(ctx, w.DB, keysOf(images))
			if n != 3 {
				t.Errorf("%d rows were deleted, want 3", n)
			}
			return err
		})
		w.block(func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) })
		w.same(want, images)

		// An undo writes only what the run has changed, and nothing else may change with it.
		w.exec(map[string]string{
			testdb.NamePostgres: `UPDATE t SET n = 9`, testdb.NameMariaDB: `UPDATE t SET n = 9, seen = seen, day = day`, testdb.NameSQLite: `UPDATE t SET n = 9`,
		}[d.Name])
		changed := w.stored(images, "n")
		w.block(func(ctx context.Context) error {
			for _, row := range changed {
				if n, err := w.images.Update(ctx, w.DB, row); n != 1 || err != nil {
					return fmt.Errorf("%d rows: %w", n, err)
				}
			}
			return nil
		})
		w.same(want, images)
		n, err := w.images.Update(t.Context(), w.DB, rowimage.Row{Key: keyset.Values{int64(99)}, Values: images[0].Values}, "n")
		if n != 0 || err != nil {
			t.Errorf("update of a row that is not there: %d rows, error %v", n, err)
		}
		w.same(want, images)
	})
}

// A row is found by the key that it has now, and gets back the one that it had.
func TestUpdate_ChangedKey(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := newWorld(t, d, `CREATE TABLE t (id integer NOT NULL PRIMARY KEY, s varchar(20))`, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
		want, images := d.Dump(t), w.all(false)
		w.exec(`UPDATE t SET id = id + 100, s = 'z'`)
		w.block(func(ctx context.Context) error {
			for _, row := range images {
				row.Key = keyset.Values{row.Key[0].(int64) + 100}
				if n, err := w.images.Update(ctx, w.DB, row); n != 1 || err != nil {
					return fmt.Errorf("%d rows: %w", n, err)
				}
			}
			return nil
		})
		w.same(want, images)
	})
}

// Any finite number of the floating types is read and written to the last bit.
func TestRestore_Floats(t *testing.T) {
	types := map[string][2]string{testdb.NamePostgres: {"float8", "float4"}, testdb.NameMariaDB: {"double", "float"}, testdb.NameSQLite: {"REAL", "REAL"}}
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := newWorld(t, d, fmt.Sprintf(`CREATE TABLE t (id integer NOT NULL PRIMARY KEY, d %s, f %s)`, types[d.Name][0], types[d.Name][1]))
		random := rand.New(rand.NewPCG(3, 4))
		marks := "?, ?, ?"
		if d.Name == testdb.NamePostgres {
			marks = "$1, $2, $3"
		}
		stmt, err := w.raw.PrepareContext(t.Context(), "INSERT INTO t VALUES ("+marks+")")
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		for i := range 1000 {
			x, f := math.Float64frombits(random.Uint64()), math.Float32frombits(random.Uint32())
			for math.IsNaN(x) || math.IsInf(x, 0) || math.Abs(x) < 0x1p-1022 { // MariaDB has no smaller ones
				x = math.Float64frombits(random.Uint64())
			}
			for f != f || math.IsInf(float64(f), 0) || math.Abs(float64(f)) < 0x1p-126 {
				f = math.Float32frombits(random.Uint32())
			}
			if _, err := stmt.ExecContext(t.Context(), i, x, float64(f)); err != nil {
				t.Fatal(err)
			}
		}
		w.exec(`CREATE TABLE was AS SELECT * FROM t`)
		images := w.stored(w.all(false))
		w.exec(`DELETE FROM t`)
		w.block(func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) })
		var same int
		if err := w.raw.QueryRowContext(t.Context(), `SELECT count(*) FROM t JOIN was ON was.id = t.id AND was.d = t.d AND was.f = t.f`).Scan(&same); err != nil || same != 1000 {
			t.Errorf("%d rows are as they were, want 1000; error %v", same, err)
		}
	})
}

// More values than a statement can have, and more bytes, go in several statements.
func TestInsert_ManyAndLarge(t *testing.T) {
	t.Run("values", func(t *testing.T) {
		testdb.Each(t, func(t *testing.T, d testdb.Database) {
			var columns, values []string
			for i := range 200 {
				columns = append(columns, fmt.Sprintf("c%d integer", i))
				values = append(values, fmt.Sprintf("i + %d", i))
			}
			w := newWorld(t, d, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, "+strings.Join(columns, ", ")+")", numbers(d.Name, 400, "i, "+strings.Join(values, ", ")))
			want, images := d.Dump(t), w.all(false)
			w.exec("DELETE FROM t")
			w.block(func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) })
			if d.Dump(t) != want {
				t.Error("the database has changed")
			}
		})
	})
	t.Run("bytes", func(t *testing.T) {
		testdb.Each(t, func(t *testing.T, d testdb.Database) {
			text := map[string]string{testdb.NamePostgres: "text", testdb.NameMariaDB: "longtext", testdb.NameSQLite: "text"}[d.Name]
			w := newWorld(t, d, "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, s "+text+")", numbers(d.Name, 18, "i, 'x'"))
			images := w.all(false)
			for _, row := range images {
				row.Values[1] = strings.Repeat("x", 1<<20)
			}
			w.exec("DELETE FROM t")
			w.block(func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) })
			if got := w.all(false); !slices.EqualFunc(images, got, rowimage.Equal) {
				t.Error("the rows are not what was inserted")
			}
		})
	})
}

func TestWrite_Refuses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, d testdb.Database) {
		w := newWorld(t, d, `CREATE TABLE t (id integer NOT NULL PRIMARY KEY, s varchar(5), day date)`, `INSERT INTO t VALUES (1, 'a', '2026-02-03'), (2, 'b', NULL)`)
		want, images := d.Dump(t), w.all(false)
		part := w.stored(images, "s")
		tests := []struct {
			name string
			do   func(ctx context.Context) error
			says string
		}{
			{"insert of a part", func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, part) }, `holds no column "id"`},
			{"insert of a row that is there", func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) }, "insert 2 rows into table"},
			{"update of an unknown column", func(ctx context.Context) error {
				_, err := w.images.Update(ctx, w.DB, images[0], "zzz")
				return err
			}, `no column "zzz"`},
			{"update of a column that is not held", func(ctx context.Context) error {
				_, err := w.images.Update(ctx, w.DB, part[0], "day")
				return err
			}, `holds no column "day"`},
			{"update with nothing", func(ctx context.Context) error {
				_, err := w.images.Update(ctx, w.DB, rowimage.Row{Key: keyset.Values{int64(1)}, Values: slices.Repeat([]any{rowimage.Absent}, 3)})
				return err
			}, "no columns"},
			{"update of a key in use", func(ctx context.Context) error {
				_, err := w.images.Update(ctx, w.DB, rowimage.Row{Key: keyset.Values{int64(1)}, Values: images[1].Values})
				return err
			}, "update row 1 of table"},
			{"read of half a key", func(ctx context.Context) error {
				_, err := w.images.ReadKeys(ctx, w.DB, []keyset.Values{{int64(1), int64(2)}}, false)
				return err
			}, "has 2 values, not 1"},
			{"delete of half a key", func(ctx context.Context) error {
				_, err := w.images.Delete(ctx, w.DB, []keyset.Values{{}})
				return err
			}, "has 0 values, not 1"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				err := w.Atomic(t.Context(), tt.do)
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %v, want one that says %q", err, tt.says)
				}
				w.same(want, images)
			})
		}
		err := w.Atomic(t.Context(), func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) })
		if !errors.Is(err, db.ErrUnique) {
			t.Errorf("error %v, want db.ErrUnique", err)
		}
		if _, err := w.images.Read(t.Context(), w.DB, "", nil, true); !errors.Is(err, db.ErrNoBlock) {
			t.Errorf("a lock outside of a block: error %v, want db.ErrNoBlock", err)
		}
	})
}

// A trigger that holds a row back would lose it in silence.
func TestInsert_HeldBack(t *testing.T) {
	triggers := map[string][]string{
		testdb.NamePostgres: {
			`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'`,
			`CREATE TRIGGER hold BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION hold()`,
		},
		testdb.NameSQLite: {`CREATE TRIGGER hold BEFORE INSERT ON t WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END`},
	}
	for name, statements := range triggers {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testdb.Fresh(t, name), `CREATE TABLE t (id integer NOT NULL PRIMARY KEY)`, `INSERT INTO t VALUES (1), (2), (3)`)
			images := w.all(false)
			w.exec(append(statements, `DELETE FROM t`)...)
			err := w.Atomic(t.Context(), func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) })
			if err == nil || !strings.Contains(err.Error(), "the database has inserted 2") {
				t.Errorf("error %v", err)
			}
			if left := w.all(false); len(left) != 0 {
				t.Errorf("%d rows are there", len(left))
			}
		})
	}
}

// Whatever becomes of the statement, the session has its settings back.
func TestVerbatim_SettingsComeBack(t *testing.T) {
	w := newWorld(t, testdb.Fresh(t, testdb.NameMariaDB), `CREATE TABLE t (id integer AUTO_INCREMENT PRIMARY KEY, day date)`, `INSERT INTO t VALUES (1, '2026-02-03')`)
	images := w.all(false)
	settings := func(ctx context.Context) (got string) {
		t.Helper()
		if err := w.QueryRow(ctx, `SELECT CONCAT(@@SESSION.sql_mode, ' ', @@SESSION.time_zone)`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	failed := errors.New("failed")
	err := w.Atomic(t.Context(), func(ctx context.Context) error {
		if err := w.Exec(ctx, `SET SESSION sql_mode = 'ANSI_QUOTES', SESSION time_zone = '+05:00'`); err != nil {
			return err
		}
		before := settings(ctx)
		if n, err := w.images.Update(ctx, w.DB, images[0]); n != 1 || err != nil {
			t.Errorf("%d rows, error %v", n, err)
		}
		if got := settings(ctx); got != before {
			t.Errorf("after an update: %s, want %s", got, before)
		}
		err := w.Atomic(ctx, func(ctx context.Context) error { return w.images.Insert(ctx, w.DB, images) })
		if !errors.Is(err, db.ErrUnique) {
			t.Errorf("error %v, want db.ErrUnique", err)
		}
		if got := settings(ctx); got != before {
			t.Errorf("after a failed insert: %s, want %s", got, before)
		}
		if err := w.Exec(ctx, `SET SESSION sql_mode = DEFAULT, SESSION time_zone = '+00:00'`); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
}

// The images of times are the same in every session, whatever its settings are, and are written back in another.
func TestImages_SessionsAgree(t *testing.T) {
	tests := []struct {
		name, create string
		settings     []string
	}{
		{
			testdb.NamePostgres, `CREATE TABLE t (id integer PRIMARY KEY, a date, b timestamp, c timestamptz, d float8, e bytea)`,
			[]string{`SET TimeZone = 'America/New_York'`, `SET DateStyle = 'SQL, DMY'`, `SET extra_float_digits = -10`, `SET bytea_output = 'escape'`},
		},
		{
			testdb.NameMariaDB, `CREATE TABLE t (id integer PRIMARY KEY, a date, b datetime(6), c timestamp(6) NULL, d double, e blob)`,
			[]string{`SET SESSION time_zone = '-05:00'`, `SET SESSION sql_mode = 'NO_ZERO_DATE,NO_ZERO_IN_DATE,STRICT_ALL_TABLES,PAD_CHAR_TO_FULL_LENGTH'`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := testdb.Fresh(t, tt.name)
			w := newWorld(t, d, tt.create, `INSERT INTO t VALUES (1, '2026-03-02', '2026-03-02 04:05:06.5', '2026-11-01 05:30:00.000001', 0.1, 'a'), (2, '2026-03-02', NULL, '2026-11-01 06:30:00', 0.30000000000000004, NULL)`)
			want, images := d.Dump(t), w.all(false)
			pool := d.RawDB(t)
			pool.SetMaxOpenConns(1) // the settings are a session's
			other, err := db.From(pool)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range tt.settings {
				if err := other.Exec(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			got, err := w.images.Read(t.Context(), other, "", nil, false)
			if err != nil {
				t.Fatal(err)
			}
			for i := range images {
				if diff := cmp.Diff(images[i].Values, got[i].Values); diff != "" {
					t.Errorf("the other session reads (-want +got):\n%s", diff)
				}
			}
			w.exec(`DELETE FROM t`)
			if err := other.Atomic(t.Context(), func(ctx context.Context) error { return w.images.Insert(ctx, other, images) }); err != nil {
				t.Fatal(err)
			}
			w.same(want, images)
		})
	}
}

// A locked row is another transaction's to wait for, by whichever way it was read.
func TestRead_Locks(t *testing.T) {
	for _, name := range []string{testdb.NamePostgres, testdb.NameMariaDB} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testdb.Fresh(t, name), `CREATE TABLE t (id integer NOT NULL, s varchar(5) NOT NULL, PRIMARY KEY (id, s))`, `INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
			locked := func() (ids []int64) {
				t.Helper()
				for id := range int64(3) {
					_, err := w.raw.ExecContext(t.Context(), fmt.Sprintf(`SELECT s FROM t WHERE id = %d FOR UPDATE NOWAIT`, id+1))
					if err != nil {
						ids = append(ids, id+1)
					}
				}
				return ids
			}
			w.block(func(ctx context.Context) error {
				if _, err := w.images.Read(ctx, w.DB, " WHERE id < ?", []any{int64(2)}, true); err != nil {
					return err
				}
				if got := locked(); !slices.Equal(got, []int64{1}) {
					t.Errorf("locked after Read: %v", got)
				}
				if _, err := w.images.ReadKeys(ctx, w.DB, []keyset.Values{{int64(3), "c"}}, true); err != nil {
					return err
				}
				if _, err := w.images.ReadKeys(ctx, w.DB, []keyset.Values{{int64(2), "b"}}, false); err != nil {
					return err
				}
				if got := locked(); !slices.Equal(got, []int64{1, 3}) {
					t.Errorf("locked after ReadKeys: %v", got)
				}
				return nil
			})
		})
	}
}
