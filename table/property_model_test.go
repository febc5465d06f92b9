package table_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/drover-dev/drover/db"
)

// propBody is what the rows of the tables have beside their keys.
type propBody struct {
	Mark  int64      `db:"mark"` // tells the rows of the test apart
	Code  *string    `db:"code"` // unique
	Name  string     `db:"name"`
	Qty   int32      `db:"qty"` // not negative
	Twice int32      `db:"twice,generated"`
	Score *float64   `db:"score"`
	Seen  *time.Time `db:"seen"`
	Kind  string     `db:"kind,omitzero"` // 'plain' by default
}

// propItem has a key that the database makes, and propPart one of two columns.
type propItem struct {
	ID int64 `db:"id,pk,auto"`
	propBody
}

type propPart struct {
	Region string `db:"region,pk"`
	No     int32  `db:"no,pk"`
	propBody
}

// propKey is the key of a row of either table.
type propKey struct {
	region string
	no     int64
}

func (k propKey) compare(other propKey) int {
	return cmp.Or(cmp.Compare(k.region, other.region), cmp.Compare(k.no, other.no))
}

// propRow is a row of either table.
type propRow[T any] interface {
	*T
	body() *propBody
	key() propKey
	setKey(propKey)
}

func (r *propItem) body() *propBody  { return &r.propBody }
func (r *propItem) key() propKey     { return propKey{no: r.ID} }
func (r *propItem) setKey(k propKey) { r.ID = k.no }
func (r *propPart) body() *propBody  { return &r.propBody }
func (r *propPart) key() propKey     { return propKey{r.Region, int64(r.No)} }
func (r *propPart) setKey(k propKey) { r.Region, r.No = k.region, int32(k.no) }

// propStored is a row as the database keeps it.
func propStored[T any, P propRow[T]](row T) T {
	b := P(&row).body()
	b.Twice = 2 * b.Qty
	if b.Seen != nil {
		seen := b.Seen.UTC().Truncate(time.Microsecond)
		b.Seen = &seen
	}
	return row
}

func propSame[T any, P propRow[T]](a, b T) bool {
	x, y := P(&a).body(), P(&b).body()
	return P(&a).key() == P(&b).key() && x.Mark == y.Mark && propSamePointer(x.Code, y.Code) && x.Name == y.Name && x.Qty == y.Qty &&
		x.Twice == y.Twice && propSamePointer(x.Score, y.Score) && x.Kind == y.Kind && (x.Seen == nil) == (y.Seen == nil) &&
		(x.Seen == nil || x.Seen.Equal(*y.Seen))
}

func propSamePointer[V comparable](a, b *V) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// propModel is a table as a slice in the order of its keys. A key that the database makes and the test has not seen yet is 0.
type propModel[T any, P propRow[T]] struct {
	rows []T
}

func (m *propModel[T, P]) clone() propModel[T, P] { return propModel[T, P]{slices.Clone(m.rows)} }

func (m *propModel[T, P]) sort() {
	slices.SortFunc(m.rows, func(a, b T) int { return P(&a).key().compare(P(&b).key()) })
}

// find returns the place of the row with the key, or -1.
func (m *propModel[T, P]) find(k propKey) int {
	if k == (propKey{}) {
		return -1
	}
	return slices.IndexFunc(m.rows, func(row T) bool { return P(&row).key() == k })
}

func (m *propModel[T, P]) findCode(code *string) int {
	if code == nil {
		return -1
	}
	return slices.IndexFunc(m.rows, func(row T) bool { return propSamePointer(P(&row).body().Code, code) })
}

// refuses says why the database refuses a row; except is the place of the row that it stands for, or -1.
func (m *propModel[T, P]) refuses(row T, except int) db.Kind {
	if P(&row).body().Qty < 0 {
		return db.ErrCheck
	}
	if at := m.find(P(&row).key()); at >= 0 && at != except {
		return db.ErrUnique
	}
	if at := m.findCode(P(&row).body().Code); at >= 0 && at != except {
		return db.ErrUnique
	}
	return db.ErrUnknown
}

// insert adds a row and says why it cannot be; [db.ErrUnknown] means that it can.
func (m *propModel[T, P]) insert(row T) db.Kind {
	if P(&row).body().Kind == "" {
		P(&row).body().Kind = "plain"
	}
	if refused := m.refuses(row, -1); refused != db.ErrUnknown {
		return refused
	}
	m.rows = append(m.rows, propStored[T, P](row))
	return db.ErrUnknown
}

// put replaces the row at a place.
func (m *propModel[T, P]) put(at int, row T) db.Kind {
	if refused := m.refuses(row, at); refused != db.ErrUnknown {
		return refused
	}
	m.rows[at] = propStored[T, P](row)
	return db.ErrUnknown
}

// insertAll adds rows or, when one of them is refused, none; faults are the reasons for each row that is at fault.
func (m *propModel[T, P]) insertAll(rows []T) (faults map[int]db.Kind) {
	after := m.clone()
	for i, row := range rows {
		if refused := after.insert(row); refused != db.ErrUnknown {
			faults = propFault(faults, i, refused)
		}
	}
	if faults == nil {
		*m = after
		return nil
	}
	// Which of two rows that exclude each other is refused depends on the way that they take.
	for i, row := range rows {
		for k, other := range rows {
			if i != k && (P(&row).key() == P(&other).key() && P(&row).key() != (propKey{}) ||
				P(&row).body().Code != nil && propSamePointer(P(&row).body().Code, P(&other).body().Code)) && P(&row).body().Qty >= 0 {
				faults = propFault(faults, i, db.ErrUnique)
			}
		}
	}
	return faults
}

func propFault(faults map[int]db.Kind, row int, kind db.Kind) map[int]db.Kind {
	if faults == nil {
		faults = map[int]db.Kind{}
	}
	faults[row] = kind
	return faults
}

// propSet copies a column of one row to another.
func propSet[T any, P propRow[T]](to, from *T, column string) {
	a, b := P(to).body(), P(from).body()
	switch column {
	case "mark":
		a.Mark = b.Mark
	case "code":
		a.Code = b.Code
	case "name":
		a.Name = b.Name
	case "qty":
		a.Qty = b.Qty
	case "score":
		a.Score = b.Score
	case "seen":
		a.Seen = b.Seen
	case "kind":
		a.Kind = b.Kind
	}
}

// propColumns are the columns that are written beside the key.
var propColumns = []string{"mark", "code", "name", "qty", "score", "seen", "kind"}
