package planfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/planfile"
)

func plan() *planfile.Plan {
	rows := int64(100)
	return &planfile.Plan{
		Made: "2026-11-28T10:00:00Z", By: "me@here", Program: "drover v1", Command: "purge", Arguments: []string{},
		Options:  []planfile.Option{{Name: "where", Values: []string{"a < 'b' AND c > 'ü'"}}},
		Settings: []planfile.Option{}, Database: planfile.Database{Alias: "default", Address: "x.db", Identity: "sqlite file /x.db"},
		Bound: []planfile.Fact{{Name: "SQL", Value: "DELETE"}}, Kept: []planfile.Fact{}, Rows: &rows,
	}
}

func write(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "plan.json")
	if err := planfile.Write(name, plan()); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRead_WhatWasWritten(t *testing.T) {
	name := write(t)
	got, err := planfile.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	want := plan()
	want.Type, want.Format, want.SHA256 = "drover_plan", planfile.Format, got.SHA256
	if diff := cmp.Diff(want, got); diff != "" || len(got.SHA256) != 64 {
		t.Errorf("-want +got:\n%s", diff)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 1 {
		t.Errorf("beside the plan: %v, %v", entries, err)
	}
}

// TestRead_LayoutDoesNotCount reads a plan that a formatter has put on one line.
func TestRead_LayoutDoesNotCount(t *testing.T) {
	name := write(t)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, compact.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := planfile.Read(name); err != nil {
		t.Error(err)
	}
}

// TestRead_Edited changes every value of a plan, and adds and removes one.
func TestRead_Edited(t *testing.T) {
	name := write(t)
	written, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(written, &fields); err != nil {
		t.Fatal(err)
	}
	try := func(what string, want any, change func(fields map[string]any)) {
		var own map[string]any
		if err := json.Unmarshal(written, &own); err != nil {
			t.Fatal(err)
		}
		change(own)
		text, err := json.Marshal(own)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := planfile.Read(name); !errors.As(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for field := range fields {
		switch field {
		case "type":
		case "format":
			try(field, new(*planfile.FormatError), func(f map[string]any) { f[field] = 2 })
		default:
			try(field, new(*planfile.EditedError), func(f map[string]any) { f[field] = "another" })
			try("no "+field, new(*planfile.EditedError), func(f map[string]any) { delete(f, field) })
		}
	}
	try("one more", new(*planfile.EditedError), func(f map[string]any) { f["more"] = 1 })
}

func TestRead_NoPlan(t *testing.T) {
	name := filepath.Join(t.TempDir(), "plan.json")
	if _, err := planfile.Read(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, text := range []string{"", "[]", "{}", `{"type": "other"}`, `{"type": "drover_plan"} {}`, "\x00\x01", `{"type":`} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := planfile.Read(name); !errors.Is(err, planfile.ErrNoPlan) {
			t.Errorf("read %q: %v", text, err)
		}
		if err := planfile.Write(name, plan()); !errors.Is(err, planfile.ErrNoPlan) {
			t.Errorf("write over %q: %v", text, err)
		}
		if now, err := os.ReadFile(name); err != nil || string(now) != text {
			t.Errorf("%q has become %q, %v", text, now, err)
		}
	}
}

func TestWrite_ReplacesPlansOfAnyFormat(t *testing.T) {
	name := write(t)
	if err := os.WriteFile(name, []byte(`{"type": "drover_plan", "format": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := planfile.Write(name, plan()); err != nil {
		t.Fatal(err)
	}
	if _, err := planfile.Read(name); err != nil {
		t.Error(err)
	}
}

func TestDifferences(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(now *planfile.Plan)
		want   []string
	}{
		{"none", func(*planfile.Plan) {}, nil},
		{"database", func(p *planfile.Plan) { p.Database.Identity = "another" }, []string{"database"}},
		{"alias", func(p *planfile.Plan) { p.Database.Alias = "another" }, nil},
		{"bound", func(p *planfile.Plan) { p.Bound[0].Value = "TRUNCATE" }, []string{"SQL"}},
		{"bound to less", func(p *planfile.Plan) { p.Bound = nil }, []string{"SQL"}},
		{"bound to more", func(p *planfile.Plan) { p.Bound = append(p.Bound, planfile.Fact{Name: "file", Value: "x"}) }, []string{"file"}},
		{"20 % more", func(p *planfile.Plan) { *p.Rows = 120 }, nil},
		{"21 % more", func(p *planfile.Plan) { *p.Rows = 121 }, []string{"rows"}},
		{"20 % fewer", func(p *planfile.Plan) { *p.Rows = 80 }, nil},
		{"21 % fewer", func(p *planfile.Plan) { *p.Rows = 79 }, []string{"rows"}},
		{"uncounted", func(p *planfile.Plan) { p.Rows = nil }, nil},
	} {
		now := plan()
		tt.change(now)
		var got []string
		for _, d := range plan().Differences(now) {
			got = append(got, d.What)
			if d.Planned == d.Now {
				t.Errorf("%s: %+v", tt.name, d)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestMoved(t *testing.T) {
	for _, tt := range []struct {
		planned, now int64
		want         string
	}{
		{10, 10, "as many"},
		{0, 3, "there were none"},
		{1000, 1200, "20.0 % more"},
		{100000, 120001, "20.1 % more"},
		{3, 2, "33.4 % fewer"},
		{1, 1 << 62, "many times more"},
	} {
		if got := planfile.Moved(tt.planned, tt.now); !strings.HasPrefix(got, tt.want) {
			t.Errorf("from %d to %d: %q, want %q", tt.planned, tt.now, got, tt.want)
		}
	}
}
