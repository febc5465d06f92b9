package datafile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetRows is how many rows are decoded at a time.
const parquetRows = 256

// parquetReading reads the rows of a Parquet file.
type parquetReading struct {
	file   *file
	reader *parquet.GenericReader[any]
	leaves []parquetLeaf
	rows   []parquet.Row // decoded
	used   int           // of them
	at     int64         // rows before it
	fields [][]byte
	buf    []byte
}

// parquetLeaf is a column of values.
type parquetLeaf struct {
	column int // its place among the columns of the file; -1 where its values have no text
	text   func(out []byte, v parquet.Value) ([]byte, error)
}

// parquetFile opens the file's description. The indexes by which a program looks values up are left in the file: all rows are read, in their order.
func parquetFile(f *file) (*parquet.File, error) {
	opened, err := parquet.OpenFile(f.File, f.info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("it is no Parquet file that can be read: %w", err)
	}
	return opened, nil
}

func (in *Input) measureParquet(_ context.Context, f *file) error {
	p, err := parquetFile(f)
	if err != nil {
		return err
	}
	in.rows, in.begin = p.NumRows(), Place{Line: 1}
	for _, field := range p.Schema().Fields() {
		in.names = append(in.names, field.Name())
		if !field.Leaf() || field.Repeated() {
			if in.nested == nil {
				in.nested = map[string]string{}
			}
			in.nested[field.Name()] = "it holds lists or groups of values"
		}
	}
	if name := repeated(in.names); name != "" {
		return fmt.Errorf("the file has the column %q twice", name)
	}
	return nil
}

func (in *Input) readParquet(f *file, from Place) (reading, error) {
	p, err := parquetFile(f)
	if err != nil {
		return nil, err
	}
	r := &parquetReading{file: f, reader: parquet.NewGenericReader[any](p), at: from.Byte, fields: make([][]byte, len(in.names))}
	for column, field := range p.Schema().Fields() {
		if in.nested[field.Name()] == "" {
			r.leaves = append(r.leaves, parquetLeaf{column, parquetTextOf(field.Type())})
			continue
		}
		for range leavesOf(field) {
			r.leaves = append(r.leaves, parquetLeaf{column: -1})
		}
	}
	if err := r.reader.SeekToRow(from.Byte); err != nil {
		return nil, errors.Join(fmt.Errorf("go to row %d: %w", from.Line, err), r.reader.Close())
	}
	return r, nil
}

// leavesOf is the number of columns that a group is stored in.
func leavesOf(n parquet.Node) int {
	if n.Leaf() {
		return 1
	}
	sum := 0
	for _, field := range n.Fields() {
		sum += leavesOf(field)
	}
	return sum
}

func (r *parquetReading) next(p *Page) error {
	if r.used == len(r.rows) {
		if err := r.decode(); err != nil {
			return err
		}
	}
	row := r.rows[r.used]
	r.used++
	at := Place{r.at + 1, r.at}
	r.at++
	err := r.texts(row)
	for i, field := range r.fields {
		if i > 0 {
			p.data = append(p.data, p.comma)
		}
		p.data = AppendField(p.data, field, p.comma, p.null)
	}
	p.add(at, Place{r.at + 1, r.at}, err)
	return nil
}

// decode decodes further rows.
func (r *parquetReading) decode() error {
	if r.rows == nil {
		r.rows = make([]parquet.Row, parquetRows)
	}
	r.rows = r.rows[:cap(r.rows)]
	n, err := r.reader.ReadRows(r.rows)
	r.rows, r.used = r.rows[:n], 0
	if changed := r.file.unchanged(); changed != nil { // what was written into it before is in the rows
		return changed
	}
	switch {
	case n > 0:
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return io.EOF
	}
	return fmt.Errorf("row %d: %w", r.at+1, err)
}

// texts makes the fields of a row; they are good until the next one.
func (r *parquetReading) texts(row parquet.Row) error {
	clear(r.fields)
	buf := r.buf[:0]
	for _, v := range row {
		leaf := r.leaves[v.Column()]
		if leaf.column < 0 || v.IsNull() {
			continue
		}
		from := len(buf)
		var err error
		if buf, err = leaf.text(buf, v); err != nil {
			return err
		}
		// Where buf has grown, the fields before it stay in the old one.
		r.fields[leaf.column] = buf[from:len(buf):len(buf)]
	}
	r.buf = buf
	return nil
}

// Close closes the file.
func (r *parquetReading) Close() error {
	err := r.reader.Close()
	r.file.close()
	return err
}

// parquetTextOf is the way from a column's values to their text.
func parquetTextOf(typ parquet.Type) func(out []byte, v parquet.Value) ([]byte, error) {
	if logical := typ.LogicalType(); logical != nil {
		switch t := logical.Value.(type) {
		case *format.DecimalType:
			return func(out []byte, v parquet.Value) ([]byte, error) { return appendUnscaled(out, v, int(t.Scale)), nil }
		case *format.DateType:
			return func(out []byte, v parquet.Value) ([]byte, error) {
				return time.Unix(int64(v.Int32())*24*60*60, 0).UTC().AppendFormat(out, dateForm), nil
			}
		case *format.TimeType:
			unit := t.Unit.Value.Duration()
			return func(out []byte, v parquet.Value) ([]byte, error) {
				return time.Unix(0, 0).UTC().Add(time.Duration(integerOf(v))*unit).AppendFormat(out, timeForm), nil
			}
		case *format.TimestampType:
			return instantText(t.Unit.Value.Duration(), t.IsAdjustedToUTC)
		case *format.IntType:
			if !t.IsSigned {
				return func(out []byte, v parquet.Value) ([]byte, error) {
					if v.Kind() == parquet.Int32 {
						return strconv.AppendUint(out, uint64(uint32(v.Int32())), 10), nil
					}
					return strconv.AppendUint(out, uint64(v.Int64()), 10), nil
				}
			}
		case *format.UUIDType:
			return func(out []byte, v parquet.Value) ([]byte, error) {
				out, _ = appendUUID(out, v.ByteArray())
				return out, nil
			}
		case *format.StringType, *format.EnumType, *format.JsonType:
			return func(out []byte, v parquet.Value) ([]byte, error) { return append(out, v.ByteArray()...), nil }
		}
	}
	return appendPlain
}

// instantText writes times that count units from 1970 on.
func instantText(unit time.Duration, zoned bool) func(out []byte, v parquet.Value) ([]byte, error) {
	second := int64(time.Second / unit)
	return func(out []byte, v parquet.Value) ([]byte, error) {
		n := v.Int64()
		seconds, rest := n/second, n%second
		return appendZone(time.Unix(seconds, rest*int64(unit)).UTC().AppendFormat(out, instantForm), zoned), nil
	}
}

func integerOf(v parquet.Value) int64 {
	if v.Kind() == parquet.Int32 {
		return int64(v.Int32())
	}
	return v.Int64()
}

// julianDay is the day 1970-01-01 in the days that an INT96 counts.
const julianDay = 2_440_588

// appendPlain appends a value of a type that stands for nothing else.
func appendPlain(out []byte, v parquet.Value) ([]byte, error) {
	switch v.Kind() {
	case parquet.Boolean:
		return appendBool(out, v.Boolean()), nil
	case parquet.Int32, parquet.Int64:
		return strconv.AppendInt(out, integerOf(v), 10), nil
	case parquet.Float:
		return appendFloat(out, float64(v.Float()), true), nil
	case parquet.Double:
		return appendFloat(out, v.Double(), false), nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return appendBytes(out, v.ByteArray()), nil
	case parquet.Int96: // a time, as older programs write it: nanoseconds of the day, and the day
		n := v.Int96()
		nanos := int64(binary.LittleEndian.Uint64(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, n[0]), n[1])))
		return time.Unix((int64(n[2])-julianDay)*24*60*60, nanos).UTC().AppendFormat(out, instantForm), nil
	}
	return out, fmt.Errorf("a value of the type %s has no text", v.Kind())
}

// appendUnscaled appends a decimal that is kept as a whole number of units of 10^-scale.
func appendUnscaled(out []byte, v parquet.Value, scale int) []byte {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32, parquet.Int64:
		n.SetInt64(integerOf(v))
	default:
		raw := v.ByteArray()
		n.SetBytes(raw)
		if len(raw) > 0 && raw[0] >= 0x80 { // the complement of two
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
		}
	}
	if n.Sign() < 0 {
		out = append(out, '-')
		n.Neg(n)
	}
	digits := n.String()
	for len(digits) <= scale {
		digits = "0" + digits
	}
	out = append(out, digits[:len(digits)-scale]...)
	if scale > 0 {
		out = append(append(out, '.'), digits[len(digits)-scale:]...)
	}
	return out
}
