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

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/testdb"
)

// completing is how each shell is made to complete the line DROVER_LINE with the script that the program prints: fish by its own command, bash and
// zsh by calling the function that the script registers, with the variables that a line editor would set.
var completing = map[string]string{
	"bash": `source "$SCRIPT"
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
_init_completion() { _get_comp_words_by_ref; }
compopt() { :; }
read -ra COMP_WORDS <<<"$DROVER_LINE"
[[ $DROVER_LINE != *" " ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$DROVER_LINE COMP_POINT=${#DROVER_LINE} COMP_TYPE=63
complete -p drover >/dev/null || exit 1
__start_drover
printf '%s\n' "${COMPREPLY[@]}"`,
	"fish": `source $SCRIPT; complete -C "$DROVER_LINE"`,
	// The function reads the line from the variables of zsh's line editor, and hands what it offers to _describe.
	"zsh": `compdef() { :; }
_describe() { print -rl -- "${completions[@]}"; }
source $SCRIPT
words=(${=DROVER_LINE})
[[ $DROVER_LINE != *" " ]] || words+=("")
CURRENT=${#words}
_drover`,
}

// completed asks a real shell what it offers for a line.
func completed(t *testing.T, shell, environ, line string) string {
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
	env := append(os.Environ(), programEnv+"=1", "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "SCRIPT="+script, "DROVER_LINE="+line, "TERM=xterm", "COLUMNS=200", environ)
	printing := exec.CommandContext(t.Context(), filepath.Join(dir, "drover"), "completion", shell)
	printing.Env = env
	text, err := printing.Output()
	if err != nil {
		t.Fatalf("completion %s: %v", shell, err)
	}
	writeFile(t, script, string(text))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a shell that hangs fails the test
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "-c", completing[shell])
	cmd.Env, cmd.Dir = env, dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	return strings.ReplaceAll(string(out), `\`, "") // bash quotes the comma
}

// TestCompletion_InRealShells asks bash, zsh and fish.
func TestCompletion_InRealShells(t *testing.T) {
	b := newBench(t, testdb.Fresh(t, testdb.NamePostgres))
	other, _, interrupted := b.threeRuns(t)
	b.exec(t, "UPDATE drover_runs SET command = 'copy', state = 'failed' WHERE id = '"+other+"'")
	copied := batch.Short(other)
	for shell := range completing {
		for _, tt := range []struct {
			line string
			want []string
		}{
			{"drover runs show ", []string{batch.Short(interrupted), "interrupted"}},
			{"drover runs resume ", []string{batch.Short(interrupted)}},
			{"drover purge --table it", []string{"item"}},
			{"drover inspect ", []string{"item"}},
			{"drover copy --from ", []string{"default"}},
			{"drover copy --from default --table item --columns id,", []string{"id,status"}},
			{"drover copy --from default --to default --resume ", []string{copied}},
		} {
			t.Run(shell+" "+tt.line, func(t *testing.T) {
				got := completed(t, shell, "DATABASE_URL="+b.URL, tt.line)
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
	for _, scheme := range []string{"postgres", "mysql"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			got := completed(t, "bash", fmt.Sprintf("DATABASE_URL=%s://u:p@%s/app", scheme, silent.Addr()), "drover purge --table ")
			if strings.TrimSpace(got) != "" {
				t.Errorf("it says %q", got)
			}
		})
	}
}
