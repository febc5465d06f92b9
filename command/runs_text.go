package command

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// titleWidth is how wide a run's command with its arguments may be in a table.
const titleWidth = 40

// title is a run's command with its main arguments in a few words: purge events where "status = 'done'".
func title(r runstore.Run) string { return cutText(fullTitle(r), titleWidth) }

// ofFile is what an import keeps of its files, and is no word of its title.
var ofFile = []string{"sha256", "form", "columns", rejectName}

// fullTitle is title at any length. What says what the command works on comes first, without its name.
func fullTitle(r runstore.Run) string {
	words := []string{r.Command}
	var rest []string
	for _, a := range r.Arguments {
		switch {
		case r.UndoOf != "" && a.Name == "run":
			words = append(words, batch.Short(a.Value))
		case a.Name == "table" || strings.HasPrefix(a.Name, "argument "):
			words = append(words, term.Printable(a.Value))
		case a.Name == "file":
			words = append(words, term.Printable(filepath.Base(a.Value)))
		case r.Argument("file") != "" && slices.Contains(ofFile, a.Name):
		case a.Value == "true":
			rest = append(rest, a.Name)
		default:
			rest = append(rest, a.Name+" "+quoteText(a.Value))
		}
	}
	words = append(words, rest...)
	if r.RetryOf != "" {
		words = append(words, "retry of "+batch.Short(r.RetryOf))
	}
	return strings.Join(words, " ")
}

// quoteText puts a text of several words in quotes.
func quoteText(text string) string {
	if text == "" || strings.ContainsAny(text, " \t\n\"") {
		return strconv.Quote(text)
	}
	return term.Printable(text)
}

// cutText cuts a text to a width.
func cutText(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}

// stateText is a run's state in a word, with what is asked of its runner.
func stateText(r runstore.Run) string {
	if r.Live() {
		switch r.Request {
		case runstore.RequestPause:
			return "pausing"
		case runstore.RequestCancel:
			return "cancelling"
		}
	}
	return string(r.State)
}

// doneText is how far a run is: a share of the rows while that says something, else their number.
func doneText(r runstore.Run, c runstore.Counters) string {
	text := term.Counted(c.Done, "row")
	if r.State != runstore.Succeeded && r.State != runstore.Undone && r.Planned > 0 {
		text = term.Percent(c.Done, r.Planned)
	}
	if c.Quarantined > 0 {
		text += " (" + drover.Count(c.Quarantined) + " aside)"
	}
	return text
}

// took is how long a run has lasted, from its first runner's start to the end of its last one, pauses included. A runner that has died did so before
// its lease was over. Of a run that is undone the time of the undo is all that is known.
func took(r runstore.Run, now time.Time) (d time.Duration, ok bool) {
	end := now
	switch {
	case r.StartedAt.IsZero(), r.State == runstore.Undone:
		return 0, false
	case !r.FinishedAt.IsZero():
		end = r.FinishedAt
	case r.State == runstore.Interrupted:
		end = r.LeaseUntil
	}
	return max(end.Sub(r.StartedAt), 0), true // the clocks may differ
}

// rowRate is a run's rows in a second, where it can be told: nobody knows how long the pauses between several attempts were.
func rowRate(r runstore.Run, c runstore.Counters, now time.Time) (rate float64, ok bool) {
	d, ok := took(r, now)
	if !ok || r.Attempt != 1 || r.State == runstore.Failed || d == 0 {
		return 0, false
	}
	return float64(c.Done) / d.Seconds(), true
}

func rateText(r runstore.Run, c runstore.Counters, now time.Time) string {
	rate, ok := rowRate(r, c, now)
	if !ok {
		return "-"
	}
	return term.Rate(rate)
}

func tookText(r runstore.Run, now time.Time) string {
	d, ok := took(r, now)
	if !ok {
		return "-"
	}
	return drover.Duration(d)
}

// timeText is a time for people, in the time zone of now: today 11:40, yesterday 23:00, 2026-11-21 14:10.
func timeText(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	at = at.In(now.Location())
	const day = "2006-01-02"
	switch at.Format(day) {
	case now.Format(day):
		return "today " + at.Format("15:04")
	case now.AddDate(0, 0, -1).Format(day):
		return "yesterday " + at.Format("15:04")
	}
	return at.Format(day + " 15:04")
}

// grid is a table of text with a head.
type grid struct {
	right []int // columns of numbers
	rows  [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// String lays the columns out, with two spaces between them.
func (g *grid) String() string {
	var widths []int
	for _, row := range g.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range g.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if cells[i] = cell + space; slices.Contains(g.right, i) {
				cells[i] = space + cell
			}
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
	}
	return b.String()
}

// sheet is labelled lines of text.
type sheet struct{ strings.Builder }

func (b *sheet) line(label, format string, args ...any) {
	b.WriteString(term.Field(label, fmt.Sprintf(format, args...)) + "\n")
}
