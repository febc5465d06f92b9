package command

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/term"
)

// block is the plan as a block of text.
func (w *walk) block(plan *walkPlan) string {
	var b strings.Builder
	b.WriteString(w.call.CommandName() + "  plan")
	if w.call.DryRun() {
		b.WriteString(" only, nothing will be changed")
	}
	b.WriteString("\n\n")
	line(&b, "Database", "%s   %s   %s", w.conn.Alias(), plan.version, w.conn.Address())
	line(&b, "Table", "%s", w.tableLine(plan))
	line(&b, "Match", "%s", w.matchLine(plan))
	w.runLines(&b, plan)
	if plan.rows > 0 {
		line(&b, "Order", "%s, keyset   index %s", w.keyLine(), w.key.Name)
		line(&b, "Batches", "%s x %s, one transaction each", drover.Count(plan.batches), term.Counted(int64(plan.size), "row"))
	}
	if plan.run.Workers > 1 {
		line(&b, "Workers", "%d", plan.run.Workers)
	}
	w.lines(&b, plan)
	for _, d := range plan.run.Details {
		line(&b, d.Label, "%s", d.Text)
	}
	line(&b, term.SQL, "%s", plan.sql)
	return b.String()
}

// line writes one line of a block. Of several lines of a kind all but the first have no label.
func line(b *strings.Builder, label, format string, args ...any) {
	b.WriteString(term.Field(label, fmt.Sprintf(format, args...)) + "\n")
}

// runLines say which of the matching rows are worked on, where these are not all of them.
func (w *walk) runLines(b *strings.Builder, plan *walkPlan) {
	switch {
	case plan.run.RunID != "":
		line(b, "Run", "%s is resumed: %s of %s done, %s left", batch.Short(plan.run.RunID), drover.Count(plan.run.Done),
			term.Counted(plan.run.Rows, "row"), drover.Count(plan.rows))
	case w.options.RetryOf != "":
		line(b, "Run", "the %s that run %s has set aside", term.Counted(plan.rows, "row"), batch.Short(w.options.RetryOf))
	case plan.rows < plan.matched:
		line(b, "Limit", "the first %s of them", term.Counted(plan.rows, "row"))
	}
}

// warningLines are the warnings.
func warningLines(b *strings.Builder, plan *walkPlan) {
	for _, text := range plan.warnings {
		line(b, "Warning", "%s", text)
	}
}

func (w *walk) tableLine(plan *walkPlan) string {
	parts := []string{w.table.FullName()}
	if plan.tableRows >= 0 {
		rows := term.Counted(plan.tableRows, "row")
		if !plan.tableExact {
			rows += " (estimate)"
		}
		parts = append(parts, rows)
	}
	if w.table.Bytes >= 0 {
		parts = append(parts, byteText(w.table.Bytes))
	}
	return strings.Join(parts, "   ")
}

func (w *walk) matchLine(plan *walkPlan) string {
	text := fmt.Sprintf("%s (counted in %s)", term.Counted(plan.matched, "row"), drover.Duration(plan.counted))
	switch {
	case w.where == "":
		text = fmt.Sprintf("all %s (counted in %s)", term.Counted(plan.matched, "row"), drover.Duration(plan.counted))
	case plan.matched > 0 && plan.tableRows >= plan.matched:
		text += fmt.Sprintf("   %.1f %%", float64(plan.matched)/float64(plan.tableRows)*100)
	}
	if plan.rows > 0 && plan.first != nil {
		text += "   " + w.keyRange(plan.first, plan.last)
	}
	return text
}

func (w *walk) keyLine() string {
	kind := "unique key"
	if w.key.Primary {
		kind = "primary key"
	}
	return fmt.Sprintf("%s (%s)", strings.Join(w.key.Columns, ", "), kind)
}

// keyRange writes the keys of a range with their name: id 1 .. 9,981,204.
func (w *walk) keyRange(first, last keyset.Values) string {
	return strings.Join(w.key.Columns, ", ") + " " + keyText(first) + " .. " + keyText(last)
}

func keyText(key keyset.Values) string {
	parts := make([]string, len(key))
	for i, value := range key {
		parts[i] = term.Printable(keyset.Text(value))
		if n, ok := value.(int64); ok {
			parts[i] = drover.Count(n)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

const sampleWidth = 40 // of a value of a sample row, but for -v 2

// sampleValue writes one value of a sample row.
func (w *walk) sampleValue(value any) string {
	text := term.Printable(strings.TrimRight(keyset.Text(value), " "))
	if runes := []rune(text); w.call.Verbosity() < 2 && len(runes) > sampleWidth {
		text = string(runes[:sampleWidth-1]) + "…"
	}
	if text == "" {
		return "''"
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
