package drover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// DatabaseOutcome tells how the run for one of several databases ended.
type DatabaseOutcome struct {
	Database string // the alias
	Begun    bool   // false where the command was stopped before it came to this database
	Message  string // the sentence in which the command told what it did, or ""
	Err      error  // nil: succeeded
}

// DatabasesError says that a command that was run once for each of several databases did not succeed on all of them.
// errors.Is and errors.As find the errors of each.
type DatabasesError struct {
	Outcomes []DatabaseOutcome // of all databases, in the order of the runs
}

// Error names the databases on which the command did not succeed, and why.
func (e *DatabasesError) Error() string {
	parts := []string{succeeded(e.Outcomes)}
	for _, o := range e.Outcomes {
		if o.Err != nil {
			parts = append(parts, o.Database+": "+oneLine(o.Err.Error()))
		}
	}
	return strings.Join(parts, "; ")
}

// Unwrap gives the errors of the databases on which the command did not succeed.
func (e *DatabasesError) Unwrap() []error {
	var all []error
	for _, o := range e.Outcomes {
		if o.Err != nil {
			all = append(all, o.Err)
		}
	}
	return all
}

// ExitCode is that of the signal that stopped the command. Else it is the code that all those share that did not succeed,
// where a declined one counts only among its like; and [ExitFailed] where they share none.
func (e *DatabasesError) ExitCode() int {
	var codes []int
	for _, err := range e.Unwrap() {
		code := ExitCode(err)
		if code == ExitInterrupted || code == ExitTerminated {
			return code
		}
		codes = append(codes, code)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	if len(codes) > 1 {
		codes = slices.DeleteFunc(codes, func(code int) bool { return code == ExitDeclined })
	}
	if len(codes) == 1 {
		return codes[0]
	}
	return ExitFailed
}

// chooseDatabases settles which database the command line is for. It returns the aliases where the command is to be run
// once for each of them, all checked; else none.
func (inv *invocation) chooseDatabases() ([]string, error) {
	value, flags := &inv.std.databases, inv.flags()
	if inv.only != "" && !inv.handed { // one of the runs for several, whose command line names them all
		value.given = nil
		return nil, flags.Set("database", inv.only)
	}
	asked := inv.data.allDatabases && flags.Changed("all-databases")
	if inv.handed && (asked || len(value.given) > 1) {
		value.given = value.given[1:]
	}
	wrong := func(format string, args ...any) ([]string, error) {
		return nil, &UsageError{Command: inv.path(), Message: fmt.Sprintf(format, args...)}
	}
	all := asked || inv.data.allDatabases && len(value.given) == 0
	switch cmd := inv.command; {
	case cmd.NoDatabase && !cmd.NamesDatabase && !cmd.Options.EachDatabase, !all && len(value.given) < 2:
		return nil, nil
	case all && len(value.given) > 0:
		return wrong("--database and --all-databases exclude each other")
	case !cmd.Options.EachDatabase:
		return wrong("--database is given %d times, but %q works on one database at a time", len(value.given), inv.path())
	default:
		for _, name := range cmd.OneDatabase {
			if flags.Changed(name) {
				return wrong("--%s is about one database, and cannot be given for several", name)
			}
		}
	}
	reg, err := inv.config()
	if err != nil {
		return nil, err
	}
	known := reg.Aliases()
	if all && len(known) == 0 {
		none := &db.AliasError{Alias: defaultDatabase}
		return nil, &UsageError{Command: inv.path(), Message: "no database is configured, so there is none to run for", Err: none}
	}
	if all {
		return known, nil
	}
	for i, alias := range value.given {
		switch {
		case strings.Contains(alias, ":"): // not shown: it may hold a password
			return wrong("several databases are named by their aliases, and a URL has none")
		case !slices.Contains(known, alias):
			return nil, inv.unknownDatabase(&db.AliasError{Alias: alias, Known: known})
		case slices.Contains(value.given[:i], alias):
			return wrong("--database %s is given twice", alias)
		}
	}
	return value.given, nil
}

// runOnEach runs the command once for each of the databases, one after the other.
func (inv *invocation) runOnEach(ctx context.Context, aliases []string) error {
	inv.outcomes = make([]DatabaseOutcome, 0, len(aliases))
	for i, alias := range aliases {
		o := DatabaseOutcome{Database: alias}
		switch {
		case inv.scope.stop.requested():
			o.Err = &StopError{Signal: inv.scope.stop.signal(), Summary: "not begun"}
		case ctx.Err() != nil:
			o.Err = fmt.Errorf("not begun: %w", context.Cause(ctx))
		default:
			inv.heading(alias, i, len(aliases))
			o = inv.runOn(ctx, alias)
			if err := inv.release(alias); err != nil {
				o.Err = errors.Join(o.Err, err)
			}
		}
		inv.outcomes = append(inv.outcomes, o)
	}
	inv.printOutcomes()
	failed := &DatabasesError{inv.outcomes}
	if len(failed.Unwrap()) > 0 {
		return failed
	}
	return nil
}

// runOn is the run for one of several databases: an invocation of its own, of the same command line.
func (inv *invocation) runOn(ctx context.Context, alias string) DatabaseOutcome {
	inner := inv.sharing(inv.env.Args)
	inner.only, inner.handed, inner.set = alias, false, inv.set
	run := func() error {
		if err := inner.prepare(ctx); err != nil {
			return err
		}
		inv.replaced(inner)
		return inner.inPlace(ctx)
	}
	var err error
	if inv.shell { // a panic on one database is told like a failure, and keeps none of the others from its run
		err = protected(run)
	} else {
		err = run()
	}
	if errors.Is(err, ErrNothingToDo) {
		err = nil
	}
	_, hard := errors.AsType[*StopError](context.Cause(ctx))
	err = inner.judge(err, hard)
	shows := inner.reporter(err)
	inv.restored(inner, nil)
	if inv.shell {
		shows.report(err)
	}
	return DatabaseOutcome{Database: alias, Begun: true, Message: shows.said, Err: err}
}

// release closes a database whose run is over, where this invocation is the one that opens and closes: a server may have
// many of them, and not so many connections.
func (inv *invocation) release(alias string) error {
	reg, err := inv.config()
	if err != nil || !inv.closes {
		return nil //nolint:nilerr // without a configuration nothing is open
	}
	if err := reg.Release(alias); err != nil {
		return fmt.Errorf("close database %q: %w", alias, err)
	}
	return nil
}

// heading stands above what the run for one database prints. Where one stream alone is a terminal, each has it.
func (inv *invocation) heading(alias string, i, n int) {
	if inv.std.json || inv.std.verbosity == 0 {
		return
	}
	text := fmt.Sprintf("Database %s (%d of %d)", alias, i+1, n)
	if i > 0 {
		text = "\n" + text
	}
	_, _ = fmt.Fprintln(inv.out, term.Heading.Paint(text, inv.colourOut)) // the writer keeps a failure
	if inv.env.StdoutTTY != inv.env.StderrTTY {
		inv.printErr(term.Heading.Paint(text, inv.colourErr))
	}
}

// succeeded is the sentence that sums several runs up.
func succeeded(outcomes []DatabaseOutcome) string {
	n := 0
	for _, o := range outcomes {
		if o.Err == nil {
			n++
		}
	}
	return fmt.Sprintf("%d of %s succeeded", n, term.Counted(int64(len(outcomes)), "database"))
}

// databasesDocument sums several runs up.
type databasesDocument struct {
	Type      string             `json:"type"`
	Time      string             `json:"time"`
	Command   string             `json:"command"`
	ExitCode  int                `json:"exit_code"`
	Succeeded int                `json:"succeeded"`
	Databases []databaseDocument `json:"databases"`
	Message   string             `json:"message"`
}

type databaseDocument struct {
	Alias    string `json:"alias"`
	Status   string `json:"status"`
	ExitCode int    `json:"exit_code"`
	Message  string `json:"message"`
}

// printOutcomes prints the summary of several runs, one line for each: the result of the command as a whole, so on stdout.
// Verbosity 0 leaves it out where all have succeeded.
func (inv *invocation) printOutcomes() {
	failed := &DatabasesError{inv.outcomes}
	errs := len(failed.Unwrap())
	doc := databasesDocument{
		Type: "databases", Time: term.Timestamp(inv.now()), Command: inv.commandName(), Succeeded: len(inv.outcomes) - errs,
		Message: succeeded(inv.outcomes) + ".",
	}
	if errs > 0 {
		doc.ExitCode = failed.ExitCode()
	}
	width := 0
	for _, o := range inv.outcomes {
		d := databaseDocument{o.Database, o.status(), ExitCode(o.Err), o.Message}
		if o.Err != nil {
			d.Message = oneLine(o.Err.Error())
		}
		doc.Databases = append(doc.Databases, d)
		width = max(width, len(o.Database))
	}
	switch {
	case inv.std.json:
		_, _ = fmt.Fprintln(inv.out, term.MarshalLine(doc)) // the writer keeps a failure
		return
	case inv.std.verbosity == 0 && errs == 0:
		return
	}
	var b strings.Builder
	b.WriteString("\n" + term.Heading.Paint("Databases", inv.colourOut) + "\n")
	for _, d := range doc.Databases {
		word, style := statusWord(d.Status)
		line := fmt.Sprintf("  %-*s   %s", width, d.Alias, style.Paint(fmt.Sprintf("%-9s", word), inv.colourOut))
		if d.Status != statusNotBegun {
			line += "   " + strings.TrimPrefix(d.Message, "stopped ") // which the word says
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	style := term.Success
	if errs > 0 {
		style = term.Failure
	}
	b.WriteString(style.Paint(doc.Message, inv.colourOut) + "\n")
	_, _ = fmt.Fprint(inv.out, b.String()) // as above
}

// How the run for a database can end, as the summary's document says it.
const (
	statusSucceeded = "succeeded"
	statusPartial   = "partial"
	statusDeclined  = "declined"
	statusStopped   = "stopped"
	statusWork      = "work_found"
	statusFailed    = "failed"
	statusNotBegun  = "not_begun"
)

func (o DatabaseOutcome) status() string {
	var command *CommandError
	switch {
	case o.Err == nil:
		return statusSucceeded
	case !o.Begun:
		return statusNotBegun
	case errors.As(o.Err, &command) && command.work:
		return statusWork
	}
	switch ExitCode(o.Err) {
	case ExitPartial:
		return statusPartial
	case ExitDeclined:
		return statusDeclined
	case ExitAgain, ExitInterrupted, ExitTerminated:
		return statusStopped
	}
	return statusFailed
}

// statusWord is a status as the screen shows it.
func statusWord(status string) (string, term.Style) {
	switch status {
	case statusSucceeded:
		return "OK", term.Success
	case statusNotBegun:
		return "not begun", term.Warning
	case statusWork:
		return "WORK", term.Warning
	case statusFailed:
		return "FAILED", term.Failure
	}
	return strings.ToUpper(status), term.Warning // partial, declined, stopped
}

// document writes a document on one line. In the run for one of several databases it says which, unless it does so by itself.
func (inv *invocation) document(v any) string { return inv.tagged(term.MarshalLine(v)) }

// tagged adds to a document what it is about and does not say: the database, where there are several, and the run, where there is one.
func (inv *invocation) tagged(line string) string {
	run := inv.currentRun()
	var fields map[string]json.RawMessage
	if inv.only == "" && run == "" || json.Unmarshal([]byte(line), &fields) != nil {
		return line
	}
	add := func(name string, value any) {
		if fields[name] != nil {
			return
		}
		separator := ","
		if len(fields) == 0 {
			separator = ""
		}
		fields[name] = json.RawMessage("true")
		line = strings.TrimSuffix(line, "}") + separator + `"` + name + `":` + term.MarshalLine(value) + "}"
	}
	if inv.only != "" {
		add("database", map[string]string{"alias": inv.only})
	}
	if run != "" {
		add("run_id", run)
	}
	return line
}

// tell notes a sentence in which the command says what it did, for the summary of several runs.
func (inv *invocation) tell(text string) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.said = oneLine(text)
}
