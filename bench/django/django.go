// Package django runs the benchmark's tasks by Django, as processes of the system's python3.
package django

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
)

//go:embed work.py
var program string

const python = "/usr/bin/python3"

// Job is one run.
type Job struct {
	Task     string         `json:"task"`
	Database map[string]any `json:"database"` // of Settings
	Sizes    any            `json:"sizes"`
	IDs      []int64        `json:"ids,omitempty"`
}

// Result is what a run tells.
type Result struct {
	Seconds float64 // without the start of the process and of Django
	CPU     float64 // seconds too
	Before  float64 // the size of the process when it had connected, in bytes
	Peak    float64 // its largest size
	Rows    int64
	Sum     int64
}

// Settings are Django's settings of a database, from its URL in drover's notation.
func Settings(address string) (map[string]any, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "sqlite" {
		return map[string]any{"ENGINE": "django.db.backends.sqlite3", "NAME": strings.TrimPrefix(address, "sqlite:")}, nil
	}
	engine := "django.db.backends.postgresql"
	options := map[string]any{}
	if u.Scheme == "mysql" {
		engine, options["charset"] = "django.db.backends.mysql", "utf8mb4"
	}
	password, _ := u.User.Password()
	return map[string]any{
		"ENGINE": engine, "HOST": u.Hostname(), "PORT": u.Port(), "USER": u.User.Username(), "PASSWORD": password,
		"NAME": strings.TrimPrefix(u.Path, "/"), "OPTIONS": options,
	}, nil
}

// Version is Django's.
type Version struct {
	Text         string
	Major, Minor int
}

// AtLeast compares versions.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Find finds Django and its driver for a database of drover's name. The error says which of Debian's packages is missing.
func Find(ctx context.Context, database string) (v Version, err error) {
	out, err := exec.CommandContext(ctx, python, "-c", "import django; print(django.get_version(), *django.VERSION[:2])").Output()
	if err != nil {
		return v, errors.New("not measured, python3-django is not installed")
	}
	if _, err := fmt.Sscan(string(out), &v.Text, &v.Major, &v.Minor); err != nil {
		return v, fmt.Errorf("read Django's version: %w", err)
	}
	driver := map[string][2]string{"postgres": {"psycopg2", "python3-psycopg2"}, "mariadb": {"MySQLdb", "python3-mysqldb"}}[database]
	if driver[0] == "" {
		return v, nil
	}
	if err := exec.CommandContext(ctx, python, "-c", "import "+driver[0]).Run(); err != nil {
		return v, fmt.Errorf("not measured, %s is not installed", driver[1])
	}
	return v, nil
}

// Run runs a job to its end.
func Run(ctx context.Context, job Job) (r Result, err error) {
	text, err := json.Marshal(job)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, python, "-c", program)
	cmd.Stdin = bytes.NewReader(text) // not an argument: it holds the password
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("%s of Django: %w\n%s", job.Task, err, stderr.Bytes())
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		return r, fmt.Errorf("read the answer of Django: %w", err)
	}
	return r, nil
}
