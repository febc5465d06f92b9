package testdb

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
)

// trap waits for bytes of a client.
type trap struct {
	pattern []byte // in lower case
	forward bool   // pass the bytes on and lose the answer
	sprung  chan struct{}
	late    chan struct{} // pass them on when it is closed, after the client was cut off; else nil
}

func newTrap(pattern []byte, forward bool) *trap {
	return &trap{pattern: bytes.ToLower(pattern), forward: forward, sprung: make(chan struct{})}
}

// matches reports whether the pattern ends in the new bytes; before are those that came just before them.
func (t *trap) matches(before, now []byte) bool {
	before = before[max(0, len(before)-max(0, len(t.pattern)-1)):]
	window := append(bytes.ToLower(before), bytes.ToLower(now)...)
	return bytes.Contains(window, t.pattern)
}

// link is one connection through a Proxy.
type link struct {
	proxy  *Proxy
	client net.Conn
	server net.Conn
	once   sync.Once
	ended  chan struct{} // the server has answered after the client was cut off, or is gone

	// losing is the trap that the client has sprung and whose answer is to be lost; guarded by the proxy's mutex.
	losing *trap
}

// run passes bytes in both directions until both have ended.
func (l *link) run() {
	var both sync.WaitGroup
	both.Go(l.requests)
	both.Go(func() {
		defer close(l.ended)
		l.answers()
	})
	both.Wait()
	l.cut()
	if l.losing != nil {
		close(l.losing.sprung)
	}
}

// cut resets the connection on both sides.
func (l *link) cut() {
	l.once.Do(func() {
		reset(l.client)
		reset(l.server)
	})
}

// reset closes a connection without the orderly end of TCP: the other side gets "connection reset by peer".
func reset(conn net.Conn) {
	// Either fails only for a connection that is gone already.
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// requests passes on what the client sends, until a side ends or a trap springs.
func (l *link) requests() {
	var before []byte // a pattern may come in two pieces
	l.pump(l.server, l.client, func(now []byte) bool {
		trap := l.spring(before, now)
		before = append(before, now...)
		before = before[max(0, len(before)-maxPattern):]
		if trap == nil || trap.forward {
			return true
		}
		if trap.late != nil {
			l.sendLate(trap, now)
			return false
		}
		l.cut()
		close(trap.sprung)
		return false
	})
}

// sendLate cuts the client off, and passes its last bytes on when the trap says so.
func (l *link) sendLate(trap *trap, bytes []byte) {
	reset(l.client)
	close(trap.sprung)
	select {
	case <-trap.late:
		if _, err := l.server.Write(bytes); err == nil {
			<-l.ended
		}
	case <-l.ended:
	}
	l.cut()
}

// maxPattern is the longest pattern that is found although it comes in pieces.
const maxPattern = 1 << 10

// spring takes the proxy's trap away when the client's bytes match it. If the answer is to be lost, that is noted before
// the bytes are passed on.
func (l *link) spring(before, now []byte) *trap {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	trap := l.proxy.trap
	if trap == nil || !trap.matches(before, now) {
		return nil
	}
	l.proxy.trap = nil
	if trap.forward {
		l.losing = trap
	}
	return trap
}

// answers passes on what the server sends, until a side ends or an answer is to be lost.
func (l *link) answers() {
	l.pump(l.client, l.server, func([]byte) bool {
		l.proxy.mu.Lock()
		defer l.proxy.mu.Unlock()
		if l.losing != nil {
			l.cut()
			return false
		}
		return !l.proxy.blackhole
	})
}

// pump copies bytes that pass says yes to. An orderly end is handed on; after any other the connection is cut.
func (l *link) pump(to, from net.Conn, pass func([]byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && pass(buf[:n]) {
			if _, err := to.Write(buf[:n]); err != nil {
				l.cut()
				return
			}
		}
		if errors.Is(err, io.EOF) {
			if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			return
		}
		if err != nil {
			l.cut()
			return
		}
	}
}
