package table

import "iter"

// rowList is the caller's rows, whatever their type. Code that writes rows knows them by it, and so has no type parameter: it is compiled once
// and not for every type of row. To be read or changed, a row is copied into the scratch, of whose fields a [record] has the cells.
// It is used by one goroutine at a time.
type rowList interface {
	len() int
	// scratch is the row that load fills.
	scratch() *scratch
	// load copies row i into the scratch.
	load(i int)
	// store copies the scratch into row i.
	store(i int)
	// at returns a pointer to row i.
	at(i int) any
	// slice returns the rows from first to end, which are the same rows.
	slice(first, end int) rowList
	// pick returns copies of the rows at these places, and of all for nil.
	pick(places []int) rowList
	// put copies row k of a picked list into row i.
	put(i int, picked rowList, k int)
}

// listOf is the rowList of a slice.
type listOf[T any] struct {
	rows []T
	row  *T // the scratch's
	s    *scratch
}

func newList[T any](rows []T, s *scratch) *listOf[T] {
	return &listOf[T]{rows, s.row.Addr().Interface().(*T), s}
}

func (l *listOf[T]) len() int          { return len(l.rows) }
func (l *listOf[T]) scratch() *scratch { return l.s }
func (l *listOf[T]) load(i int)        { *l.row = l.rows[i] }
func (l *listOf[T]) store(i int)       { l.rows[i] = *l.row }
func (l *listOf[T]) at(i int) any      { return &l.rows[i] }

func (l *listOf[T]) slice(first, end int) rowList { return &listOf[T]{l.rows[first:end], l.row, l.s} }

func (l *listOf[T]) pick(places []int) rowList {
	if places == nil {
		return &listOf[T]{append([]T(nil), l.rows...), l.row, l.s}
	}
	picked := make([]T, len(places))
	for k, i := range places {
		picked[k] = l.rows[i]
	}
	return &listOf[T]{picked, l.row, l.s}
}

func (l *listOf[T]) put(i int, picked rowList, k int) { l.rows[i] = picked.(*listOf[T]).rows[k] }

// gathered collects a sequence into batches, in the list. The rows of one are overwritten by the next.
func gathered[T any](rows iter.Seq2[T, error], list *listOf[T], size int) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		first := 0
		list.rows = make([]T, 0, min(size, batchArrays))
		for row, err := range rows {
			if err != nil {
				yield(batch{}, err)
				return
			}
			list.rows = append(list.rows, row)
			if len(list.rows) == size {
				if !yield(batch{first, list}, nil) {
					return
				}
				first, list.rows = first+size, list.rows[:0]
			}
		}
		if len(list.rows) > 0 {
			yield(batch{first, list}, nil)
		}
	}
}
