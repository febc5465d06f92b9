package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/drover-dev/drover/bench/internal/measure"
	"github.com/drover-dev/drover/bench/internal/workload"
	"github.com/drover-dev/drover/internal/testdb"
)

// report gathers what is measured, and shows it on the standard error output as it comes.
type report struct {
	results []measure.Result
	lines   []measure.Line
	sheets  []workload.Sheet
	missing []string
}

func (r *report) addResults(results []measure.Result) {
	r.results = append(r.results, results...)
	for _, one := range results {
		fmt.Fprintf(os.Stderr, "%-32s %-9s %-28s %.2f\n", one.Workload, one.Database, one.Side.Name, one.Ratio)
	}
}

func (r *report) addLines(lines []measure.Line) {
	r.lines = append(r.lines, lines...)
	for _, l := range lines {
		fmt.Fprintf(os.Stderr, "%-52s %-9s %-50s %9.0f rows/s %6.2f\n", l.Workload, l.Database, l.Name, l.Speed(), l.Ratio)
	}
}

// addSheet joins the sheets of a title, which come database by database.
func (r *report) addSheet(s workload.Sheet) {
	for _, row := range s.Rows {
		fmt.Fprintf(os.Stderr, "%s: %s\n", s.Title, strings.Join(row, " | "))
	}
	i := slices.IndexFunc(r.sheets, func(known workload.Sheet) bool { return known.Title == s.Title })
	if i < 0 {
		r.sheets = append(r.sheets, s)
		return
	}
	r.sheets[i].Rows = append(r.sheets[i].Rows, s.Rows...)
}

// write writes the table of ratios, the tables of the work on rows, one for each database, and what was not measured.
func (r *report) write(w io.Writer) error {
	if len(r.results) > 0 {
		if err := measure.Markdown(w, r.results); err != nil {
			return err
		}
	}
	for _, s := range r.sheets {
		if err := s.Markdown(w); err != nil {
			return err
		}
	}
	// The short workloads of all databases came before the long ones of all.
	slices.SortStableFunc(r.lines, func(a, b measure.Line) int {
		return slices.Index(testdb.Names(), a.Database) - slices.Index(testdb.Names(), b.Database)
	})
	if err := measure.RaceMarkdown(w, r.lines); err != nil || len(r.missing) == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\nNot measured:\n\n- %s\n", strings.Join(slices.Compact(slices.Sorted(slices.Values(r.missing))), "\n- "))
	return err
}
