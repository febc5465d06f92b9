package datafile

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// groupBytes is how much text a row group holds. It is kept in memory until it is written.
const groupBytes = 32 << 20

// parquetEncoder writes a Parquet file, compressed with Snappy, in row groups.
type parquetEncoder struct {
	writer  *parquet.GenericWriter[any]
	columns []parquetColumn
	row1    []parquet.Row // the row in hand
	size    int           // of the row group
}

// parquetColumn makes the values of a column.
type parquetColumn struct {
	name     string
	node     parquet.Node
	value    func(text []byte) (parquet.Value, error)
	optional int // the definition level of a value
}

func newParquetEncoder(out io.Writer, columns []Column) (*parquetEncoder, error) {
	e := &parquetEncoder{row1: []parquet.Row{make(parquet.Row, len(columns))}}
	group := orderedGroup{Group: parquet.Group{}}
	for _, c := range columns {
		if _, twice := group.Group[c.Name]; twice {
			return nil, fmt.Errorf("a Parquet file cannot have two columns %q", c.Name)
		}
		p := parquetColumn{name: c.Name}
		p.node, p.value = parquetType(c.Type)
		if c.Nullable {
			p.node, p.optional = parquet.Optional(p.node), 1
		}
		group.Group[c.Name] = p.node
		group.order = append(group.order, c.Name)
		e.columns = append(e.columns, p)
	}
	e.writer = parquet.NewGenericWriter[any](out, parquet.NewSchema("row", group), parquet.Compression(&parquet.Snappy), parquet.CreatedBy("drover", "", ""))
	return e, nil
}

// orderedGroup keeps the columns in their order; parquet-go sorts them by name.
type orderedGroup struct {
	parquet.Group
	order []string
}

// Fields returns the columns in their order.
func (g orderedGroup) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	fields := make([]parquet.Field, len(g.order))
	for i, name := range g.order {
		fields[i] = byName[name]
	}
	return fields
}

func (e *parquetEncoder) row(_ *blocks, fields []Field) error {
	row := e.row1[0]
	for i := range e.columns {
		c := &e.columns[i]
		text := fields[i].Text
		if text == nil {
			row[i] = parquet.NullValue().Level(0, 0, i)
			continue
		}
		v, err := c.value(text)
		if err != nil {
			return fmt.Errorf("column %s: %.60q %w", c.name, text, err)
		}
		row[i] = v.Level(0, c.optional, i)
		e.size += len(text) + 1
	}
	if _, err := e.writer.WriteRows(e.row1); err != nil {
		return err
	}
	if e.size < groupBytes {
		return nil
	}
	e.size = 0
	return e.writer.Flush()
}

func (e *parquetEncoder) end() error { return e.writer.Close() }
