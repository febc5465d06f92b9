package workload

import (
	"os"
	"testing"

	"github.com/drover-dev/drover/bench/internal/harness"
	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/internal/testdb"
)

// TestFiles writes a table to a file and reads it back, with the ready-made program: the file that is written from what was read must be the same, byte
// by byte, which the workloads check. How long it takes is not asserted.
func TestFiles(t *testing.T) {
	t.Setenv("TMPDIR", os.TempDir()) // the harness changes it; here it is set back at the end
	compared := 0
	o := Options{
		ExportRows: 25_000, ExportRounds: 1, Module: "../../..",
		Version: func(string) {},
		Wanted:  func(_, database string) bool { return database != testdb.NameMariaDB },
		Report: func(results []measure.Result) {
			t.Logf("%s on %s: %d sides", results[0].Workload, results[0].Database, len(results))
			compared++
		},
	}
	err := harness.Run(t.Context(), os.TempDir(), func(h *harness.Harness) error {
		return run(t.Context(), h, o, []workload{{"export", exports}, {"import", imports}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if compared != 4 {
		t.Errorf("%d comparisons, want two on each of two databases", compared)
	}
}
