package django

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"os/exec"
)

//go:embed kill.py
var killable string

// Begun is in the line that a task prints when it begins to work.
const Begun = `"begun"`

// Start is a process that does a task of kill.py, not started yet. It prints a line with Begun, and at the end one JSON object: "between" is for
// how many seconds the work stood between the commit of a batch and that of its place.
func Start(ctx context.Context, job Job) (*exec.Cmd, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, python, "-c", killable)
	cmd.Stdin = bytes.NewReader(text) // not an argument: it holds the password
	return cmd, nil
}
