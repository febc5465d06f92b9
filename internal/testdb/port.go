package testdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// The ports lie below those that Linux gives to outgoing connections: another program's connection never takes the port
// of a server that a test has stopped, and no client connects to itself on it.
const (
	firstPort = 20000
	portCount = 12000
)

// ports gives every server and every proxy of the test binary a port of its own.
var ports = portPool{next: firstPort}

type portPool struct {
	mu   sync.Mutex
	next int

	// claims keep the ports from all other test binaries of the machine until this one ends. A port is never given back:
	// a client that a test has left behind would meet another test's server on it.
	claims []net.Listener
}

// take returns a port of 127.0.0.1 on which nothing listens. It stays ours while nothing listens on it, so that a server
// can be stopped and started again.
func (p *portPool) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.next < firstPort+portCount {
		port := p.next
		p.next++
		claim, err := claimPort(port)
		if err != nil {
			return 0, err
		}
		if claim == nil {
			continue
		}
		if !isFree(port) {
			_ = claim.Close()
			continue
		}
		p.claims = append(p.claims, claim)
		return port, nil
	}
	return 0, fmt.Errorf("no free port from %d to %d", firstPort, firstPort+portCount-1)
}

// claimPort takes a lock on the port; it returns nil when another test binary holds it. The lock is a socket in Linux's
// abstract namespace: it belongs to the same network namespace as the port, whatever folders and users the test binaries
// have, and the kernel releases it when the process ends.
func claimPort(port int) (net.Listener, error) {
	var config net.ListenConfig
	claim, err := config.Listen(context.Background(), "unix", "@drover-testdb-port-"+strconv.Itoa(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claim port %d: %w", port, err)
	}
	return claim, nil
}

// isFree reports whether no other program listens on the port.
func isFree(port int) bool {
	l, err := listen(port)
	return err == nil && l.Close() == nil
}

func listen(port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", address(port))
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
