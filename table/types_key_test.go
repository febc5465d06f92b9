package table_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/table"
)

// typesRowOf checks which row an error is about, and its kind.
func typesRowOf(t *testing.T, err error, row int, kind db.Kind) {
	t.Helper()
	own, ok := errors.AsType[*table.RowError](err)
	if !ok || own.Row != row || !errors.Is(err, kind) {
		t.Errorf("the error is %v (%T), want a RowError of row %d and the kind %v", err, err, row, kind)
	}
}

// typesKeyed is a row with a key of any type.
type typesKeyed[K comparable] struct {
	Key K     `db:"key,pk"`
	N   int64 `db:"n"`
}

// typesKeyTable makes a table with a key of that type.
func typesKeyTable[K comparable](t *testing.T, w *typesWorld, column string) table.Table[typesKeyed[K]] {
	t.Helper()
	w.tables++
	name := fmt.Sprintf("types_key_%d", w.tables)
	w.exec(t, fmt.Sprintf("CREATE TABLE %s (%s %s NOT NULL PRIMARY KEY, n bigint NOT NULL)", name, w.Dialect().Quote("key"), column))
	return table.Of[typesKeyed[K]](w.DB, table.Name(name))
}

// typesKeys walks a table by keys of a type in both directions and in pages of every size, in the database's own order of them, and finds
// its rows by their keys. same compares keys as they come back with those that went in.
func typesKeys[K comparable](t *testing.T, w *typesWorld, columns typesSQL, keys []K, same cmp.Options) {
	t.Helper()
	column := columns.of(w)
	if column == "" {
		return
	}
	t.Run(fmt.Sprintf("%T in %s", *new(K), column), func(t *testing.T) {
		ctx, rows := t.Context(), typesKeyTable[K](t, w, column)
		given := make([]typesKeyed[K], len(keys))
		for i, k := range keys {
			given[i] = typesKeyed[K]{k, int64(i)}
		}
		if n, err := rows.BulkCreate(ctx, given); err != nil || n != int64(len(keys)) {
			t.Fatalf("%d created, %v", n, err)
		}
		want, err := rows.OrderBy("key").List(ctx)
		if err != nil || len(want) != len(keys) {
			t.Fatalf("%d rows, %v", len(want), err)
		}
		for _, row := range want {
			if diff := cmp.Diff(keys[row.N], row.Key, same); diff != "" {
				t.Errorf("key %d (-want +got):\n%s", row.N, diff)
			}
		}
		typesWalk(t, rows, want)
		for i := range want {
			want[i].N += 1000
		}
		if n, err := rows.BulkUpdate(ctx, want, "n"); err != nil || n != int64(len(want)) {
			t.Errorf("%d of %d updated, %v", n, len(want), err)
		}
		found, err := table.InBulk(ctx, rows, keys)
		if err != nil || len(found) != len(keys) {
			t.Errorf("%d of %d found in bulk, %v", len(found), len(keys), err)
		}
		for _, row := range want {
			if got, err := rows.Where(w.Dialect().Quote("key")+" = ?", row.Key).Get(ctx); err != nil || got.N != row.N {
				t.Errorf("key %v: %v, %v", row.Key, got, err)
			}
		}
		again := slices.Clone(want)
		for i := range again {
			again[i].N += 1000
		}
		if n, err := rows.Upsert(ctx, again, []string{"key"}); err != nil || n != int64(len(again)) {
			t.Errorf("%d of %d upserted, %v", n, len(again), err)
		}
		if n, err := rows.Where("n >= ?", 2000).Count(ctx); err != nil || n != int64(len(again)) {
			t.Errorf("%d of %d rows were updated by the upsert, %v", n, len(again), err)
		}
		if n, err := rows.BulkDelete(ctx, want[:2]); err != nil || n != 2 {
			t.Errorf("%d of 2 deleted, %v", n, err)
		}
		if n, err := rows.Limit(1).DeleteBatches(ctx, 1); err != nil || n != 1 {
			t.Errorf("%d of 1 deleted, %v", n, err)
		}
		if n, err := rows.DeleteBatches(ctx, 2); err != nil || n != int64(len(want)-3) {
			t.Errorf("%d of %d deleted, %v", n, len(want)-3, err)
		}
	})
}

func typesWalk[K comparable](t *testing.T, rows table.Table[typesKeyed[K]], want []typesKeyed[K]) {
	t.Helper()
	numbers := func(list []typesKeyed[K]) (all []int64) {
		for _, row := range list {
			all = append(all, row.N)
		}
		return all
	}
	back := slices.Clone(want)
	slices.Reverse(back)
	for _, size := range []int{1, 2, 3, len(want), len(want) + 1} {
		for order, expected := range map[string][]typesKeyed[K]{"key": want, "-key": back} {
			got, err := propCollect(rows.OrderBy(order).All(t.Context(), table.ByKey(), table.PageSize(size)))
			if diff := cmp.Diff(numbers(expected), numbers(got)); diff != "" || err != nil {
				t.Errorf("by %s in pages of %d: %v (-want +got):\n%s", order, size, err, diff)
			}
			column, err := propCollect(table.Column[int64](rows.OrderBy(order), "n").All(t.Context(), table.ByKey(), table.PageSize(size)))
			if diff := cmp.Diff(numbers(expected), column); diff != "" || err != nil {
				t.Errorf("a column by %s in pages of %d: %v (-want +got):\n%s", order, size, err, diff)
			}
		}
	}
}

var typesTextKeys = []string{"a", "B", "b", "C", "Z", "z", "é", "e", "f", "É", "ß", "ss1", "_", "-", "0", "10", "9", `it's`, `back\slash`, "x y", "xy", "Ж", "ж", "漢"}

func TestTypes_TextKeys(t *testing.T) {
	folded := slices.DeleteFunc(slices.Clone(typesTextKeys), func(k string) bool { return slices.Contains([]string{"B", "Z", "é", "É", "ß", "Ж"}, k) })
	latin := slices.DeleteFunc(slices.Clone(typesTextKeys), func(k string) bool { return slices.Contains([]string{"Ж", "ж", "漢"}, k) })
	typesEach(t, func(t *testing.T, w *typesWorld) {
		for _, columns := range []typesSQL{
			{"text", "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "text"},
			{`text COLLATE "C"`, "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", "varchar(40)"},
			{"varchar(40)", "", ""},
		} {
			typesKeys(t, w, columns, typesTextKeys, nil)
			typesKeys(t, w, columns, append([]string{""}, typesTextKeys...), nil)
		}
		for _, columns := range []typesSQL{
			{"", "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "text COLLATE NOCASE"},
			{"", "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", ""},
			{"", "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci", ""},
			{"", "varchar(40) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci", ""},
			{"", "char(40) CHARACTER SET ucs2", ""},
		} {
			typesKeys(t, w, columns, folded, nil)
		}
		typesKeys(t, w, typesSQL{"", "varchar(40) CHARACTER SET latin1 COLLATE latin1_bin", ""}, latin, nil)
		typesKeys(t, w, typesSQL{"", "varchar(40) CHARACTER SET latin1 COLLATE latin1_swedish_ci", ""}, folded[:12], nil)
		typesKeys(t, w, typesSQL{"", "varchar(40) CHARACTER SET ascii COLLATE ascii_general_ci", ""}, []string{"a", "b", "c1", "_", "0"}, nil)
		if w.name == testdb.NamePostgres {
			w.exec(t, `CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
			typesKeys(t, w, typesPostgres("text COLLATE folded"), folded, nil)
			typesKeys(t, w, typesPostgres(`text COLLATE "de-x-icu"`), typesTextKeys, nil)
		}
	})
}

func TestTypes_OtherKeys(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	times := []time.Time{
		at, at.Add(time.Microsecond), at.Add(-time.Microsecond), at.Add(100 * time.Millisecond), at.Add(time.Second),
		at.AddDate(-100, 0, 0), time.Unix(0, 0).UTC(), time.Unix(-1, 500_000_000).UTC(), at.AddDate(1000, 0, 0),
	}
	typesEach(t, func(t *testing.T, w *typesWorld) {
		typesKeys(t, w, typesSQL{"timestamptz", "datetime(6)", "datetime"}, times, nil)
		typesKeys(t, w, typesSQL{"timestamp", "", "timestamp"}, times, nil)
		days := []time.Time{time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}
		typesKeys(t, w, typesSQL{"date", "date", "date"}, append(days, days[0].AddDate(1, 0, 0)), nil)
		ids := []uuid.UUID{uuid.Nil, uuid.Max}
		for i := range 8 {
			ids = append(ids, uuid.NewSHA1(uuid.Nil, []byte{byte(i)}))
		}
		typesKeys(t, w, typesSQL{"uuid", "uuid", "text"}, ids, nil)
		typesKeys(t, w, typesSQL{"text", "char(36)", "char(36)"}, ids, nil)
		typesKeys(t, w, typesSQL{"uuid", "char(36) CHARACTER SET latin1", "blob"}, ids, nil)
		raw := make([]typesRawUUID, len(ids))
		for i, id := range ids {
			raw[i] = typesRawUUID(id)
		}
		typesKeys(t, w, typesSQL{"bytea", "binary(16)", "blob"}, raw, nil)
		typesKeys(t, w, typesSQL{"numeric(30,10)", "decimal(30,10)", ""}, []string{"1.0000000000", "-12345678901234567890.0123456789", "10.0000000000"}, nil)
	})
}

// A UUID in a column of bytes is its text, whatever the way of writing it: only the type uuid has another form.
func TestTypes_UUIDAsBytes(t *testing.T) {
	typesEach(t, func(t *testing.T, w *typesWorld) {
		if w.name == testdb.NameSQLite {
			return // whose columns take text and bytes alike
		}
		rows := typesKeyTable[[16]byte](t, w, typesSQL{"bytea", "varbinary(36)", ""}.of(w))
		key := func(n byte) typesKeyed[[16]byte] { return typesKeyed[[16]byte]{[16]byte{15: n}, int64(n)} }
		ctx := t.Context()
		wrote := func(way string, n int64, err error, want int64) {
			t.Helper()
			if err != nil || n != want {
				t.Errorf("%s: %d rows of %d, %v", way, n, want, err)
			}
		}
		wrote("create one", 1, rows.Create(ctx, new(key(1))), 1)
		n, err := rows.BulkCreate(ctx, []typesKeyed[[16]byte]{key(2), key(3)})
		wrote("create", n, err, 2)
		n, err = rows.BulkCreate(ctx, []typesKeyed[[16]byte]{key(4), key(5)}, table.IgnoreConflicts())
		wrote("create with conflicts", n, err, 2)
		n, err = rows.Upsert(ctx, []typesKeyed[[16]byte]{key(1), key(5), key(6)}, []string{"key"})
		wrote("upsert", n, err, 3)
		_, created, err := rows.GetOrCreate(ctx, table.Key{"key": key(7).Key}, nil)
		wrote("get or create", 1, err, 1)
		again, twice, err := rows.GetOrCreate(ctx, table.Key{"key": key(3).Key}, nil)
		if !created || twice || err != nil || again.N != 3 {
			t.Errorf("get or create: %v, %v, %v, %v", created, twice, again, err)
		}
		n, err = rows.BulkUpdate(ctx, []typesKeyed[[16]byte]{key(1), key(2), key(7)}, "n")
		wrote("update", n, err, 3)
		found, err := table.InBulk(ctx, rows, [][16]byte{key(1).Key, key(7).Key, key(99).Key})
		wrote("in bulk", int64(len(found)), err, 2)
		n, err = rows.Where("octet_length(" + w.Dialect().Quote("key") + ") = 36").Count(ctx)
		wrote("36 bytes", n, err, 7)
		n, err = rows.Where(w.Dialect().Quote("key")+" IN (?)", [][16]byte{key(1).Key, key(2).Key}).Delete(ctx)
		wrote("delete", n, err, 2)
		n, err = rows.BulkDelete(ctx, []typesKeyed[[16]byte]{key(3), key(4), key(99)})
		wrote("bulk delete", n, err, 2)
	})
}

// An update by a text key looks the rows up by the key: it does not read the whole table.
func TestTypes_UpdateUsesTheKey(t *testing.T) {
	for _, column := range []string{
		"varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
		"varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", "varchar(40) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
		"varchar(40) CHARACTER SET latin1 COLLATE latin1_bin", "varchar(40) CHARACTER SET ascii COLLATE ascii_bin", "char(36) CHARACTER SET utf8mb3", "uuid",
	} {
		t.Run(column, func(t *testing.T) {
			d := testdb.Fresh(t, testdb.NameMariaDB)
			log := db.NewQueryLog(100, nil)
			conn, err := db.Open(t.Context(), d.URL, db.Intercept(log.Intercept))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			rows := typesKeyTable[string](t, &typesWorld{DB: conn, name: d.Name}, column)
			all := make([]typesKeyed[string], 3000)
			for i := range all {
				all[i] = typesKeyed[string]{uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)).String(), int64(i)}
			}
			if _, err := rows.BulkCreate(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			some := slices.Clone(all[100:103])
			for i := range some {
				some[i].N = -1
			}
			log.Reset()
			if n, err := rows.BulkUpdate(t.Context(), some, "n"); err != nil || n != 3 {
				t.Fatalf("%d of 3 updated, %v", n, err)
			}
			if n, err := rows.Where("n = -1").Count(t.Context()); err != nil || n != 3 {
				t.Errorf("%d of 3 rows have the new value, %v", n, err)
			}
			for _, plan := range typesPlan(t, conn, log, some) {
				if plan.Table == "t" && (plan.Key == nil || *plan.Key != "PRIMARY" || plan.Type == "ALL" || plan.Type == "index") {
					t.Errorf("the table is read by %s of %v (%v rows)", plan.Type, plan.Key, plan.Rows)
				}
			}
		})
	}
}

// typesStep is a line of EXPLAIN.
type typesStep struct {
	Table, Type string
	Key         *string
	Rows        any
}

// typesPlan explains the update that was sent.
func typesPlan(t *testing.T, conn *db.DB, log *db.QueryLog, rows []typesKeyed[string]) (plan []typesStep) {
	t.Helper()
	i := slices.IndexFunc(log.Statements(), func(s db.LoggedStatement) bool { return strings.HasPrefix(s.SQL, "UPDATE") })
	if i < 0 {
		t.Fatalf("no update was sent: %v", log.Statements())
	}
	var document [][]any
	for _, row := range rows {
		document = append(document, []any{row.Key, row.N})
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := table.Raw[map[string]any](conn, "EXPLAIN "+log.Statements()[i].SQL, string(text)).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		step := typesStep{Table: fmt.Sprint(line["table"]), Type: fmt.Sprint(line["type"]), Rows: line["rows"]}
		if key, ok := line["key"].(string); ok {
			step.Key = &key
		}
		plan = append(plan, step)
	}
	if len(plan) < 2 {
		t.Fatalf("the plan is %v", lines)
	}
	return plan
}

// A loop over pages may write to the rows that it reads, also to those of the next page.
func TestTypes_KeyWalkWhileWriting(t *testing.T) {
	typesEach(t, func(t *testing.T, w *typesWorld) {
		rows := typesKeyTable[string](t, w, typesSQL{"text", "varchar(40)", "text"}.of(w))
		keys := make([]typesKeyed[string], 20)
		for i := range keys {
			keys[i] = typesKeyed[string]{fmt.Sprintf("k%02d", i), 0}
		}
		if _, err := rows.BulkCreate(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		seen := 0
		err := w.Atomic(t.Context(), func(ctx context.Context) error {
			for row, err := range rows.All(ctx, table.PageSize(3)) {
				if err != nil {
					return err
				}
				seen++
				row.N++
				if err := rows.Save(ctx, &row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || seen != len(keys) {
			t.Errorf("%d rows, %v", seen, err)
		}
		if n, err := rows.Where("n = 1").Count(t.Context()); err != nil || n != int64(len(keys)) {
			t.Errorf("%d rows were written once, %v", n, err)
		}
	})
}
