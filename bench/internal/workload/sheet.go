package workload

import (
	"fmt"
	"io"
	"strings"
)

// Sheet is a table of what has no ratio.
type Sheet struct {
	Title  string
	Header []string
	Rows   [][]string
	Notes  []string // below the table
}

// Markdown writes the sheet.
func (s Sheet) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n| %s |\n|%s\n", s.Title, strings.Join(s.Header, " | "), strings.Repeat("---|", len(s.Header)))
	for _, row := range s.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	for _, note := range s.Notes {
		fmt.Fprintf(&b, "\n- %s", note)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
