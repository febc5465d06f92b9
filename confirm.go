package drover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/drover-dev/drover/internal/term"
)

// Facts is what a confirmation is about: numbers that were measured, not guessed.
type Facts struct {
	Action   string    // what will be done: "permanently delete"
	Count    int64     // to how many
	What     string    // of what: "rows from public.events"; where it is one, rows and records lose their s
	Cascades []Cascade // what else it does
	// Severe is a word to type in place of "yes", usually the table's name: nobody types that from habit.
	Severe string
	// SevereIs says what the word is; empty: "the table name".
	SevereIs string
}

// Cascade is a further effect of a confirmed action.
type Cascade struct {
	Action string // "delete"
	Count  int64
	What   string // "rows from event_tags"
	Why    string // "ON DELETE CASCADE", or ""
}

const yes = "yes"

// sentence says what will happen, to how many rows, on which database.
func (f Facts) sentence(c *Call) string {
	var b strings.Builder
	fmt.Fprintf(&b, "This will %s %s", f.Action, counted(f.Count, f.What))
	if c.conn != nil {
		fmt.Fprintf(&b, " on %q (%s)", c.conn.Alias(), c.conn.Address())
	}
	b.WriteByte('.')
	for _, also := range f.Cascades {
		fmt.Fprintf(&b, "\nIt will also %s %s", also.Action, counted(also.Count, also.What))
		if also.Why != "" {
			fmt.Fprintf(&b, " (%s)", also.Why)
		}
		b.WriteByte('.')
	}
	return b.String()
}

// counted is a number of things.
func counted(n int64, what string) string {
	noun, rest, more := strings.Cut(what, " ")
	if one := strings.TrimSuffix(noun, "s"); n == 1 && (one == "row" || one == "record") {
		noun = one
	}
	if more {
		noun += " " + rest
	}
	return term.Count(n) + " " + noun
}

func (f Facts) total() int64 {
	n := f.Count
	for _, also := range f.Cascades {
		n += also.Count
	}
	return n
}

// prompts are the question and its repetition.
func (f Facts) prompts() (word, first, again string) {
	if f.Severe == "" {
		return yes, `Type "yes" to continue, or press Ctrl-C: `,
			`Only "yes", in lower case, continues; anything else cancels: `
	}
	is := f.SevereIs
	if is == "" {
		is = "the table name"
	}
	return f.Severe, fmt.Sprintf("Type %s to continue (%s), or press Ctrl-C: ", is, f.Severe),
		fmt.Sprintf("Only %q, exactly so, continues; anything else cancels: ", f.Severe)
}

// Confirm asks before something is destroyed, and returns nil when the command may go on. Return its error as it is.
//
//   - Nothing would be destroyed: it says so and returns [ErrNothingToDo], which ends the command with success.
//   - A dry run: it says what would be asked, and returns nil.
//   - --no-input: it prints the sentence and returns nil.
//   - No terminal to ask on, and no --no-input: a [UsageError] that names the option.
//   - Only the exact word continues. "no", an empty line and the end of the input decline at once; any other answer is
//     asked for once more, and then declines too: exit code 4, nothing changed.
//   - Ctrl-C at the prompt is a [StopError].
//
// The command needs [Options.Confirm].
func (c *Call) Confirm(ctx context.Context, f Facts) error {
	inv := c.inv
	if !inv.command.Options.Confirm {
		return fmt.Errorf("command %q asks for confirmation, but its Options.Confirm is not set", inv.path())
	}
	word, first, again := f.prompts()
	switch {
	case f.total() == 0:
		c.Notice("Nothing to do: 0 %s.", f.What)
		return ErrNothingToDo
	case c.DryRun():
		c.Notice("%s\nWould ask: %s", f.sentence(c), strings.TrimSuffix(first, ": "))
		return nil
	case inv.data.noInput:
		c.Notice("%s", f.sentence(c))
		return nil
	case !inv.env.StdinTTY:
		return &UsageError{
			Command: inv.path(),
			Message: "this needs a confirmation, but the input is not a terminal; add --no-input to go on without asking",
		}
	}
	inv.screen.Hold()
	defer inv.screen.Release()
	inv.say("confirm", term.Warning, f.sentence(c))
	for _, prompt := range []string{first, again} {
		answer, err := inv.ask(ctx, prompt, word)
		switch {
		case errors.Is(err, io.EOF):
			return declined()
		case err != nil:
			return err
		case answer == word:
			return nil
		case answer == "" || strings.EqualFold(answer, "no") || strings.EqualFold(answer, "n"):
			return declined()
		}
	}
	return declined()
}

func declined() error { return Exit(ExitDeclined, "Cancelled. Nothing was changed.") }

// ask prints a prompt, with room for a word to type, and reads its answer. A stop signal ends it at once: there is no batch to finish.
func (inv *invocation) ask(ctx context.Context, prompt, word string) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := inv.scope.stop
	defer stop.prompting()()
	defer stop.then(ctx, func() { cancel(errStopAtPrompt) })()

	prompt = strings.TrimSuffix(inv.fitted(prompt+word, inv.env.StderrTTY), word)
	_, _ = io.WriteString(inv.screen.Err(), term.Heading.Paint(prompt, inv.colourErr))
	answer, err := inv.input.ReadLine(ctx)
	if err == nil {
		inv.screen.Answered()
		return answer, nil
	}
	inv.screen.FreshLine()
	if errors.Is(err, errStopAtPrompt) {
		return "", &StopError{Signal: stop.signal(), Summary: "nothing was changed"}
	}
	return "", err
}

var errStopAtPrompt = errors.New("stopped at the prompt")
