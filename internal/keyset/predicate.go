package keyset

import (
	"slices"
	"strings"
)

// Predicate is a comparison of the key with a cursor.
type Predicate struct {
	SQL    string
	places []int // for every placeholder, the column of the key that it takes
}

// Args appends to args the parameters of the predicate for one cursor.
func (p Predicate) Args(args []any, cursor Values) []any {
	args = slices.Grow(args, len(p.places))
	for _, i := range p.places {
		args = append(args, cursor[i])
	}
	return args
}

// After holds for the keys behind the cursor.
func (k *Keyset) After() Predicate { return k.compare(">", false) }

// Before holds for the keys before the cursor.
func (k *Keyset) Before() Predicate { return k.compare("<", false) }

// From holds for the cursor and the keys behind it.
func (k *Keyset) From() Predicate { return k.compare(">", true) }

// Through holds for the keys before the cursor and the cursor.
func (k *Keyset) Through() Predicate { return k.compare("<", true) }

// Until is [Keyset.Through] for a query that takes the first rows of a range, with ORDER BY and LIMIT. Where PostgreSQL has no statistics of the table,
// it would guess a range that is written as two comparisons of one column to be small, and sort all the rest of the table for each page; a comparison
// of rows it does not pair with the other end, and uses the index for it all the same. It is compared once more for each row, so that it is not the
// form for tables with statistics.
func (k *Keyset) Until() Predicate {
	p := k.Through()
	if k.guesses && k.blind && len(k.quoted) == 1 {
		p.SQL = "(" + k.quoted[0] + ", 0) <= (?, 0)"
	}
	return p
}

// WithoutStatistics is the same order of a table that the database has no statistics of, where [New] was not told so.
func (k *Keyset) WithoutStatistics() *Keyset {
	other := *k
	other.blind = true
	return &other
}

// compare builds "key op cursor" with op < or >; equal lets the cursor itself in.
func (k *Keyset) compare(op string, equal bool) Predicate {
	if k.rows || len(k.quoted) == 1 {
		return k.row(op, equal)
	}
	return k.nested(op, equal)
}

// row is the comparison as the SQL standard writes it: (a, b) > (?, ?).
func (k *Keyset) row(op string, equal bool) Predicate {
	if equal {
		op += "="
	}
	p := Predicate{places: make([]int, len(k.quoted))}
	for i := range p.places {
		p.places[i] = i
	}
	if len(k.quoted) == 1 {
		p.SQL = k.quoted[0] + " " + op + " ?"
		return p
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(k.quoted)), ", ")
	p.SQL = "(" + strings.Join(k.quoted, ", ") + ") " + op + " (" + marks + ")"
	return p
}

// nested is the same comparison for a database that does not use an index for rows. The outer condition on the
// leading column alone is what bounds the index range: a >= ? AND (a > ? OR (b >= ? AND (b > ? OR c > ?))).
func (k *Keyset) nested(op string, equal bool) Predicate {
	var p Predicate
	last := len(k.quoted) - 1
	for i, column := range k.quoted[:last] {
		if i > 0 {
			p.SQL += "("
		}
		p.SQL += column + " " + op + "= ? AND (" + column + " " + op + " ? OR "
		p.places = append(p.places, i, i)
	}
	final := op
	if equal {
		final += "="
	}
	p.SQL += k.quoted[last] + " " + final + " ?" + strings.Repeat(")", 2*last-1)
	p.places = append(p.places, last)
	return p
}
