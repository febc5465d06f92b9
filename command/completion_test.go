//go:build unix

package command_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
	"github.com/drover-dev/drover/internal/testscreen"
)

// completing is what each shell reads when it starts: its own completion system and the script that the program prints, a prompt, and a key, C-t, that
// shows the line as it is then.
var completing = map[string]string{
	"bash": `source /usr/share/bash-completion/bash_completion
source "$SCRIPT"
bind 'set bell-style none'
bind 'set show-all-if-ambiguous on'
bind 'set completion-query-items 0'
bind -x '"\C-t": printf "\nLINE %s END\n" "$READLINE_LINE"'
PS1='ready> '`,
	"zsh": `autoload -Uz compinit && compinit -u -D
source $SCRIPT
LISTMAX=10000
unsetopt list_ambiguous
line() { print; print -r -- LINE "$BUFFER" END }
zle -N line
bindkey '^T' line
PS1='ready> '`,
}

// completed is what a real shell offers for a line: fish by its own command, bash and zsh on a terminal, where the line and the Tab key are typed.
func completed(t *testing.T, shell string, environ []string, line string) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "drover")); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "script")
	env := append(os.Environ(), programEnv+"=1", "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "ZDOTDIR="+dir, "SCRIPT="+script, "DROVER_LINE="+line, "TERM=xterm")
	env = append(env, environ...)
	printing := exec.CommandContext(t.Context(), filepath.Join(dir, "drover"), "completion", shell)
	printing.Env = env
	text, err := printing.Output()
	if err != nil {
		t.Fatalf("completion %s: %v", shell, err)
	}
	writeFile(t, script, string(text))
	start := filepath.Join(dir, ".zshrc") // which zsh finds by itself
	writeFile(t, start, completing[shell])
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a shell that hangs fails the test
	defer cancel()
	var cmd *exec.Cmd
	switch shell {
	case "fish":
		cmd = exec.CommandContext(ctx, shell, "-c", `source $SCRIPT; complete -C "$DROVER_LINE"`)
	case "bash":
		cmd = exec.CommandContext(ctx, shell, "--noprofile", "--rcfile", start, "-i")
	case "zsh":
		cmd = exec.CommandContext(ctx, shell, "-d", "-i") // without the files of the machine
	}
	cmd.Env, cmd.Dir = env, dir
	if shell == "fish" {
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", shell, err, out)
		}
		return string(out)
	}
	on := testscreen.Start(t, cmd, 200)
	on.WaitFor(t, "ready> ")
	on.Type(t, line+"\t\x14")
	on.WaitFor(t, " END")
	on.Type(t, "\x15exit\n")
	on.Wait()
	_, offered, _ := strings.Cut(ansi.Strip(on.String()), "ready> ")
	return strings.ReplaceAll(offered, `\`, "") // bash quotes the comma
}

// TestCompletion_InRealShells asks bash, zsh and fish.
func TestCompletion_InRealShells(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	other, _, interrupted := b.threeRuns(t)
	b.exec(t, "UPDATE drover_runs SET command = 'copy', state = 'failed' WHERE id = '"+other+"'")
	copied := batch.Short(other)
	environ := []string{"DATABASE_URL=" + b.URL, "DATABASE_URL_REPORTS=" + b.URL}
	for _, shell := range []string{"bash", "fish", "zsh"} {
		for _, tt := range []struct {
			line string
			want []string
		}{
			{"drover runs show ", []string{batch.Short(interrupted), "interrupted"}},
			{"drover runs resume ", []string{batch.Short(interrupted)}},
			{"drover purge --table it", []string{"item"}},
			{"drover inspect ", []string{"item"}},
			{"drover runs list --database ", []string{"default", "reports"}},
			{"drover --database re", []string{"reports"}},
			{"drover undo ", []string{copied}},
			{"drover import people.csv --table it", []string{"item"}},
			{"drover export items.csv --table it", []string{"item"}},
			{"drover copy --from ", []string{"default", "reports"}},
			{"drover copy --from default --table item --columns id,", []string{"id,status"}},
			{"drover copy --from default --to default --resume ", []string{copied}},
		} {
			t.Run(shell+" "+tt.line, func(t *testing.T) {
				t.Parallel()
				got := completed(t, shell, environ, tt.line)
				for _, want := range tt.want {
					if !strings.Contains(got, want) {
						t.Errorf("no %q in what is offered:\n%s", want, got)
					}
				}
			})
		}
	}
}

// TestCompletion_DeadDatabase proves that a server that never answers offers nothing, without a word; a shell that waits for it is killed, and fails the test.
func TestCompletion_DeadDatabase(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	const line = "drover purge --table "
	for _, scheme := range []string{"postgres", "mysql"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			got := completed(t, "bash", []string{fmt.Sprintf("DATABASE_URL=%s://u:p@%s/app", scheme, silent.Addr())}, line)
			got, _, _ = strings.Cut(got, " END")
			if words := strings.Join(strings.Fields(got), " "); words != line+"LINE "+strings.TrimSpace(line) {
				t.Errorf("it says %q", got)
			}
		})
	}
}
