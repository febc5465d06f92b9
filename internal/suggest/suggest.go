// Package suggest finds the name that somebody probably meant.
package suggest

import "strings"

// Nearest returns the name that is nearest to the misspelt one, letter case aside, or "" when none is near: within a
// third of its letters and at most two changes, or a name that it is the beginning of.
func Nearest(misspelt string, names []string) string {
	folded := strings.ToLower(misspelt)
	allowed := min(2, max(1, len(folded)/3))
	best, least := "", allowed+1
	for _, name := range names {
		d := distance(folded, strings.ToLower(name))
		switch {
		case d <= allowed && d < least:
			best, least = name, d
		case best == "" && len(folded) >= 3 && strings.HasPrefix(strings.ToLower(name), folded):
			best = name
		}
	}
	return best
}

// distance counts the insertions, deletions, changes and swaps of neighbours that make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i, r := range x {
		row := make([]int, len(y)+1)
		row[0] = i + 1
		for j, s := range y {
			change := last[j]
			if r != s {
				change++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, change)
			if i > 0 && j > 0 && r == y[j-1] && x[i-1] == s {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
