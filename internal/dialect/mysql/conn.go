package mysql

import (
	"bufio"
	"context"
	"errors"
	"net"
	"syscall"
)

// readAhead is how many bytes of an answer are read at a time. The driver's own buffer has 4 kB, so that of a large result it asks the system sixteen
// times as often.
const readAhead = 64 << 10

// conn is a connection that is read in large pieces.
type conn struct {
	net.Conn
	raw syscall.Conn
	in  *bufio.Reader
}

// SyscallConn is how the driver looks whether an idle connection is still alive.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() } //nolint:wrapcheck // the driver knows the errors of a connection

// Read reads what was read ahead, and more where that is used up.
func (c *conn) Read(p []byte) (int, error) { return c.in.Read(p) } //nolint:wrapcheck // as above

// dial is the driver's way to connect, with the larger buffer.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	raw, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.Join(errors.New("the connection is none of the system's"), c.Close())
	}
	return &conn{c, raw, bufio.NewReaderSize(c, readAhead)}, nil
}
