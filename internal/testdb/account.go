package testdb

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// account is the operating-system user that a server program runs as. PostgreSQL refuses to run as root, so tests that
// run as root hand their servers to the users that the distribution's packages make.
type account struct {
	uid, gid int

	// other says that the account is not the one the tests run as.
	other bool
}

// serverAccount returns the named user when the tests run as root, and their own user otherwise.
func serverAccount(name string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, fmt.Errorf("find the user that the server runs as: %w (%s)", err, installHint)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", name, err)
	}
	return account{uid: uid, gid: gid, other: true}, nil
}

// mkdir makes a directory that only the account (and root) may enter.
func (a account) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if a.other {
		return os.Chown(dir, a.uid, a.gid)
	}
	return nil
}

// writeFile writes a file that only the account (and root) may read.
func (a account) writeFile(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	if a.other {
		return os.Chown(path, a.uid, a.gid)
	}
	return nil
}

// command returns a command that runs as the account in dir, with an environment that does not depend on the machine.
// It is killed when the context ends.
func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 5 * time.Second // a killed script's children may hold its output open
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	bind(cmd, a)
	return cmd
}

// runCommand runs cmd to its end, as a child that dies with the test binary, and returns what it printed.
func runCommand(cmd *exec.Cmd) ([]byte, error) {
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	p, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	<-p.done
	if p.err != nil {
		return nil, fmt.Errorf("run %s: %w\n%s", filepath.Base(cmd.Path), p.err, lastLines(errOut.String()+out.String(), 20))
	}
	return out.Bytes(), nil
}
