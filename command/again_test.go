package command

import "testing"

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"events":          "events",
		"":                "''",
		"id = 1":          "'id = 1'",
		"status = 'done'": `"status = 'done'"`,
		"a = '$x'":        `'a = '\''$x'\'''`,
		`"A" = 'b'`:       `'"A" = '\''b'\'''`,
	} {
		if got := shellQuote(word); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", word, got, want)
		}
	}
}
