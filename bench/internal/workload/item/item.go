// Package item holds the work on rows that drover's package table is measured by: the same work on the same table, done by the best
// code on the raw driver, by drover and by its peers.
package item

import (
	"database/sql"
	"time"
)

// Item is a row of bench_item. Drover, GORM and sqlx use this type as it is; bun and ent need types of their own.
type Item struct {
	ID         int64     `db:"id,pk,auto"`
	SKU        string    `db:"sku"`
	Name       string    `db:"name"`
	Qty        int32     `db:"qty"`
	PriceCents int64     `db:"price_cents"`
	Active     bool      `db:"active"`
	CategoryID int32     `db:"category_id"`
	Note       string    `db:"note"`
	CreatedAt  time.Time `db:"created_at"`
}

// TableName names the table, for drover and GORM.
func (Item) TableName() string { return "bench_item" }

// pair is a row of which only two columns are wanted.
type pair struct {
	ID  int64 `db:"id"`
	Qty int32 `db:"qty"`
}

const columns = "id, sku, name, qty, price_cents, active, category_id, note, created_at"

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// row makes row i, whose key is i+1 in a table that was filled in order. All sides make their rows with it, inside the clock; it puts
// one object on the heap.
func row(i int) Item { return named("SKU-", "", i) }

// updated is row i after the update, whose qty is one more and whose note begins with a u.
func updated(i int) Item {
	it := named("SKU-", "u", i)
	it.ID, it.Qty = int64(i)+1, it.Qty+1
	return it
}

// wanted is the row of call i to get-or-create: one that exists when i is even, else a new one.
func wanted(i int) Item {
	if i%2 == 0 {
		return row(i)
	}
	return named("NEW-", "", i)
}

// upserted is row i of the upsert: half exist, and get another qty and note.
func upserted(i int) Item {
	sku := "SKU-"
	if i%2 == 1 {
		sku = "NEW-"
	}
	it := named(sku, "u", i)
	it.Qty++
	return it
}

func named(sku, note string, i int) Item {
	const hex = "0123456789abcdef"
	text := append(make([]byte, 0, 96), sku...)
	text = digits(text, i, 8)
	skuEnd := len(text)
	text = digits(append(text, "Item number "...), i, 1)
	nameEnd := len(text)
	text = append(append(text, note...), "note-"...)
	hash := uint32(i) * 2654435761
	for range 4 {
		for shift := 28; shift >= 0; shift -= 4 {
			text = append(text, hex[hash>>shift&15])
		}
	}
	all := string(text)
	return Item{
		SKU: all[:skuEnd], Name: all[skuEnd:nameEnd], Note: all[nameEnd:],
		Qty: qtyOf(i), PriceCents: 100 + int64(i)*104729%1_000_000, Active: i%3 != 0, CategoryID: int32(i % 50),
		CreatedAt: epoch.Add(time.Duration(i) * time.Second),
	}
}

// qtyOf is the qty of row i.
func qtyOf(i int) int32 { return int32(i * 7919 % 1000) }

// digits appends a number with at least so many digits.
func digits(text []byte, n, width int) []byte {
	var b [20]byte
	at := len(b)
	for n > 0 || len(b)-at < width {
		at--
		b[at] = byte('0' + n%10)
		n /= 10
	}
	return append(text, b[at:]...)
}

// batches calls do with n made rows, size at a time. The slice is used again.
func batches[R any](n, size int, build func(i int) R, do func(rows []R) error) error {
	rows := make([]R, 0, min(n, size))
	for i := range n {
		rows = append(rows, build(i))
		if len(rows) == size || i == n-1 {
			if err := do(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	return nil
}

// tally is what a side tells of its run, so that it can be checked that it did the work.
type tally struct {
	rows int64
	sum  int64
}

// add counts a row that was read.
func (t *tally) add(qty int32) {
	t.rows++
	t.sum += int64(qty)
}

// created counts a row that was made. The sum shows whether each row was given its own key.
func (t *tally) created(id int64, qty int32) {
	t.rows++
	t.sum += id * int64(qty+1)
}

// affected counts the rows of a statement.
func (t *tally) affected(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	t.rows += n
	return err
}
