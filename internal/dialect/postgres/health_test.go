//go:build unix

package postgres

import (
	"net"
	"syscall"
	"testing"
	"time"
)

func TestReadable(t *testing.T) {
	for _, tt := range []struct {
		name string
		act  func(t *testing.T, server net.Conn)
		want bool
	}{
		{"idle", func(*testing.T, net.Conn) {}, false},
		{"bytes waiting", func(t *testing.T, server net.Conn) {
			if _, err := server.Write([]byte("FATAL")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"closed by the server", func(t *testing.T, server net.Conn) {
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := connect(t)
			tt.act(t, server)
			// The other end's bytes are on their way: look until they are there.
			for deadline := time.Now().Add(5 * time.Second); ; {
				got := readable(client)
				if got == tt.want {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("readable = %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// TestReadable_DoesNotWaitForTheReader: after a slow write pgx leaves a goroutine behind that reads until the next answer. Looking
// at the connection in the meantime must not wait for it, or the pool would hang.
func TestReadable_DoesNotWaitForTheReader(t *testing.T) {
	client, _ := connect(t)
	raw, err := client.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	reading, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = raw.Read(func(uintptr) bool {
			close(reading)
			<-release
			return true
		})
	}()
	<-reading
	looked := make(chan bool, 1)
	go func() { looked <- readable(client) }()
	select {
	case got := <-looked:
		if got {
			t.Error("an idle connection counts as readable")
		}
	case <-time.After(5 * time.Second):
		t.Error("looking at the connection waits for its reader")
	}
	close(release)
	<-done
}

// connect returns the two ends of a connection.
func connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return client, server
}
