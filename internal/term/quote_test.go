package term

import (
	"os/exec"
	"testing"
)

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"events":          "events",
		"":                "''",
		"id = 1":          "'id = 1'",
		"id=1 ":           "'id=1 '",
		"status = 'done'": `"status = 'done'"`,
		"a = '$x'":        `'a = '\''$x'\'''`,
		`"A" = 'b'`:       `'"A" = '\''b'\'''`,
		"a;b":             "'a;b'",
		"a\nb":            "'a\nb'",
		"~":               "'~'",
		"a b!c'":          `'a b!c'\'''`,
		"größer":          "'größer'",
	} {
		got := ShellQuote(word)
		if got != want {
			t.Errorf("ShellQuote(%q) = %s, want %s", word, got, want)
		}
		read, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+got).Output()
		if err != nil || string(read) != word {
			t.Errorf("the shell reads %s as %q, %v", got, read, err)
		}
	}
}
