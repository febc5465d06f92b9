package dialect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/dialect"
)

func TestSplitName(t *testing.T) {
	type ident = dialect.Ident
	tests := []struct {
		name          string
		schema, table ident
		fails         bool
	}{
		{name: `events`, table: ident{Text: "events"}},
		{name: `app.events`, schema: ident{Text: "app"}, table: ident{Text: "events"}},
		{name: `"Events"`, table: ident{Text: "Events", Quoted: true}},
		{name: `app."a.b"`, schema: ident{Text: "app"}, table: ident{Text: "a.b", Quoted: true}},
		{name: `"a""b"."c"`, schema: ident{Text: `a"b`, Quoted: true}, table: ident{Text: "c", Quoted: true}},
		{name: "`a``b`", table: ident{Text: "a`b", Quoted: true}},
		{name: `[a.b]`, table: ident{Text: "a.b", Quoted: true}},
		{name: ``, fails: true},
		{name: `.t`, fails: true},
		{name: `s.`, fails: true},
		{name: `a.b.c`, fails: true},
		{name: `"a`, fails: true},
		{name: `"a"b`, fails: true},
		{name: `""`, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			schema, table, err := dialect.SplitName(tt.name, "\"`[")
			if (err != nil) != tt.fails {
				t.Fatalf("SplitName(%q): error %v, want failure %v", tt.name, err, tt.fails)
			}
			if diff := cmp.Diff([]ident{tt.schema, tt.table}, []ident{schema, table}); diff != "" {
				t.Errorf("SplitName(%q) (-want +got):\n%s", tt.name, diff)
			}
		})
	}
}
