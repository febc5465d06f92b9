package datafile

import (
	"io"
	"sync"
)

// blockSize is how many bytes are handed over at a time.
const blockSize = 128 << 10

// blocks is a buffer whose full blocks another goroutine writes.
type blocks struct {
	buf  []byte // filled by the owner, who calls flush
	full chan []byte
	free chan []byte
	work sync.WaitGroup

	mu  sync.Mutex
	err error // the first one; nothing is written behind it
}

func newBlocks(out io.Writer) *blocks {
	const spare = 3 // one is written, two wait
	b := &blocks{buf: newBlock(), full: make(chan []byte, spare-1), free: make(chan []byte, spare+1)}
	for range spare {
		b.free <- newBlock()
	}
	b.work.Go(func() {
		for p := range b.full {
			if b.failure() == nil {
				if _, err := out.Write(p); err != nil {
					b.fail(err)
				}
			}
			b.free <- p[:0]
		}
	})
	return b
}

func newBlock() []byte { return make([]byte, 0, blockSize+blockSize/8) }

// flush hands the buffer over where it is full.
func (b *blocks) flush() error {
	if len(b.buf) < blockSize {
		return nil
	}
	b.full <- b.buf
	b.buf = <-b.free
	return b.failure()
}

// Write is for bytes that are not appended by their maker.
func (b *blocks) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), b.flush()
}

// close writes what is left and waits for it.
func (b *blocks) close() error {
	b.full <- b.buf
	close(b.full)
	b.work.Wait()
	return b.failure()
}

func (b *blocks) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *blocks) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}
