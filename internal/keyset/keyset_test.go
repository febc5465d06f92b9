package keyset_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/dialect/mysql"
	"github.com/drover-dev/drover/internal/dialect/postgres"
	"github.com/drover-dev/drover/internal/dialect/sqlite"
	"github.com/drover-dev/drover/internal/keyset"
)

func exampleTable() *dialect.Table {
	return &dialect.Table{
		Schema: "app", Name: "t", Rows: -1,
		Columns: []dialect.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "day", Raw: `+"day"`}, {Name: "maybe", Nullable: true}},
	}
}

func newKeyset(t *testing.T, d dialect.Dialect, columns ...string) *keyset.Keyset {
	t.Helper()
	k, err := keyset.New(d, exampleTable(), dialect.Key{Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestPredicates(t *testing.T) {
	tests := []struct {
		name                 string
		dialect              dialect.Dialect
		columns              []string
		after, from, through string
		args                 []any // of After, for the cursor 1, 2, 3
	}{
		{
			"one column",
			postgres.Dialect{},
			[]string{"a"},
			`"a" > ?`, `"a" >= ?`, `"a" <= ?`,
			[]any{1},
		},
		{
			"row comparison",
			postgres.Dialect{},
			[]string{"a", "b", "c"},
			`("a", "b", "c") > (?, ?, ?)`, `("a", "b", "c") >= (?, ?, ?)`, `("a", "b", "c") <= (?, ?, ?)`,
			[]any{1, 2, 3},
		},
		{
			"two columns nested",
			mysql.Dialect{},
			[]string{"a", "b"},
			"`a` >= ? AND (`a` > ? OR `b` > ?)", "`a` >= ? AND (`a` > ? OR `b` >= ?)", "`a` <= ? AND (`a` < ? OR `b` <= ?)",
			[]any{1, 1, 2},
		},
		{
			"three columns nested",
			mysql.Dialect{},
			[]string{"a", "b", "c"},
			"`a` >= ? AND (`a` > ? OR (`b` >= ? AND (`b` > ? OR `c` > ?)))",
			"`a` >= ? AND (`a` > ? OR (`b` >= ? AND (`b` > ? OR `c` >= ?)))",
			"`a` <= ? AND (`a` < ? OR (`b` <= ? AND (`b` < ? OR `c` <= ?)))",
			[]any{1, 1, 2, 2, 3},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKeyset(t, tt.dialect, tt.columns...)
			got := []string{k.After().SQL, k.From().SQL, k.Through().SQL}
			if diff := cmp.Diff([]string{tt.after, tt.from, tt.through}, got); diff != "" {
				t.Errorf("predicates (-want +got):\n%s", diff)
			}
			cursor := keyset.Values{1, 2, 3}
			if diff := cmp.Diff(tt.args, k.After().Args(nil, cursor)); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatements(t *testing.T) {
	k := newKeyset(t, postgres.Dialect{}, "b", "a")
	tests := []struct{ name, got, want string }{
		{"first", k.First("x = 1 OR y"), `SELECT "b", "a" FROM "app"."t" WHERE (x = 1 OR y) ORDER BY "b", "a" LIMIT 1`},
		{"last of all", k.Last(""), `SELECT "b", "a" FROM "app"."t" ORDER BY "b" DESC, "a" DESC LIMIT 1`},
		{"page end", k.PageEnd(k.After(), "x", 1000), `SELECT "b", "a" FROM "app"."t" WHERE ("b", "a") > (?, ?) AND ("b", "a") <= (?, ?) AND (x) ORDER BY "b", "a" LIMIT 1 OFFSET 999`},
		{"page end of one column", newKeyset(t, postgres.Dialect{}, "a").PageEnd(newKeyset(t, postgres.Dialect{}, "a").After(), "", 5), `SELECT "a" FROM "app"."t" WHERE "a" > ? AND ("a", 0) <= (?, 0) ORDER BY "a" LIMIT 1 OFFSET 4`},
		{"page end of one column elsewhere", newKeyset(t, sqlite.Dialect{}, "a").PageEnd(newKeyset(t, sqlite.Dialect{}, "a").After(), "", 5), `SELECT "a" FROM "app"."t" WHERE "a" > ? AND "a" <= ? ORDER BY "a" LIMIT 1 OFFSET 4`},
		{"page of all", k.Within(k.From(), ""), ` WHERE ("b", "a") >= (?, ?) AND ("b", "a") <= (?, ?)`},
		{"raw column", newKeyset(t, sqlite.Dialect{}, "day").First(""), `SELECT +"day" FROM "app"."t" ORDER BY "day" LIMIT 1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("statement (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNew_RefusesUnsafeKeys(t *testing.T) {
	for name, key := range map[string]dialect.Key{
		"no columns":     {},
		"unknown column": {Columns: []string{"zzz"}},
		"NULLs":          {Columns: []string{"a", "maybe"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := keyset.New(postgres.Dialect{}, exampleTable(), key); err == nil {
				t.Error("no error")
			}
		})
	}
}
