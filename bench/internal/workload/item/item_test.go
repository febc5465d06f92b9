package item

import (
	"database/sql"
	"testing"

	"go.uber.org/goleak"

	"github.com/drover-dev/drover/internal/testdb"
)

func TestMain(m *testing.M) {
	// GORM's cache of prepared statements has a goroutine that nothing ends.
	testdb.Main(m, goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// tiny are sizes with partial batches and pages.
var tiny = Sizes{Rows: 300, Updates: 150, Stream: 310, Memory: 320, Gets: 40, Calls: 101, Batch: 70, Page: 64}

// TestRow pins the rows that other programs make too.
func TestRow(t *testing.T) {
	it := row(1)
	if it.SKU != "SKU-00000001" || it.Name != "Item number 1" || it.Qty != 919 || it.PriceCents != 104829 || !it.Active ||
		it.CategoryID != 1 || it.Note != "note-9e3779b19e3779b19e3779b19e3779b1" || !it.CreatedAt.Equal(epoch.Add(1e9)) {
		t.Errorf("row 1: %+v", it)
	}
	var qty, cents int64
	for i := range 200_000 {
		it := row(i)
		qty += int64(it.Qty)
		cents += it.PriceCents
	}
	if qty != 99_900_000 || cents != 100_037_100_000 {
		t.Errorf("sums %d and %d", qty, cents)
	}
}

// TestSides has every side do every task once, with few rows, and looks at each row afterwards: what is measured is the same work.
func TestSides(t *testing.T) {
	for _, name := range testdb.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, name)
			entries, missing := s.roster(t.Context())
			for _, m := range missing {
				t.Logf("%s: %s", m.name, m.why)
			}
			for _, k := range tasks {
				for _, e := range entries {
					works := e.ways(k)
					if len(works) == 0 && e.without[k] == "" && !k.own {
						t.Errorf("%s does not do %q and does not say why", e.name, k.name)
					}
					for _, w := range works {
						t.Run(k.name+"/"+e.name+"/"+w.how, func(t *testing.T) {
							err := s.once(t.Context(), k, e, w)
							if err == nil {
								err = s.verify(t.Context(), k)
							}
							if err != nil {
								t.Error(err)
							}
						})
					}
				}
			}
		})
	}
}

func newSite(t *testing.T, name string) *site {
	t.Helper()
	d := testdb.Fresh(t, name)
	var admin *sql.DB
	if home := map[string]string{testdb.NamePostgres: "postgres", testdb.NameMariaDB: "mysql"}[name]; home != "" {
		admin = d.Server.Admin(t, home)
	}
	s, err := openSite(d, admin, tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
