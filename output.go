package drover

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/term"
)

// The printing methods. Results go to stdout: Line, Success, Did and JSON. Everything else goes to stderr. Each call prints
// whole lines: a missing newline is added, exactly one. With --json every message is an object of its own.
//
// In Success, Did, Notice, Detail, Warning and Error a %d prints its number with thousands separators; %v and Line print
// it bare.

// Line prints a result line as it is, at every verbosity.
func (c *Call) Line(format string, args ...any) {
	text := oneNewline(fmt.Sprintf(format, args...))
	if c.inv.std.json {
		c.JSON(message{Type: "line", Time: c.stamp(), Message: strings.TrimSuffix(text, "\n")})
		return
	}
	c.print(c.inv.out, text)
}

// Block prints a block of text as it is, a plan or a report, at every verbosity. On a terminal, lines that are too wide for it go on under their
// values, but for commands and SQL, which are left whole; elsewhere nothing is changed.
func (c *Call) Block(text string) {
	if c.inv.std.json {
		c.Line("%s", text)
		return
	}
	c.print(c.inv.out, c.inv.fitted(strings.TrimSuffix(text, "\n"), c.inv.env.StdoutTTY)+"\n")
}

// Success prints, in green, what the command has done. In a dry run the sentence is turned: "Deleted 3 rows" becomes
// "Would delete 3 rows" where its first word is one of the known [Verb] values, and is marked as a dry run's otherwise.
// Verbosity 0 leaves it out.
func (c *Call) Success(format string, args ...any) {
	text := fmt.Sprintf(format, grouped(args)...)
	if c.DryRun() {
		c.result("dry_run", term.Notice, wouldHave(text))
		return
	}
	c.result("success", term.Success, text)
}

// Did prints what the command has done, the verb first: Did(Deleted, "%d rows", n) prints "Deleted 318,240 rows", and in a
// dry run "Would delete 318,240 rows": the same numbers in the same words. Verbosity 0 leaves it out.
func (c *Call) Did(v Verb, format string, args ...any) {
	text := fmt.Sprintf(format, grouped(args)...)
	if c.DryRun() {
		c.result("dry_run", term.Notice, v.would()+" "+text)
		return
	}
	c.result("success", term.Success, v.Past+" "+text)
}

// Notice prints something worth knowing. Verbosity 0 leaves it out.
func (c *Call) Notice(format string, args ...any) {
	text := fmt.Sprintf(format, grouped(args)...)
	if c.CheckOnly() { // that there is nothing to do is all that such a run says
		c.inv.tell(text)
	}
	if c.Verbosity() >= 1 {
		c.inv.say("notice", term.Notice, text)
	}
}

// Detail prints something that only some want to know: at this verbosity and above.
func (c *Call) Detail(verbosity int, format string, args ...any) {
	if c.Verbosity() >= verbosity {
		c.inv.say("detail", term.Plain, fmt.Sprintf(format, grouped(args)...))
	}
}

// Warning prints something that may be wrong, at every verbosity.
func (c *Call) Warning(format string, args ...any) {
	c.inv.warn(fmt.Sprintf(format, grouped(args)...))
}

// Error prints something that is wrong, at every verbosity, and changes nothing else: the command fails when Run returns
// an error, which is then printed by itself.
func (c *Call) Error(format string, args ...any) {
	text := fmt.Sprintf(format, grouped(args)...)
	if !c.inv.std.json {
		text = "Error: " + text
	}
	c.inv.say("error", term.Failure, text)
}

// JSON prints one document on one line of stdout, whether --json was given or not. A command that has a document calls it
// when [Call.JSONOutput] is true, in place of its lines.
//
// Where the command runs for several databases, a document that does not name its database gets "database":{"alias":…}; behind
// [Call.SetRun] one that does not name its run gets "run_id".
func (c *Call) JSON(document any) {
	line := c.inv.document(document)
	if c.inv.only != "" {
		var told struct{ Type, Message string }
		if json.Unmarshal([]byte(line), &told) == nil && told.Type != "line" && told.Message != "" {
			c.inv.tell(told.Message)
		}
	}
	c.print(c.inv.out, line+"\n")
}

// SetRun says that a run has begun which what is printed from now on is about: with --json each line has its "run_id".
func (c *Call) SetRun(id string) {
	c.inv.mu.Lock()
	defer c.inv.mu.Unlock()
	c.inv.runID = id
}

func (inv *invocation) currentRun() string {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	return inv.runID
}

// Count writes a number as drover does on screen: 318,240.
func Count(n int64) string { return term.Count(n) }

// Duration writes a length of time as drover does on screen: 0.4s, 41s, 2m31s, 3h05m.
func Duration(d time.Duration) string { return term.Duration(d) }

// message is a printed line in its JSON form.
type message struct {
	Type    string `json:"type"`
	Time    string `json:"time"`
	Message string `json:"message"`
}

func (c *Call) stamp() string { return term.Timestamp(c.inv.now()) }

func (c *Call) result(kind string, style term.Style, text string) {
	c.inv.tell(text)
	if c.Verbosity() == 0 {
		return
	}
	if c.inv.std.json {
		c.JSON(message{kind, c.stamp(), strings.TrimRight(text, "\n")})
		return
	}
	text = c.inv.fitted(strings.TrimRight(text, "\n"), c.inv.env.StdoutTTY)
	c.print(c.inv.out, style.Paint(text, c.inv.colourOut)+"\n")
}

func (c *Call) print(w *resultWriter, text string) {
	// A failed write is kept by the writer, which stops the command: nobody is listening any more.
	_, _ = w.Write([]byte(text))
}

// say prints a message on stderr.
func (inv *invocation) say(kind string, style term.Style, text string) {
	text = strings.TrimRight(text, "\n")
	if inv.std.json {
		inv.printErr(inv.document(message{kind, term.Timestamp(inv.now()), text}))
		return
	}
	inv.errLine(style, text)
}

// errLine prints text on stderr for people to read.
func (inv *invocation) errLine(style term.Style, text string) {
	inv.printErr(style.Paint(inv.fitted(text, inv.env.StderrTTY), inv.colourErr))
}

// fitted breaks what is wider than the terminal. Elsewhere text stays as it is: a program may read it.
func (inv *invocation) fitted(text string, terminal bool) string {
	if !terminal {
		return text
	}
	return term.Wrap(text, inv.screen.Columns(), inv.app.Name)
}

// printErr prints a line on stderr as it is. There is nowhere to tell that stderr has failed.
func (inv *invocation) printErr(line string) {
	_, _ = fmt.Fprintln(inv.screen.Err(), line)
}

func (inv *invocation) warn(text string) {
	if !inv.std.json {
		text = "Warning: " + text
	}
	inv.say("warning", term.Warning, text)
}

// oneNewline ends text with exactly one newline.
func oneNewline(text string) string { return strings.TrimRight(text, "\n") + "\n" }

// groupedInt prints itself with thousands separators where its bare %d is asked for.
type groupedInt int64

// Format implements fmt.Formatter.
func (g groupedInt) Format(f fmt.State, verb rune) {
	if verb != 'd' {
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), int64(g)) // fmt keeps its own errors
		return
	}
	text := term.Count(int64(g))
	if width, ok := f.Width(); ok {
		if f.Flag('-') {
			text = fmt.Sprintf("%-*s", width, text)
		} else {
			text = fmt.Sprintf("%*s", width, text)
		}
	}
	_, _ = fmt.Fprint(f, text)
}

// grouped lets the whole numbers among args print themselves with thousands separators. Named types keep their own way.
func grouped(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch n := arg.(type) {
		case int:
			out[i] = groupedInt(n)
		case int32:
			out[i] = groupedInt(n)
		case int64:
			out[i] = groupedInt(n)
		case uint32:
			out[i] = groupedInt(n)
		default:
			out[i] = arg
		}
	}
	return out
}
