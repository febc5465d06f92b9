package table_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

func TestConformance_157_DeleteIsOneStatement(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 10)
		n, err := w.products.Where("qty > ?", 6).Delete(t.Context())
		if n != 4 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		w.wantSent(t, "DELETE")
		w.wantStored(t, rows[:6])
		w.log.Reset()
		n, err = w.products.BulkDelete(t.Context(), rows[2:])
		if n != 4 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		w.wantSent(t, "DELETE")
		w.wantStored(t, rows[:2])
	})
}

func TestConformance_160_ImpossibleFilter(t *testing.T) {
	id := table.Col[product, int64]("id")
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 2)
		for name, none := range map[string]table.Query[product]{
			"Where":  w.products.Where("id IN (?)", []int64{}),
			"Filter": w.products.Filter(id.In()),
			"And":    w.products.Where("qty > ?", 0).Filter(table.And(id.Gt(0), id.In())),
		} {
			ctx := t.Context()
			if n, err := none.Delete(ctx); n != 0 || err != nil {
				t.Errorf("%s: Delete: %d, %v", name, n, err)
			}
			if n, err := none.DeleteBatches(ctx, 10); n != 0 || err != nil {
				t.Errorf("%s: DeleteBatches: %d, %v", name, n, err)
			}
			if n, err := none.Update(ctx, table.Set{"qty": 1}); n != 0 || err != nil {
				t.Errorf("%s: Update: %d, %v", name, n, err)
			}
			if n, err := none.Count(ctx); n != 0 || err != nil {
				t.Errorf("%s: Count: %d, %v", name, n, err)
			}
			if found, err := none.Exists(ctx); found || err != nil {
				t.Errorf("%s: Exists: %v, %v", name, found, err)
			}
			if list, err := none.List(ctx); len(list) > 0 || err != nil {
				t.Errorf("%s: List: %v, %v", name, list, err)
			}
			_, err := none.Get(ctx)
			wantIs(t, err, table.ErrNotFound)
			_, err = none.First(ctx)
			wantIs(t, err, table.ErrNotFound)
			for _, way := range ways {
				for row, err := range none.All(ctx, way.opts...) {
					t.Errorf("%s: %s: %v, %v", name, way.name, row, err)
				}
			}
		}
		w.wantNothingSent(t)
		w.wantStored(t, rows)
	})
}

// dependants are a parent with three kinds of children: those that keep it, those that go with it, and those that may only go with another one.
var dependants = map[string][]string{
	testdb.NamePostgres: {
		`CREATE TABLE artist (id bigint PRIMARY KEY, name varchar(20))`,
		`CREATE TABLE album (id bigint PRIMARY KEY, artist_id bigint NOT NULL REFERENCES artist ON DELETE CASCADE)`,
		`CREATE TABLE song (id bigint PRIMARY KEY, artist_id bigint NOT NULL REFERENCES artist ON DELETE CASCADE, album_id bigint NOT NULL REFERENCES album)`,
		`CREATE TABLE award (id bigint PRIMARY KEY, artist_id bigint NOT NULL, CONSTRAINT award_of FOREIGN KEY (artist_id) REFERENCES artist)`,
	},
	testdb.NameMariaDB: { // which deletes along in the order in which the constraints were made: the songs come first
		`CREATE TABLE artist (id bigint PRIMARY KEY, name varchar(20))`,
		`CREATE TABLE album (id bigint PRIMARY KEY, artist_id bigint NOT NULL)`,
		`CREATE TABLE song (id bigint PRIMARY KEY, artist_id bigint NOT NULL, album_id bigint NOT NULL)`,
		`ALTER TABLE song ADD CONSTRAINT a_song_of FOREIGN KEY (artist_id) REFERENCES artist (id) ON DELETE CASCADE`,
		`ALTER TABLE song ADD CONSTRAINT z_song_on FOREIGN KEY (album_id) REFERENCES album (id)`,
		`ALTER TABLE album ADD CONSTRAINT m_album_of FOREIGN KEY (artist_id) REFERENCES artist (id) ON DELETE CASCADE`,
		`CREATE TABLE award (id bigint PRIMARY KEY, artist_id bigint NOT NULL, CONSTRAINT award_of FOREIGN KEY (artist_id) REFERENCES artist (id))`,
	},
	testdb.NameSQLite: {
		`CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT)`,
		`CREATE TABLE album (id INTEGER PRIMARY KEY, artist_id INTEGER NOT NULL REFERENCES artist ON DELETE CASCADE)`,
		`CREATE TABLE song (id INTEGER PRIMARY KEY, artist_id INTEGER NOT NULL REFERENCES artist ON DELETE CASCADE, album_id INTEGER NOT NULL REFERENCES album)`,
		`CREATE TABLE award (id INTEGER PRIMARY KEY, artist_id INTEGER NOT NULL REFERENCES artist)`,
	},
}

type artist struct {
	ID   int64  `db:"id,pk"`
	Name string `db:"name"`
}

type album struct {
	ID       int64 `db:"id,pk"`
	ArtistID int64 `db:"artist_id"`
}

type song struct {
	ID       int64 `db:"id,pk"`
	ArtistID int64 `db:"artist_id"`
	AlbumID  int64 `db:"album_id"`
}

// withArtists makes the tables, with n artists who have an album with a song each.
func (w *world) withArtists(t *testing.T, n int) []artist {
	t.Helper()
	w.setup(t, dependants[w.on.Name]...)
	if w.on.Name != testdb.NameMariaDB { // which indexes foreign keys by itself
		w.setup(t, "CREATE INDEX album_artist ON album (artist_id)", "CREATE INDEX song_artist ON song (artist_id)",
			"CREATE INDEX song_album ON song (album_id)", "CREATE INDEX award_artist ON award (artist_id)")
	}
	artists, albums, songs := make([]artist, n), make([]album, n), make([]song, n)
	for i := range n {
		id := int64(i + 1)
		artists[i], albums[i], songs[i] = artist{id, fmt.Sprint("artist ", id)}, album{id, id}, song{id, id, id}
	}
	_, err := table.Of[artist](w.DB).BulkCreate(t.Context(), artists)
	noError(t, err)
	_, err = table.Of[album](w.DB).BulkCreate(t.Context(), albums)
	noError(t, err)
	_, err = table.Of[song](w.DB).BulkCreate(t.Context(), songs)
	noError(t, err)
	w.log.Reset()
	return artists
}

func TestConformance_161_ProtectedDependant(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.withArtists(t, 10)
		artists := table.Of[artist](w.DB)
		w.setup(t, "INSERT INTO award VALUES (1, 7)")
		before := w.on.Dump(t)
		calls := map[string]func(ctx context.Context) (int64, error){
			"Delete":        func(ctx context.Context) (int64, error) { return artists.Where("id > ?", 2).Delete(ctx) },
			"BulkDelete":    func(ctx context.Context) (int64, error) { return artists.BulkDelete(ctx, rows) },
			"several":       func(ctx context.Context) (int64, error) { return artists.BatchSize(3).BulkDelete(ctx, rows) },
			"DeleteBatches": func(ctx context.Context) (int64, error) { return artists.Where("id > ?", 5).DeleteBatches(ctx, 20) },
		}
		for name, call := range calls {
			check := func(ctx context.Context) {
				n, err := call(ctx)
				wantIs(t, err, db.ErrForeignKey)
				if n != 0 {
					t.Errorf("%s: %d rows are said to be deleted", name, n)
				}
				if w.on.Name != testdb.NameSQLite { // which names nothing
					if !strings.Contains(fmt.Sprint(err), "award") {
						t.Errorf("%s: the table that keeps the row is not in %v", name, err)
					}
					if own, _ := errAs[*db.Error](err); own == nil || own.Constraint != "award_of" {
						t.Errorf("%s: the constraint is not in %+v", name, own)
					}
				}
				if row, ok := errAs[*table.RowError](err); (name == "BulkDelete" || name == "several") && (!ok || row.Row != 6 || row.Op != "delete" || row.Key != "id 7") {
					t.Errorf("%s: %+v", name, row)
				}
			}
			check(t.Context())
			if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
				t.Errorf("%s: the database has changed (-before +after):\n%s", name, diff)
			}
			// In a block that handles it.
			noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
				noError(t, must(w.Exec(ctx, "INSERT INTO award VALUES (2, 8)"), w.Exec(ctx, "DELETE FROM award WHERE id = 2")))
				_ = w.Atomic(ctx, func(ctx context.Context) error {
					check(ctx)
					return errOops
				})
				_, err := artists.Count(ctx)
				return err
			}))
			if diff := cmp.Diff(before, w.on.Dump(t)); diff != "" {
				t.Errorf("%s in a block: the database has changed (-before +after):\n%s", name, diff)
			}
		}
	})
}

func TestConformance_162_RestrictedButGoesAnyway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.withArtists(t, 3)
		_, err := table.Of[album](w.DB).Where("id = ?", 2).Delete(t.Context())
		wantIs(t, err, db.ErrForeignKey) // its song stays
		n, err := table.Of[artist](w.DB).BulkDelete(t.Context(), rows[:2])
		if n != 2 || err != nil {
			t.Errorf("%d artists deleted, %v", n, err)
		}
		for _, name := range []string{"artist", "album", "song"} {
			if got := w.count(t, "SELECT COUNT(*) FROM "+name); got != 1 {
				t.Errorf("%d rows of %s are left", got, name)
			}
		}
	})
}

func TestConformance_163_DeleteInBatches(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 25)
		var seen []table.Progress
		var left []int
		q := w.products.Where("qty <= ?", 23).Observe(func(p table.Progress) {
			seen = append(seen, p)
			left = append(left, w.count(t, "SELECT COUNT(*) FROM product")) // as others see it: each batch is committed
		})
		n, err := q.DeleteBatches(t.Context(), 10)
		if n != 23 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		want := []table.Progress{{Rows: 10, Batches: 1, Total: -1}, {Rows: 20, Batches: 2, Total: -1}, {Rows: 23, Batches: 3, Total: -1}}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{15, 5, 2}, left); diff != "" {
			t.Errorf("rows left after each batch (-want +got):\n%s", diff)
		}
		if got := w.sentOf("DELETE"); got != 3 || w.sentOf("BEGIN") != 0 {
			t.Errorf("sent %v", w.sent())
		}
		w.wantStored(t, rows[23:])
	})
}

func TestConformance_163_LimitAndBlock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 25)
		n, err := w.products.Limit(12).DeleteBatches(t.Context(), 5)
		if n != 12 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		w.wantStored(t, rows[12:])
		err = w.Atomic(t.Context(), func(ctx context.Context) error {
			n, err := w.products.DeleteBatches(ctx, 5)
			return must(err, expect(n == 13, "%d rows deleted", n), errOops)
		})
		wantIs(t, err, errOops)
		w.wantStored(t, rows[12:]) // the batches are the block's
		for _, size := range []int{0, -1} {
			_, err := w.products.DeleteBatches(t.Context(), size)
			wantIs(t, err, table.ErrBatchSize)
		}
	})
}

// What was deleted before a failure stays deleted, and is told.
func TestConformance_163_StoppedHalfWay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.added(t, 25)
		ctx, cancel := context.WithCancelCause(t.Context())
		n, err := w.products.Observe(func(p table.Progress) {
			if p.Batches == 2 {
				cancel(errOops)
			}
		}).DeleteBatches(ctx, 5)
		if n != 10 || err == nil {
			t.Errorf("%d rows, %v", n, err)
		}
		if got := w.count(t, "SELECT COUNT(*) FROM product"); got != 15 {
			t.Errorf("%d rows are left", got)
		}
		w.wantUsable(t)
	})
}

func TestConformance_165_ManyParents(t *testing.T) {
	calls := map[string]func(ctx context.Context, artists table.Table[artist], rows []artist) (int64, error){
		"Delete": func(ctx context.Context, a table.Table[artist], _ []artist) (int64, error) { return a.Delete(ctx) },
		"BulkDelete": func(ctx context.Context, a table.Table[artist], rows []artist) (int64, error) {
			return a.BulkDelete(ctx, rows)
		},
		"DeleteBatches": func(ctx context.Context, a table.Table[artist], _ []artist) (int64, error) {
			return a.DeleteBatches(ctx, 500)
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				rows := w.withArtists(t, 2000)
				n, err := call(t.Context(), table.Of[artist](w.DB), rows)
				if n != 2000 || err != nil {
					t.Errorf("%d rows, %v", n, err)
				}
				if got := w.count(t, "SELECT (SELECT COUNT(*) FROM artist) + (SELECT COUNT(*) FROM album) + (SELECT COUNT(*) FROM song)"); got != 0 {
					t.Errorf("%d rows are left", got)
				}
				if got := len(w.sent()); got > 20 {
					t.Errorf("%d statements", got)
				}
			})
		})
	}
}

// A list of keys that has more of them than a statement has parameters.
func TestConformance_165_ParameterLimit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 50)
		keys := make([]product, 66_000)
		for i := range keys {
			keys[i].ID = rows[0].ID + int64(i)
		}
		n, err := w.products.BatchSize(100_000).BulkDelete(t.Context(), keys[10:])
		if n != 40 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		w.wantStored(t, rows[:10])
		if got := len(w.sent()); got > 20 {
			t.Errorf("%d statements", got)
		}
	})
}
