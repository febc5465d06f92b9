package testdb_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drover-dev/drover/internal/testdb"
)

// throughProxy returns a fresh database with the table item, and the same database through a proxy.
func throughProxy(t *testing.T, name string) (*testdb.Proxy, testdb.Database, testdb.Database) {
	t.Helper()
	direct := testdb.Fresh(t, name)
	mustExec(t, direct.RawDB(t), `CREATE TABLE item (id int PRIMARY KEY)`)
	proxy := testdb.NewProxy(t, direct.Server.Addr())
	return proxy, direct, proxy.Database(direct)
}

func TestProxy_LosesTheAnswerOfACommit(t *testing.T) {
	tests := []struct {
		name string
		trap func(*testdb.Proxy) <-chan struct{}
		want int
	}{
		{"after the server has it", func(p *testdb.Proxy) <-chan struct{} { return p.CutOnClientBytes([]byte("Commit")) }, 1},
		{"before the server has it", func(p *testdb.Proxy) <-chan struct{} { return p.CutBeforeForward([]byte("Commit")) }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			eachServer(t, func(t *testing.T, name string) {
				proxy, direct, proxied := throughProxy(t, name)
				db := proxied.RawDB(t)
				sprung := test.trap(proxy)
				if err := insertInTx(t.Context(), t, db); err == nil {
					t.Error("the commit has succeeded")
				}
				<-sprung
				if n := count(t, direct.RawDB(t)); n != test.want {
					t.Errorf("rows = %d, want %d", n, test.want)
				}

				// The trap has sprung; the next transaction gets through.
				mustExec(t, direct.RawDB(t), `DELETE FROM item`)
				if err := insertInTx(t.Context(), t, db); err != nil {
					t.Errorf("second commit: %v", err)
				}
			})
		})
	}
}

func TestProxy_ForwardsLate(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		proxy, direct, proxied := throughProxy(t, name)
		db, admin := proxied.RawDB(t), direct.RawDB(t)
		sprung, late := proxy.CutAndForwardLate([]byte("COMMIT"))
		if err := insertInTx(t.Context(), t, db); err == nil {
			t.Error("the commit has succeeded")
		}
		<-sprung
		if n := count(t, admin); n != 0 {
			t.Errorf("rows = %d before the server has the commit, want none", n)
		}
		late()
		for deadline := time.Now().Add(10 * time.Second); count(t, admin) == 0; {
			if time.Now().After(deadline) {
				t.Fatal("the commit does not come")
			}
		}
		if err := db.PingContext(t.Context()); err != nil {
			t.Errorf("a new connection: %v", err)
		}
		mustExec(t, admin, `DELETE FROM item`)
		_, _ = proxy.CutAndForwardLate([]byte("COMMIT")) // one that is never let go does not hold up the end
		_ = insertInTx(t.Context(), t, db)
	})
}

func TestProxy_TrapIgnoresWhatCameBefore(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		proxy, _, proxied := throughProxy(t, name)
		db := proxied.RawDB(t)
		if err := insertInTx(t.Context(), t, db); err != nil {
			t.Fatalf("commit: %v", err)
		}
		sprung := proxy.CutOnClientBytes([]byte("COMMIT"))
		if n := count(t, db); n != 1 {
			t.Errorf("rows = %d, want 1", n)
		}
		select {
		case <-sprung:
			t.Error("the trap has sprung on a COMMIT that came before it")
		default:
		}
	})
}

func TestProxy_CutsAll(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		proxy, _, proxied := throughProxy(t, name)
		db := proxied.RawDB(t)
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		defer conn.Close()
		proxy.CutAll()
		if _, err := conn.ExecContext(t.Context(), `INSERT INTO item (id) VALUES (1)`); err == nil {
			t.Error("a cut connection works")
		}
		if n := count(t, db); n != 0 {
			t.Errorf("rows over a new connection = %d, want 0", n)
		}
	})
}

func TestProxy_Refuses(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		proxy, _, proxied := throughProxy(t, name)
		db := proxied.RawDB(t)
		kept, err := db.Conn(t.Context())
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		defer kept.Close()
		proxy.Refuse(true)
		proxy.Refuse(true)
		if err := db.PingContext(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("connect: %v, want refused", err)
		}
		if err := kept.PingContext(t.Context()); err != nil {
			t.Errorf("a connection from before: %v", err)
		}
		proxy.Refuse(false)
		if err := db.PingContext(t.Context()); err != nil {
			t.Errorf("connect again: %v", err)
		}
	})
}

func TestProxy_BlackholesResponses(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		proxy, direct, proxied := throughProxy(t, name)
		db := proxied.RawDB(t)
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		defer conn.Close()
		proxy.BlackholeResponses(true)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := conn.ExecContext(ctx, `DELETE FROM item`); err == nil {
			t.Error("there was an answer")
		}
		proxy.BlackholeResponses(false)
		if err := insertInTx(t.Context(), t, db); err != nil {
			t.Errorf("commit over a new connection: %v", err)
		}
		if n := count(t, direct.RawDB(t)); n != 1 {
			t.Errorf("rows = %d, want 1", n)
		}
	})
}

func TestProxy_FindsAPatternInPieces(t *testing.T) {
	var config net.ListenConfig
	server, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer server.Close()
	proxy := testdb.NewProxy(t, server.Addr().String())
	sprung := proxy.CutBeforeForward([]byte("commit"))

	var dialer net.Dialer
	client, err := dialer.DialContext(t.Context(), "tcp", proxy.Addr())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	defer client.Close()
	peer, err := server.Accept()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	defer peer.Close()
	for _, piece := range []string{"COM", "M", "IT"} {
		if _, err := client.Write([]byte(piece)); err != nil {
			t.Fatalf("write: %v", err)
		}
		if piece == "IT" {
			break
		}
		if _, err := peer.Read(make([]byte, len(piece))); err != nil {
			t.Fatalf("read %s: %v", piece, err)
		}
	}
	<-sprung
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after the cut: %v, want a reset", err)
	}
}

func TestProxy_WithoutAServer(t *testing.T) {
	server := testdb.NewPostgres(t)
	d := server.Database(t)
	proxy := testdb.NewProxy(t, server.Addr())
	if err := server.Kill(); err != nil {
		t.Fatalf("kill: %v", err)
	}
	var dialer net.Dialer
	// The reset may come before the connection is known to be there.
	if client, err := dialer.DialContext(t.Context(), "tcp", proxy.Addr()); err == nil {
		defer client.Close()
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("there is an answer without a server")
		}
	}
	if want := strings.Replace(d.URL, server.Addr(), proxy.Addr(), 1); proxy.URL(d.URL) != want {
		t.Errorf("URL = %s, want %s", proxy.URL(d.URL), want)
	}
}

func TestProxy_LeavesNoGoroutines(t *testing.T) {
	testdb.Postgres(t) // its goroutine is there before and after
	before := goleak.IgnoreCurrent()
	t.Run("the test", func(t *testing.T) {
		proxy, _, proxied := throughProxy(t, testdb.NamePostgres)
		mustExec(t, proxied.RawDB(t), `SELECT 1`)
		proxy.Close()
		proxy.Close()
	})
	goleak.VerifyNone(t, before, testdb.IgnoreServers())
}
