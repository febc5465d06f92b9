package batch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// JSONL makes the lines of a file the source, each a JSON value that is decoded into a T as encoding/json does. What [CSV] says of the position,
// of a file that changes and of malformed rows holds here too: a line that is no JSON, or not of a T, is the error of one row. Empty lines are
// left out, and a line may have 64 MiB.
func JSONL[T any](path string) Source[T] {
	return newFile(path, func(in *input, from place) (records[T], error) {
		mark, err := skipMark(in)
		if err != nil {
			return nil, err
		}
		if from.offset > 0 {
			return &jsonRecords[T]{in: in, at: from}, in.seek(from.offset)
		}
		return &jsonRecords[T]{in: in, at: place{line: 1, offset: mark}}, nil
	}, decodeJSON[T])
}

func decodeJSON[T any](text string) (item T, err error) {
	return item, json.Unmarshal([]byte(text), &item)
}

// jsonRecords reads the lines of a file.
type jsonRecords[T any] struct {
	in   *input
	at   place
	line []byte
}

func (j *jsonRecords[T]) next() (entry[T], error) {
	for {
		from := j.at
		line, err := j.read()
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && j.at == from:
			return entry[T]{}, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return entry[T]{}, fmt.Errorf("line %d: %w", from.line, err)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		e := entry[T]{key: from.values(), end: j.at.values()}
		if j.in.sum != nil { // they are only counted
			return e, nil
		}
		if err := json.Unmarshal(line, &e.item); err != nil {
			e.bad = fmt.Errorf("line %d: %w", from.line, positioned(err))
			e.raw = j.in.raw(from.offset, j.at.offset)
		}
		return e, nil
	}
}

// read reads a line. It is kept until the next call.
func (j *jsonRecords[T]) read() ([]byte, error) {
	j.line, j.in.long = j.line[:0], 0
	for {
		part, err := j.in.ReadSlice('\n')
		j.line = append(j.line, part...)
		j.at.offset += int64(len(part))
		switch {
		case err == nil:
			j.at.line++
			return j.line, nil
		case j.in.failed != nil:
			return nil, j.in.failed
		case !errors.Is(err, bufio.ErrBufferFull):
			return j.line, err
		}
	}
}

// positioned adds the place in the line to an error of encoding/json that does not tell it.
func positioned(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return err
}
