package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/sqltext"
	"github.com/drover-dev/drover/internal/term"
)

// lines are what goes with the rows, and some of them.
func (p *purge) lines(b *strings.Builder, plan *walkPlan) {
	if p.age.before > 0 {
		line(b, "Older than", "%s", p.age.text())
	}
	if p.archive != nil {
		line(b, "Archive", "%s: each batch is locked, written, on the disk, and then deleted by its keys", p.archive.path)
	}
	label := "Cascades"
	for _, e := range p.effects {
		line(b, label, "%s", e.text())
		label = ""
	}
	label = "Blocked"
	for _, k := range p.blocks {
		line(b, label, "by %s of %s (%s, ON DELETE %s)", term.Counted(k.rows, "row"), k.table, k.column(), k.action)
		label = ""
	}
	if names := p.triggers("DELETE"); len(names) > 0 {
		line(b, "Triggers", "%s on DELETE", strings.Join(names, ", "))
	}
	warningLines(b, plan)
	if len(p.sample) > 0 {
		b.WriteByte('\n')
	}
	columns, hidden := p.sampleColumns()
	label = "Sample"
	for i, row := range p.sample {
		text := p.sampleLine(row, columns)
		if hidden > 0 && i == len(p.sample)-1 {
			text += fmt.Sprintf("  ... %d more (-v 2 for all columns)", hidden)
		}
		line(b, label, "%s", text)
		label = ""
	}
}

func (e effect) text() string {
	text := fmt.Sprintf("%s %s (%s)", e.table, term.Counted(e.rows, "row"), e.why())
	if e.deep {
		text += ", and what points to them in turn (not counted)"
	}
	return text
}

const sampleColumns = 4 // shown of a sample row, but for -v 2

// sampleColumns are the columns that a sample row shows: the key's, those that the condition names, then the others. hidden is
// the number of those that are left for -v 2.
func (p *purge) sampleColumns() (columns []int, hidden int) {
	named := func(c dialect.Column) bool {
		return c.Name == p.age.column || slices.ContainsFunc(p.tokens(p.given), func(t sqltext.Token) bool {
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
		parts[i] = p.table.Columns[column].Name + " " + p.sampleValue(row[column])
	}
	return strings.Join(parts, "  ")
}

// done is what the summary says of the deleted rows, and what is advised after them.
func (p *purge) done(e *ending) (text string, details []batch.Detail) {
	if n := p.cascaded(); n > 0 {
		text = fmt.Sprintf("   + %s cascaded (as counted before)", drover.Count(n))
	}
	text += e.matchText()
	if e.left != nil && *e.left > e.Quarantined && e.plan.rows == e.plan.matched {
		details = append(details, batch.Detail{Text: "rows that came to match since the start are left; run the same command again for them"})
	}
	if a := p.archive; a != nil {
		details = append(details, batch.Detail{Label: "Archived", Text: fmt.Sprintf("%s   %s   %s", term.Counted(a.committed.rows, "row"), byteText(a.committed.bytes), a.path)})
	}
	if p.table.Reclaim != "" {
		details = append(details, batch.Detail{Label: "Space", Text: p.table.Reclaim + " is advised"})
	}
	return text, details
}

func (p *purge) cascaded() (n int64) {
	for _, e := range p.effects {
		if e.action == "CASCADE" {
			n += e.rows
		}
	}
	return n
}
