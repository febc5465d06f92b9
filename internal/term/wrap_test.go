package term

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWrap(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"fits", "Error: no music", "Error: no music"},
		{"message", "Error: the table events has no primary key", "Error: the table events has no\n       primary key"},
		{"painted after, so lines are whole", "Warning: one two three four five six seven", "Warning: one two three four\n         five six seven"},
		{"stopped", "STOPPED  by SIGINT: 10 rows deleted in 2 batches", "STOPPED  by SIGINT: 10 rows\n         deleted in 2 batches"},
		{"time", "12:04:16 purge events: 41.6 %  4,160/10,000", "12:04:16 purge events: 41.6 %\n         4,160/10,000"},
		{"field", "  Match      10 rows (counted in 1s)   5.1 %   id 1 .. 9", "  Match      10 rows (counted\n             in 1s)   5.1 %\n             id 1 .. 9"},
		{"numbers stay together", "  Batches    1 ok   size 10   p95 0.1s", "  Batches    1 ok   size 10\n             p95 0.1s"},
		{"full label", "  Older than 90 days by the clock", "  Older than 90 days by the\n             clock"},
		{"no label", "             event_tags 401,100 rows (CASCADE)", "             event_tags\n             401,100 rows\n             (CASCADE)"},
		{"indented", "       of the second advice that is long", "       of the second advice\n       that is long"},
		{"command", "Try:   drover runs errors 01J --database reports    shows the rows set aside", "Try:   drover runs errors 01J --database reports\n       shows the rows set\n       aside"},
		{"command in a sentence", "Run 01J started. Status: drover runs show 01J", "Run 01J started. Status:\ndrover runs show 01J"},
		{"long word", "Error: /a/folder/with/a/long/name/file.csv exists", "Error: /a/folder/with/a/long/name/file.csv\n       exists"},
		{"statement", "  Order      id\n  SQL        DELETE FROM events WHERE name = 'a  b'\n   AND x > 1 AND y > 1 AND z > 1", "  Order      id\n  SQL        DELETE FROM events WHERE name = 'a  b'\n   AND x > 1 AND y > 1 AND z > 1"},
		{"prompt", "Type events to continue (events), or: ", "Type events to continue\n(events), or: "},
		{"wide letters", "Error: 表表表表表 表表表表表 表表", "Error: 表表表表表 表表表表表\n       表表"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Wrap(tt.text, 30, "drover")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestWrap_LosesNothing proves that what is wrapped has the same words, and that no line is too wide.
func TestWrap_LosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(Error: |  Match      |    )?([a-z]{1,9} {1,3}){0,12}`).Draw(t, "text")
		width := rapid.IntRange(24, 80).Draw(t, "width")
		got := Wrap(text, width, "drover")
		if diff := cmp.Diff(strings.Fields(text), strings.Fields(got)); diff != "" {
			t.Fatalf("-text +wrapped:\n%s", diff)
		}
		for line := range strings.Lines(got) {
			if line = strings.TrimRight(line, " \n"); ansi.StringWidth(line) > width {
				t.Fatalf("%d columns are too wide for %d: %q", ansi.StringWidth(line), width, line)
			}
		}
	})
}
