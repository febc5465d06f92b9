package table_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// walkOf is the query's walk.
func walkOf[T any](t *testing.T, rows table.Rows[T]) *table.Walk[T] {
	t.Helper()
	var w *table.Walk[T]
	var err error
	switch q := rows.(type) {
	case table.Table[T]:
		w, err = q.Walk()
	case table.Query[T]:
		w, err = q.Walk()
	}
	noError(t, err)
	return w
}

// stored is a key as another process would have it.
func stored(t *testing.T, key keyset.Values) keyset.Values {
	t.Helper()
	if key == nil {
		return nil
	}
	text, err := keyset.Encode(key)
	noError(t, err)
	again, err := keyset.Decode(text)
	noError(t, err)
	return again
}

// checkWalk compares a walk with the rows that it must give, in the order of the key: in pages of every size, by their numbers and by their
// keys, all of which have been stored.
func checkWalk[T any](t *testing.T, w *table.Walk[T], want []T) {
	t.Helper()
	ctx := t.Context()
	keys := make([]keyset.Values, len(want))
	for i, row := range want {
		key, err := w.Key(row)
		noError(t, err)
		keys[i] = stored(t, key)
	}
	for size := 1; size <= len(want)+1; size++ {
		var got []T
		var at keyset.Values
		for {
			page, end, err := w.Page(ctx, at, nil, size, false)
			noError(t, err)
			got = append(got, page...)
			if (end == nil) != (len(page) == 0) {
				t.Fatalf("a page of %d rows ends at %v", len(page), end)
			}
			if end == nil {
				break
			}
			at = stored(t, end)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	first, last, n, err := w.Bounds(ctx)
	noError(t, err)
	if n != int64(len(want)) {
		t.Errorf("%d rows, want %d", n, len(want))
	}
	if first, last = stored(t, first), stored(t, last); n == 0 && (first != nil || last != nil) {
		t.Errorf("no rows from %v to %v", first, last)
	}
	for i := range want {
		nth, err := w.Nth(ctx, first, last, int64(i+1)) // behind the first, so that the last of them is missing
		noError(t, err)
		if i+1 == len(want) {
			if nth != nil {
				t.Errorf("there are only %d rows, and number %d is at %v", len(want), i+2, nth)
			}
			break
		}
		nth = stored(t, nth)
		if n, err := w.Count(ctx, nil, nth); err != nil || n != int64(i+2) {
			t.Errorf("%d rows through row %d, %v", n, i+2, err)
		}
		if n, err := w.Count(ctx, nth, last); err != nil || n != int64(len(want)-i-2) {
			t.Errorf("%d rows behind row %d, %v", n, i+2, err)
		}
		page, _, err := w.Page(ctx, first, nth, len(want), false)
		noError(t, err)
		if diff := cmp.Diff(want[1:i+2], page); diff != "" {
			t.Errorf("from the first to row %d (-want +got):\n%s", i+2, diff)
		}
	}
	slices.Reverse(keys)
	again, err := w.ByKeys(ctx, keys, false)
	noError(t, err)
	slices.Reverse(again)
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("by keys (-want +got):\n%s", diff)
	}
}

// inOrder adds rows and gives them in the database's order of their keys.
func inOrder[T any](t *testing.T, rows table.Table[T], given []T, key ...string) []T {
	t.Helper()
	n, err := rows.BulkCreate(t.Context(), given)
	noError(t, err)
	list, err := rows.OrderBy(key...).List(t.Context())
	noError(t, err)
	if len(list) != len(given) || int(n) != len(given) {
		t.Fatalf("%d rows of %d", len(list), len(given))
	}
	return list
}

func TestWalk_KeysOfEveryKind(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type event struct {
		Region string    `db:"region,pk"`
		At     time.Time `db:"at,pk"`
		N      int64     `db:"n"`
	}
	typesEach(t, func(t *testing.T, w *typesWorld) {
		t.Run("number", func(t *testing.T) {
			rows := typesKeyTable[int64](t, w, "bigint")
			checkWalk(t, walkOf[typesKeyed[int64]](t, rows), inOrder(t, rows, []typesKeyed[int64]{{-5, 1}, {0, 2}, {1 << 62, 3}, {7, 4}}, "key"))
		})
		t.Run("text", func(t *testing.T) {
			collated := typesSQL{`text COLLATE "und-x-icu"`, "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", "text COLLATE NOCASE"}
			rows := typesKeyTable[string](t, w, collated.of(w))
			var given []typesKeyed[string]
			for i, key := range []string{"a", "B", "c", "Z", "", "_", "it's", `back\slash`, "漢", "x y"} {
				given = append(given, typesKeyed[string]{key, int64(i)})
			}
			checkWalk(t, walkOf[typesKeyed[string]](t, rows), inOrder(t, rows, given, "key"))
		})
		t.Run("uuid", func(t *testing.T) {
			rows := typesKeyTable[uuid.UUID](t, w, typesSQL{"uuid", "uuid", "text"}.of(w))
			var given []typesKeyed[uuid.UUID]
			for i := range 8 {
				given = append(given, typesKeyed[uuid.UUID]{uuid.NewSHA1(uuid.Nil, []byte{byte(i)}), int64(i)})
			}
			checkWalk(t, walkOf[typesKeyed[uuid.UUID]](t, rows), inOrder(t, rows, given, "key"))
		})
		t.Run("bytes", func(t *testing.T) {
			rows := typesKeyTable[typesRawUUID](t, w, typesSQL{"bytea", "binary(16)", "blob"}.of(w))
			checkWalk(t, walkOf[typesKeyed[typesRawUUID]](t, rows), inOrder(t, rows, []typesKeyed[typesRawUUID]{{typesRawUUID{0: 200}, 1}, {typesRawUUID{}, 2}, {typesRawUUID{15: 3}, 3}}, "key"))
		})
		t.Run("time", func(t *testing.T) {
			rows := typesKeyTable[time.Time](t, w, typesSQL{"timestamptz", "datetime(6)", "datetime"}.of(w))
			var given []typesKeyed[time.Time]
			for i, d := range []time.Duration{0, time.Microsecond, time.Second, 100 * time.Millisecond, -time.Hour} {
				given = append(given, typesKeyed[time.Time]{at.Add(d), int64(i)})
			}
			checkWalk(t, walkOf[typesKeyed[time.Time]](t, rows), inOrder(t, rows, given, "key"))
		})
		t.Run("two columns", func(t *testing.T) {
			column := typesSQL{"timestamptz", "datetime(6)", "datetime"}.of(w)
			w.exec(t, "CREATE TABLE event (n bigint NOT NULL, region varchar(10) NOT NULL, at "+column+" NOT NULL, PRIMARY KEY (region, at))")
			rows := table.Of[event](w.DB)
			var given []event
			for i := range 9 {
				given = append(given, event{[]string{"eu", "us", "asia"}[i%3], at.Add(time.Duration(i*7%4)*time.Second).AddDate(0, 0, i), int64(i)})
			}
			walk := walkOf[event](t, rows)
			list := inOrder(t, rows, given, "region", "at")
			checkWalk(t, walk, list)
			checkWalk(t, walkOf[event](t, rows.Where("n > ? OR n = ?", 4, 1).Where("region <> ?", "us")), slices.DeleteFunc(list, func(e event) bool {
				return e.N <= 4 && e.N != 1 || e.Region == "us"
			}))
			if diff := cmp.Diff([]string{"region", "at"}, walk.KeyColumns()); diff != "" || walk.Table() != "event" {
				t.Errorf("table %s, key (-want +got):\n%s", walk.Table(), diff)
			}
		})
	})
}

func TestWalk_Empty(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		checkWalk(t, walkOf[product](t, w.products), nil)
		w.log.Reset()
		checkWalk(t, walkOf[product](t, w.products.Where("id IN (?)", []int64{})), nil)
		w.wantNothingSent(t)
		walk := walkOf[product](t, w.products)
		if nth, err := walk.Nth(t.Context(), nil, nil, 1); nth != nil || err != nil {
			t.Errorf("the first of no rows is at %v, %v", nth, err)
		}
	})
}

func TestWalk_Statements(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 250)
		walk := walkOf[product](t, w.products)
		ctx := t.Context()
		_, end, err := walk.Page(ctx, nil, nil, 200, false)
		noError(t, err)
		w.wantSent(t, "SELECT")
		_, err = walk.Count(ctx, end, nil)
		noError(t, err)
		_, err = walk.Nth(ctx, nil, end, 7)
		noError(t, err)
		w.wantSent(t, "SELECT", "SELECT", "SELECT")
		w.log.Reset()
		var keys []keyset.Values
		for _, p := range rows {
			key, err := walk.Key(p)
			noError(t, err)
			keys = append(keys, key)
		}
		w.wantNothingSent(t)
		slices.Reverse(keys)
		keys = slices.Insert(keys, 3, keyset.Values{int64(1 << 40)}, keys[0])
		got, err := walk.ByKeys(ctx, keys, false)
		noError(t, err)
		w.wantSent(t, "SELECT", "SELECT", "SELECT")
		slices.Reverse(rows)
		wantRows(t, "by keys", rows, got)
		w.log.Reset()
		_, err = walk.ByKeys(ctx, nil, false)
		noError(t, err)
		w.wantNothingSent(t)
	})
}

// Rows that come in behind the page are for a later one, those before it for none, and no page has a row twice.
func TestWalk_InsertsMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var given []product
		for i := range 40 {
			p := one(i)
			p.ID = int64(10 * (i + 1))
			given = append(given, p)
		}
		_, err := w.products.BulkCreate(t.Context(), given)
		noError(t, err)
		walk := walkOf[product](t, w.products)
		_, last, n, err := walk.Bounds(t.Context())
		noError(t, err)
		if n != 40 || !last.Equal(keyset.Values{int64(400)}) {
			t.Fatalf("%d rows to %v", n, last)
		}
		var seen []int64
		var at keyset.Values
		for page := 0; ; page++ {
			rows, end, err := walk.Page(t.Context(), at, last, 7, false)
			noError(t, err)
			if end == nil {
				break
			}
			for _, p := range rows {
				seen = append(seen, p.ID)
			}
			at = end
			end0 := end[0].(int64)
			w.setup(t,
				fmt.Sprintf("INSERT INTO product (id, sku, qty) VALUES (%d, 'before%d', 1)", end0-1, page),
				fmt.Sprintf("INSERT INTO product (id, sku, qty) VALUES (%d, 'behind%d', 1)", end0+1, page),
				fmt.Sprintf("INSERT INTO product (id, sku, qty) VALUES (%d, 'last%d', 1)", 1000+page, page))
		}
		if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
			t.Errorf("the pages have %v", seen)
		}
		for _, p := range given {
			if !slices.Contains(seen, p.ID) {
				t.Errorf("no page has %d", p.ID)
			}
		}
		// Each page but the last, which ends at the bound, was followed by a row of the next.
		behind := 0
		for _, id := range seen {
			if id%10 == 1 {
				behind++
			}
		}
		if want := len(seen) - len(given); behind != want || behind < 5 || seen[len(seen)-1] != 400 {
			t.Errorf("%d rows came in behind a page, want %d: %v", behind, want, seen)
		}
	})
}

func TestWalk_Lock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		rows := w.added(t, 6)
		walk := walkOf[product](t, w.products)
		key := keyset.Values{rows[2].ID}
		_, _, err := walk.Page(t.Context(), nil, nil, 3, true)
		wantIs(t, err, table.ErrLockOutsideBlock)
		_, err = walk.ByKeys(t.Context(), []keyset.Values{key}, true)
		wantIs(t, err, table.ErrLockOutsideBlock)
		w.log.Reset()
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			got, end, err := walk.Page(ctx, nil, nil, 3, true)
			noError(t, err)
			wantRows(t, "locked", rows[:3], got)
			if !end.Equal(key) {
				t.Errorf("the page ends at %v", end)
			}
			byKeys, err := walk.ByKeys(ctx, []keyset.Values{key}, true)
			noError(t, err)
			wantRows(t, "locked by key", rows[2:3], byKeys)
			if w.on.Name == testdb.NameSQLite {
				return nil // nobody else could write
			}
			return w.Atomic(t.Context(), func(other context.Context) error {
				free, err := w.products.Where("id IN (?)", []int64{rows[2].ID, rows[3].ID}).ForUpdate(table.SkipLocked).List(other)
				wantRows(t, "not locked", rows[3:4], free)
				return err
			})
		}))
		want := map[string]int{"UPDATE": 2, "UPDATE SKIP LOCKED": 1}
		if w.on.Name == testdb.NameSQLite {
			want = map[string]int{}
		}
		if diff := cmp.Diff(want, w.locks()); diff != "" {
			t.Errorf("locks (-want +got):\n%s", diff)
		}
		// The query's own options are the walk's.
		noError(t, w.Atomic(t.Context(), func(ctx context.Context) error {
			own := walkOf[product](t, w.products.ForUpdate(table.NoWait))
			w.log.Reset()
			_, _, err := own.Page(ctx, nil, nil, 3, true)
			noError(t, err)
			_, _, err = own.Page(ctx, nil, nil, 3, false)
			noError(t, err)
			_, _, _, err = own.Bounds(ctx)
			noError(t, err)
			return nil
		}))
		if w.on.Name != testdb.NameSQLite {
			want = map[string]int{"UPDATE NOWAIT": 1}
		}
		if diff := cmp.Diff(want, w.locks()); diff != "" {
			t.Errorf("locks of its own kind (-want +got):\n%s", diff)
		}
	})
}

// locks counts the statements that lock rows, by how they do.
func (w *world) locks() map[string]int {
	kinds := map[string]int{}
	for _, s := range w.log.Statements() {
		if _, kind, ok := strings.Cut(s.SQL, " FOR "); ok {
			kinds[kind]++
		}
	}
	return kinds
}
