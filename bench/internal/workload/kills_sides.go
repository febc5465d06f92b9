package workload

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/bench/django"
	"github.com/drover-dev/drover/internal/testdb"
)

// onePlace says that a batch and the place of the run are committed together.
const onePlace = "none"

// purgers are the sides of the purge.
func (k *killer) purgers(ctx context.Context) ([]victim, error) {
	sides := []victim{k.droverSide("purge", "--where", purgeWhere)}
	if k.Name == testdb.NameMariaDB {
		archiver, err := k.archiver(ctx)
		if err != nil {
			return nil, err
		}
		sides = append(sides, archiver)
	}
	return append(sides, k.djangoSide(ctx, "batches by key, from the first row", "purge")), nil
}

// backfillers are the sides of the backfill.
func (k *killer) backfillers(ctx context.Context) ([]victim, error) {
	after := k.djangoSide(ctx, "update, place saved after the commit", "expression-place-after")
	bulk := k.djangoSide(ctx, "bulk_update, place saved after the commit", "bulk-update-place-after")
	after.place, bulk.place = "", ""
	sides := []victim{k.droverSide("backfill", "--set", "score = score + 1")}
	if k.Name == testdb.NameMariaDB {
		sides = append(sides, victim{name: "pt-archiver", missing: "–, it only deletes"})
	}
	return append(sides, k.djangoSide(ctx, "update, place in the transaction", "expression-place-with"), after, bulk), nil
}

// droverSide is a command of the ready-made program.
func (k *killer) droverSide(command string, args ...string) victim {
	args = append([]string{command, "--table", "item", "--batch-size", strconv.Itoa(purgeBatch), "--lease", "2s", "--no-input", "--json"}, args...)
	return victim{
		name: "drover " + command, begun: regexp.MustCompile(`"type":"(start|resume)"`), leased: true, place: onePlace,
		start: func(ctx context.Context) (*exec.Cmd, error) {
			cmd := exec.CommandContext(ctx, k.drover, args...)
			cmd.Env = append(os.Environ(), "DATABASE_URL="+k.URL)
			return cmd, nil
		},
	}
}

// djangoSide is a task of Django's. After a kill it is begun from the first row or from the place that it finds.
func (k *killer) djangoSide(ctx context.Context, how, task string) victim {
	version, err := django.Find(ctx, k.Name)
	if err != nil {
		return victim{name: "Django: " + how, missing: err.Error()}
	}
	return victim{
		name: "Django " + version.Text + ": " + how, begun: regexp.MustCompile(django.Begun), place: onePlace,
		start: func(ctx context.Context) (*exec.Cmd, error) {
			database, err := django.Settings(k.URL)
			if err != nil {
				return nil, err
			}
			return django.Start(ctx, django.Job{Task: task, Database: database, Sizes: map[string]int{"Batch": purgeBatch}})
		},
	}
}

// archiver is pt-archiver with what its manual recommends for a purge: only the key is read, a batch is deleted by one statement and
// committed. The password is in a file.
func (k *killer) archiver(ctx context.Context) (victim, error) {
	const name = "pt-archiver"
	program, err := exec.LookPath(name)
	if err != nil {
		return victim{name: name, missing: "not measured, percona-toolkit is not installed"}, nil
	}
	version, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return victim{}, fmt.Errorf("ask for the version of %s: %w", name, err)
	}
	u, err := url.Parse(k.URL)
	if err != nil {
		return victim{}, errors.New("read the address of the database") // it holds the password
	}
	password, _ := u.User.Password()
	options := filepath.Join(k.harness.Dir(), "pt-archiver.cnf")
	text := fmt.Sprintf("[client]\nprotocol = tcp\nhost = %s\nport = %s\nuser = %s\npassword = \"%s\"\n", u.Hostname(), u.Port(), u.User.Username(), password)
	if err := os.WriteFile(options, []byte(text), 0o600); err != nil {
		return victim{}, fmt.Errorf("write the options of %s: %w", name, err)
	}
	// Perl keeps the output back until it is a few kilobytes, and so the word that the work begins.
	const unbuffered = "Unbuffered"
	if err := os.WriteFile(filepath.Join(k.harness.Dir(), unbuffered+".pm"), []byte("$| = 1;\n"), 0o600); err != nil {
		return victim{}, fmt.Errorf("write a module for %s: %w", name, err)
	}
	args := []string{
		"--source", "F=" + options + ",D=" + strings.TrimPrefix(u.Path, "/") + ",t=item,A=utf8mb4", "--purge", "--where", purgeWhere,
		"--primary-key-only", "--limit", strconv.Itoa(purgeBatch), "--bulk-delete", "--commit-each",
		"--progress", strconv.Itoa(purgeBatch), // of which the head is printed before the first batch
		"--sentinel", filepath.Join(k.harness.Dir(), "pt-archiver-stop"),
		"--no-version-check", // it would ask a server of the maker's
	}
	return victim{
		name: strings.TrimSpace(string(version)), begun: regexp.MustCompile("ELAPSED"), place: onePlace,
		start: func(ctx context.Context) (*exec.Cmd, error) {
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.Env = append(os.Environ(), "PERL5OPT=-I"+k.harness.Dir()+" -M"+unbuffered)
			return cmd, nil
		},
	}, nil
}
