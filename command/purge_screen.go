package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/sqltext"
)

// screen is the plan as a block of text.
func (p *purge) screen(plan *purgePlan) string {
	var b strings.Builder
	if p.call.DryRun() {
		b.WriteString("purge  plan only, nothing will be changed\n\n")
	} else {
		b.WriteString("purge  plan\n\n")
	}
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("Database", "%s   %s   %s", p.conn.Alias(), plan.version, p.conn.Address())
	line("Table", "%s", p.tableLine(plan))
	line("Match", "%s", p.matchLine(plan))
	if plan.rows < plan.matched {
		line("Limit", "the first %s of them", plural(plan.rows, "row"))
	}
	if plan.rows > 0 {
		line("Order", "%s, keyset   index %s", p.keyLine(), p.key.Name)
		line("Batches", "%s x %s rows, one transaction each", drover.Count(plan.batches), drover.Count(int64(plan.size)))
	}
	label := "Cascades"
	for _, e := range plan.effects {
		line(label, "%s", e.text())
		label = ""
	}
	label = "Blocked"
	for _, k := range plan.blocks {
		line(label, "by %s of %s (%s, ON DELETE %s)", plural(k.rows, "row"), k.table, k.column(), k.action)
		label = ""
	}
	if names := p.triggers(); len(names) > 0 {
		line("Triggers", "%s on DELETE", strings.Join(names, ", "))
	}
	for _, w := range plan.warnings {
		line("Warning", "%s", w)
	}
	if len(plan.sample) > 0 {
		b.WriteByte('\n')
	}
	columns, hidden := p.sampleColumns()
	label = "Sample"
	for i, row := range plan.sample {
		text := p.sampleLine(row, columns)
		if hidden > 0 && i == len(plan.sample)-1 {
			text += fmt.Sprintf("  ... %d more (-v 2 for all columns)", hidden)
		}
		line(label, "%s", text)
		label = ""
	}
	line("SQL", "%s", plan.sql)
	return b.String()
}

func (p *purge) tableLine(plan *purgePlan) string {
	parts := []string{p.table.FullName()}
	if plan.tableRows >= 0 {
		rows := plural(plan.tableRows, "row")
		if !plan.tableExact {
			rows += " (estimate)"
		}
		parts = append(parts, rows)
	}
	if p.table.Bytes >= 0 {
		parts = append(parts, byteText(p.table.Bytes))
	}
	return strings.Join(parts, "   ")
}

func (p *purge) matchLine(plan *purgePlan) string {
	text := fmt.Sprintf("%s (counted in %s)", plural(plan.matched, "row"), drover.Duration(plan.counted))
	if plan.matched > 0 && plan.tableRows >= plan.matched {
		text += fmt.Sprintf("   %.1f %%", float64(plan.matched)/float64(plan.tableRows)*100)
	}
	if plan.rows > 0 {
		text += "   " + p.keyRange(plan.first, plan.last)
	}
	return text
}

func (p *purge) keyLine() string {
	kind := "unique key"
	if p.key.Primary {
		kind = "primary key"
	}
	return fmt.Sprintf("%s (%s)", strings.Join(p.key.Columns, ", "), kind)
}

// keyRange writes the keys of a range with their name: id 1 .. 9,981,204.
func (p *purge) keyRange(first, last keyset.Values) string {
	return strings.Join(p.key.Columns, ", ") + " " + keyText(first) + " .. " + keyText(last)
}

func keyText(key keyset.Values) string {
	parts := make([]string, len(key))
	for i, value := range key {
		parts[i] = printable(keyset.Text(value))
		if n, ok := value.(int64); ok {
			parts[i] = drover.Count(n)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (e effect) text() string {
	text := fmt.Sprintf("%s %s (%s)", e.table, plural(e.rows, "row"), e.why())
	if e.deep {
		text += ", and what points to them in turn (not counted)"
	}
	return text
}

const (
	sampleColumns = 4  // shown of a sample row, but for -v 2
	sampleWidth   = 40 // of a value, but for -v 2
)

// sampleColumns are the columns that a sample row shows: the key's, those that the condition names, then the others. hidden is
// the number of those that are left for -v 2.
func (p *purge) sampleColumns() (columns []int, hidden int) {
	named := func(c dialect.Column) bool {
		return slices.ContainsFunc(p.tokens(), func(t sqltext.Token) bool {
			return t.Kind == sqltext.Word && strings.EqualFold(t.Text, c.Name) || t.Kind == sqltext.QuotedIdent && unquoted(t.Text) == c.Name
		})
	}
	for _, wanted := range []func(dialect.Column) bool{
		func(c dialect.Column) bool { return slices.Contains(p.key.Columns, c.Name) },
		named,
		func(dialect.Column) bool { return true },
	} {
		for i, c := range p.table.Columns {
			if wanted(c) && !slices.Contains(columns, i) {
				columns = append(columns, i)
			}
		}
	}
	if shown := max(sampleColumns, len(p.key.Columns)); p.call.Verbosity() < 2 && len(columns) > shown {
		return columns[:shown], len(columns) - shown
	}
	return columns, 0
}

func (p *purge) sampleLine(row sampleRow, columns []int) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		text := printable(strings.TrimRight(keyset.Text(row[column]), " "))
		if runes := []rune(text); p.call.Verbosity() < 2 && len(runes) > sampleWidth {
			text = string(runes[:sampleWidth-1]) + "…"
		}
		if text == "" {
			text = "''"
		}
		parts[i] = p.table.Columns[column].Name + " " + text
	}
	return strings.Join(parts, "  ")
}

// printable keeps what stands in a table from moving the cursor or changing colours.
func printable(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			quoted := strconv.Quote(text)
			return quoted[1 : len(quoted)-1]
		}
	}
	return text
}

// byteText writes a size as people say it: 412 MB.
func byteText(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	size, units := float64(n)/unit, []string{"kB", "MB", "GB", "TB", "PB"}
	for size >= 1000 && len(units) > 1 {
		size, units = size/unit, units[1:]
	}
	if size < 10 {
		return fmt.Sprintf("%.1f %s", size, units[0])
	}
	return fmt.Sprintf("%.0f %s", size, units[0])
}
