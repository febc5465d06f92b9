package table_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-dev/drover/internal/testdb"
)

type typesTimes struct {
	ID        int64 `db:"id,pk,auto"`
	At, Plain time.Time
	Zero      time.Time
	Atp       *time.Time
	Nulltime  sql.NullTime
	Nullof    sql.Null[time.Time]
	Day       time.Time
	Dayp      *time.Time
}

// typesStoredTime is a time as it is read.
func typesStoredTime(_ string, value any) any {
	stored := func(v time.Time) time.Time { return v.UTC().Truncate(time.Microsecond) }
	switch v := value.(type) {
	case time.Time:
		return stored(v)
	case *time.Time:
		if v != nil {
			return new(stored(*v))
		}
	case sql.NullTime:
		return sql.NullTime{Time: stored(v.Time), Valid: v.Valid}
	case sql.Null[time.Time]:
		return sql.Null[time.Time]{V: stored(v.V), Valid: v.Valid}
	}
	return value
}

// typesUTC also compares the zone of what was read.
var typesUTC = cmp.Options{cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() })}

func TestTypes_Times(t *testing.T) {
	east, west := time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600+60)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	values := []time.Time{
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 678901999, time.UTC),
		time.Date(2026, 12, 31, 23, 59, 59, 999999999, west),
		time.Date(2026, 1, 1, 0, 0, 0, 1, east),
		time.Date(2026, 10, 25, 2, 30, 0, 0, berlin), // there twice
		time.Date(1969, 12, 31, 23, 59, 59, 999999500, time.UTC),
		time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(1583, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Unix(0, 0),
		time.Now(), // with a monotonic reading
	}
	day := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	at := typesSQL{"timestamptz", "datetime(6)", "datetime"}
	typesEach(t, func(t *testing.T, w *typesWorld) {
		plain := values
		if w.name == testdb.NameMariaDB {
			plain = []time.Time{values[1], values[2], values[4]} // of TIMESTAMP, which begins with 1970 and ends with 2106
		}
		typesGroup[typesTimes]{stored: typesStoredTime, opts: typesUTC, columns: []typesColumn{
			{"At", at, values, false},
			{"Plain", typesSQL{"timestamp", "timestamp(6) NULL", "timestamp"}, plain, false},
			{"Zero", at, []time.Time{{}, time.Unix(0, 0), {}}, false}, // MySQL's driver writes the zero time in its own way
			{"Atp", at, typesPointers(values...), false},
			{"Nulltime", at, []sql.NullTime{{Time: values[2], Valid: true}, {}}, false},
			{"Nullof", at, []sql.Null[time.Time]{{V: values[5], Valid: true}, {}}, false},
			{"Day", typesSQL{"date", "date", "date"}, []time.Time{day(2026, 1, 2), day(1969, 12, 31), day(1600, 2, 29), day(9999, 12, 31)}, false},
			{"Dayp", typesSQL{"date", "date", "date"}, typesPointers(day(2026, 1, 2)), false},
		}}.run(t, w)
	})
}
