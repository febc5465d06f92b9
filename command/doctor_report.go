package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/term"
)

// doctorWidth is how wide the findings are printed.
const doctorWidth = 100

// longValue is the length from which on the value of a setting that is fine is left for --json.
const longValue = 40

// report prints the findings. The error says that there are problems.
func (x *examination) report() error {
	c := x.call
	sums := map[dialect.Level]int64{}
	for _, f := range x.findings {
		sums[f.Level]++
	}
	message := fmt.Sprintf("%s, %s and %s on %s", term.Counted(sums[dialect.Problem], "problem"), term.Counted(sums[dialect.Warning], "warning"),
		term.Counted(sums[dialect.Note], "note"), x.name())
	if c.JSONOutput() {
		c.JSON(x.document(message))
	} else {
		c.Block(x.text())
	}
	if sums[dialect.Problem] > 0 {
		return drover.Exit(drover.ExitFailed, "%s", message)
	}
	if !c.JSONOutput() {
		c.Success("%s.", message)
	}
	return nil
}

// name is the alias; a URL, which may hold a password, is not shown.
func (x *examination) name() string {
	if strings.Contains(x.alias, ":") {
		return "the database of the URL"
	}
	return x.alias
}

// text is the findings as lines. Verbosity 0 leaves what is worth knowing, and settings that are fine share a line.
func (x *examination) text() string {
	var b strings.Builder
	var fine []string
	for _, f := range x.findings {
		switch {
		case f.Level < dialect.Warning && x.call.Verbosity() == 0:
		case f.Text == "":
			if len(f.Value) <= longValue {
				fine = append(fine, f.Topic+" "+f.Value)
			}
		default:
			wrapped(&b, f.Level.String(), f.Text)
			if f.Advice != "" {
				wrapped(&b, "", "Try: "+f.Advice)
			}
		}
	}
	if len(fine) > 0 {
		wrapped(&b, dialect.Fine.String(), strings.Join(fine, ", "))
	}
	return b.String()
}

// wrapped writes a text behind a label, on as many lines as it needs.
func wrapped(b *strings.Builder, label, text string) {
	const indent = "            "
	line := fmt.Sprintf("  %-7s   ", label)
	for i, word := range strings.Split(term.Printable(text), " ") {
		if i > 0 && len(line)+1+len(word) > doctorWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		} else if i > 0 {
			line += " "
		}
		line += word
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// doctorDocument is the JSON form. It is a contract: fields are added, never renamed.
type doctorDocument struct {
	Type      string            `json:"type"`
	Time      string            `json:"time"`
	Database  databaseDocument  `json:"database"`
	Reachable bool              `json:"reachable"`
	Seconds   *float64          `json:"seconds"` // until it answered
	Role      db.Role           `json:"role"`    // primary or replica; "" where it is not known or there is none
	Lag       *float64          `json:"lag_seconds"`
	Findings  []findingDocument `json:"findings"`
	Message   string            `json:"message"`
}

type findingDocument struct {
	Level  string `json:"level"`
	Topic  string `json:"topic"`
	Value  string `json:"value,omitempty"`
	Text   string `json:"text,omitempty"`
	Advice string `json:"advice,omitempty"`
}

func (x *examination) document(message string) doctorDocument {
	d := doctorDocument{
		Type: "doctor", Time: term.Timestamp(x.call.Now()), Database: databaseDocument{Alias: x.alias, Version: x.version}, Role: x.place, Message: message + ".",
		Findings: []findingDocument{},
	}
	if strings.Contains(x.alias, ":") {
		d.Database.Alias = ""
	}
	if x.conn != nil {
		d.Reachable, d.Database.Address, d.Seconds = true, x.conn.Address(), seconds(x.took)
	}
	if x.lag != nil {
		d.Lag = seconds(*x.lag)
	}
	for _, f := range x.findings {
		d.Findings = append(d.Findings, findingDocument{f.Level.String(), f.Topic, f.Value, f.Text, f.Advice})
	}
	return d
}

func seconds(d time.Duration) *float64 {
	s := d.Seconds()
	return &s
}
