package drover

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/pflag"
)

// Invoke runs another command of the program in place of this one: the words are a command line without the program's name,
// such as "purge", "--table", "events". The other command has this one's streams, terminal and prompts, its databases and
// transactions, its stop signals and its dry run. The standard options that this command was given, --json, --database and
// their like, hold for it too, unless the words say otherwise; options of its own it gets from the words alone.
//
// The error is the other command's, to be returned as it is: then the exit code and what is shown of the error are that
// command's as well. A word that is no command is an [UnknownCommandError], a wrong option a [UsageError]. [ErrNothingToDo]
// is nil here. Its checks are run where this command's were. A progress display of this command is finished first.
//
// One command at a time can take the place of this one. For the result of a command as text use [App.Call], which shows nothing.
func (c *Call) Invoke(ctx context.Context, words ...string) error {
	outer := c.inv
	outer.finishProgress()
	inner := outer.nested(words)
	err := inner.prepare(ctx)
	if err == nil {
		outer.replaced(inner)
		err = inner.inPlace(ctx)
	}
	outer.restored(inner, err)
	if errors.Is(err, ErrNothingToDo) {
		return nil
	}
	return err
}

// inPlace performs the command. Its display is finished also when it panics.
func (inv *invocation) inPlace(ctx context.Context) error {
	defer inv.finishProgress()
	return inv.perform(ctx)
}

// nested makes an invocation of the same program that shares what there can only be one of.
func (inv *invocation) nested(words []string) *invocation {
	inner := inv.sharing(slices.Concat(inv.handedOn(words), words))
	inner.handed = inv.root.PersistentFlags().Changed("database")
	return inner
}

// sharing makes an invocation of a command line that shares with inv what there can only be one of.
func (inv *invocation) sharing(args []string) *invocation {
	env := inv.env
	env.Args = args
	inner := &invocation{
		app: inv.app, env: env, scope: inv.scope, shell: inv.shell, runsChecks: inv.runsChecks, checked: inv.checked,
		screen: inv.screen, out: inv.out, input: inv.input, config: inv.config, only: inv.only,
	}
	inner.started = inner.now()
	inner.readAhead()
	return inner
}

// handedOn writes the standard options that were given, so that they can stand before others.
func (inv *invocation) handedOn(words []string) []string {
	var given []string
	colours := slices.Contains(words, "--no-color") || slices.Contains(words, "--force-color")
	inv.root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || colours && (f.Name == "no-color" || f.Name == "force-color") { // they exclude each other
			return
		}
		given = append(given, optionWords(f, f.Name, f.Value.String())...)
	})
	return given
}

// replaced says that inner is under way in place of inv. Its command line is read: nothing of it changes any more.
func (inv *invocation) replaced(inner *invocation) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.inner = inner
}

// restored says that inner has ended.
func (inv *invocation) restored(inner *invocation, err error) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.inner, inv.ended, inv.endedBy = nil, inner, err
	if inner.said != "" {
		inv.said = inner.said
	}
	if inv.previews == nil {
		inv.previews = inner.previews
		return
	}
	maps.Copy(inv.previews, inner.previews)
}

// front is the invocation that is under way in place of all others: what is shown to the user is about it.
func (inv *invocation) front() *invocation {
	inv.mu.Lock()
	inner := inv.inner
	inv.mu.Unlock()
	if inner == nil {
		return inv
	}
	return inner.front()
}

// reporter is the invocation whose error err is: its options say how it is shown.
func (inv *invocation) reporter(err error) *invocation {
	inv.mu.Lock()
	inner := inv.inner // it has panicked, or was not waited for
	if inner == nil && inv.endedBy != nil && errors.Is(err, inv.endedBy) {
		inner = inv.ended
	}
	inv.mu.Unlock()
	if inner == nil {
		return inv
	}
	return inner.reporter(err)
}
