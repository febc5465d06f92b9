package workload

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/drover-dev/drover/bench/django"
	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestKills kills each side twice on a small SQLite file. What is wrong in the end is wrong in the sheet; what is asserted is only that there is
// a line for each side, and that drover's rows are right.
func TestKills(t *testing.T) {
	var rows [][]string
	o := Options{
		Kills: 2, KillRows: 5000, Module: "../../..",
		Version: func(string) {},
		Sheet: func(s Sheet) {
			t.Logf("%s: %q", s.Title, s.Rows)
			for _, row := range s.Rows {
				if len(row) != len(s.Header) {
					t.Errorf("%q has not the columns %q", row, s.Header)
				}
			}
			rows = append(rows, s.Rows...)
		},
	}
	// Nobody waits here until the lease of a killed process has run out.
	expire := func(ctx context.Context, s *site) error {
		return s.exec(ctx, `UPDATE drover_runs SET lease_until = created_at WHERE state = 'running'`)
	}
	t.Setenv("TMPDIR", os.TempDir()) // the harness changes it; here it is set back at the end
	err := harness.Run(t.Context(), t.TempDir(), func(h *harness.Harness) error {
		s, err := open(t.Context(), h, o, h.Database(testdb.NameSQLite))
		if err != nil {
			return err
		}
		defer s.close()
		k := killer{rounds: 1, killed: expire}
		return k.run(t.Context(), s)
	})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"drover purge", "Django", "drover backfill", "Django", "Django", "Django"}
	if len(rows) != len(names) {
		t.Fatalf("%d lines, want %d", len(rows), len(names))
	}
	_, missing := django.Find(t.Context(), testdb.NameSQLite)
	for i, row := range rows {
		isDrover := strings.HasPrefix(names[i], "drover")
		switch {
		case !strings.HasPrefix(row[1], names[i]):
			t.Errorf("line %d is of %q, want %q", i+1, row[1], names[i])
		case isDrover && (row[3] != "0" || row[4] != "≤ 2000"):
			t.Errorf("%s: %q", row[1], row)
		case !isDrover && (row[3] == "–") != (missing != nil):
			t.Errorf("%s: %q, and Django is missing: %v", row[1], row, missing)
		}
	}
}
