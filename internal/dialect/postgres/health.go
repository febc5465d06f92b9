//go:build unix

package postgres

import (
	"context"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// pingAfter is the idle time after which a connection is pinged before use, pgx's own default.
const pingAfter = time.Second

// lookAfter is the idle time up to which a connection is used without a look: what a loop would pay for at every turn.
const lookAfter = 5 * time.Millisecond

// shouldPing decides whether a pooled connection is pinged before it is used. pgx pings after a second of
// idleness; a connection that the server closed within that second would fail the next statement, so the socket
// is looked at too, which costs no round trip: a healthy idle connection has nothing to read.
func shouldPing(_ context.Context, p pgxpool.ShouldPingParams) bool {
	return p.IdleDuration > pingAfter || p.IdleDuration > lookAfter && readable(p.Conn.PgConn().Conn())
}

// readable reports whether conn has bytes or its end waiting. A connection that cannot be looked at counts as
// readable: the ping decides. It must not wait for the connection's reader: pgx leaves one behind after a slow write, which
// reads on until the next answer comes, so the descriptor is taken with Control and not with Read.
func readable(conn net.Conn) bool {
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	idle := false
	err = raw.Control(func(fd uintptr) {
		var buf [1]byte
		_, _, err := syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		idle = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err != nil || !idle
}
