package drovertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drover-dev/drover/db"
)

// SQLite opens a new SQLite database in a file of the test's own, which is removed at its end.
func SQLite(t testing.TB, opts ...db.OpenOption) *db.DB {
	t.Helper()
	return open(t, SQLiteURL(t), opts...)
}

// SQLiteURL is the URL of a new SQLite database in a file of the test's own.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

// Server opens a new, empty database on the server of a URL, "postgres://…" or "mysql://…", whose user may create databases. It is dropped at
// the end of the test.
func Server(t testing.TB, serverURL string, opts ...db.OpenOption) *db.DB {
	t.Helper()
	return open(t, ServerURL(t, serverURL), opts...)
}

// ServerURL is the URL of a new, empty database on the server of a URL; see [Server].
func ServerURL(t testing.TB, serverURL string) string {
	t.Helper()
	u, err := url.Parse(serverURL)
	if err != nil {
		t.Fatal("the server's URL cannot be read") // it may hold a password
	}
	admin := open(t, serverURL, db.MaxConns(1))
	name := "drovertest_" + random(t)
	quoted := admin.Dialect().Quote(name)
	if err := admin.Exec(t.Context(), "CREATE DATABASE "+quoted); err != nil {
		t.Fatalf("make a database for the test: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpWithin)
		defer cancel()
		if err := admin.Exec(ctx, "DROP DATABASE "+quoted); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

// cleanUpWithin is how long the end of a test may take.
const cleanUpWithin = 30 * time.Second

func random(t testing.TB) string {
	t.Helper()
	const letters = 6
	b := make([]byte, letters)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return strings.ToLower(hex.EncodeToString(b))
}

func open(t testing.TB, url string, opts ...db.OpenOption) *db.DB {
	t.Helper()
	conn, err := db.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close the test's database: %v", err)
		}
	})
	return conn
}
