package testdb

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy stands between clients and a server and breaks the network as a test wishes. A connection that it cuts ends with
// a reset on both sides, as when a machine between them dies; one that a side closes by itself is closed orderly on the
// other. Its methods may be called by several goroutines.
type Proxy struct {
	t      testing.TB
	target string
	port   int
	wg     sync.WaitGroup

	mu        sync.Mutex
	listener  net.Listener // nil while connections are refused
	links     map[*link]struct{}
	trap      *trap // nil when none is set
	blackhole bool
	closed    bool
}

// NewProxy starts a proxy in front of an address, such as Server.Addr, on a port of its own. It is closed at the end of
// the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	port, err := ports.take()
	if err != nil {
		t.Fatalf("testdb: start a proxy: %v", err)
	}
	p := &Proxy{t: t, target: target, port: port, links: map[*link]struct{}{}}
	p.Refuse(false)
	t.Cleanup(p.Close)
	return p
}

// Addr returns the proxy's address as host:port. It stays the same over Refuse.
func (p *Proxy) Addr() string { return address(p.port) }

// URL returns a database's URL with the proxy's address in place of the server's.
func (p *Proxy) URL(address string) string {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		p.t.Fatalf("testdb: a proxy in front of %q: not the URL of a server", address)
	}
	u.Host = p.Addr()
	return u.String()
}

// Database returns a database of the server as it is reached through the proxy.
func (p *Proxy) Database(d Database) Database {
	p.t.Helper()
	d.URL = p.URL(d.URL)
	return d
}

// CutAll cuts all connections. New ones are accepted.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Refuse makes the proxy's port closed, so that new connections are refused, or opens it again. Connections that exist
// go on.
func (p *Proxy) Refuse(refuse bool) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || refuse == (p.listener == nil) {
		return
	}
	if refuse {
		p.closeListener()
		return
	}
	listener, err := listen(p.port)
	if err != nil {
		p.t.Errorf("testdb: open the port of a proxy: %v", err)
		return
	}
	p.listener = listener
	p.wg.Go(func() { p.accept(listener) })
}

// BlackholeResponses makes the proxy swallow all that servers send, or ends that. What was swallowed is lost: a
// connection that has lost something is of no more use.
func (p *Proxy) BlackholeResponses(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blackhole = on
}

// CutOnClientBytes sets a trap for the next bytes of a client that contain the pattern, in upper or lower case. They are
// passed on; when the server answers, it has done what they ask for; the answer is dropped and the connection cut. With
// the pattern COMMIT, the transaction is committed and the client cannot know.
//
// The trap springs once; the returned channel is closed when the connection has been cut. Setting a trap replaces the one
// before. The pattern is looked for in everything that clients send, such as a statement that is only prepared, or a
// value. The client must wait for each answer before it asks again: an answer to something earlier would be taken for
// the one to lose.
func (p *Proxy) CutOnClientBytes(pattern []byte) <-chan struct{} {
	return p.setTrap(newTrap(pattern, true))
}

// CutBeforeForward sets a trap like that of CutOnClientBytes which cuts the connection without passing the bytes on. With
// the pattern COMMIT, the server rolls the transaction back, and again the client cannot know.
func (p *Proxy) CutBeforeForward(pattern []byte) <-chan struct{} {
	return p.setTrap(newTrap(pattern, false))
}

// CutAndForwardLate sets a trap like that of CutBeforeForward which cuts only the client off. The server gets the bytes when late is called, once,
// as if they had been on the way for that long. With the pattern COMMIT, the transaction is open until then.
func (p *Proxy) CutAndForwardLate(pattern []byte) (sprung <-chan struct{}, late func()) {
	t := newTrap(pattern, false)
	t.late = make(chan struct{})
	return p.setTrap(t), func() { close(t.late) }
}

func (p *Proxy) setTrap(t *trap) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = t
	return t.sprung
}

// Close cuts all connections and closes the port. It returns when all of the proxy's goroutines have ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.closeListener()
	for l := range p.links {
		l.cut()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// closeListener closes the port; the caller holds the mutex.
func (p *Proxy) closeListener() {
	if p.listener == nil {
		return
	}
	if err := p.listener.Close(); err != nil {
		p.t.Errorf("testdb: close the port of a proxy: %v", err)
	}
	p.listener = nil
}

// accept serves the clients of one listener until it is closed.
func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.t.Errorf("testdb: accept a connection to a proxy: %v", err)
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve connects a client to the server; when there is none, the client is cut off.
func (p *Proxy) serve(client net.Conn) {
	var dialer net.Dialer
	server, err := dialer.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	l := &link{proxy: p, client: client, server: server, ended: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		l.cut()
	}
	p.links[l] = struct{}{}
	p.mu.Unlock()

	l.run()

	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}
