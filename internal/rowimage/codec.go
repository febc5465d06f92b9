package rowimage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/keyset"
)

// stored is the text of an image, a JSON object. It is kept in the databases of users and read by later versions: it is only added to.
type stored struct {
	By      []string        `json:"by"`      // the columns of the key
	Key     json.RawMessage `json:"key"`     // the key's values, in the form of package keyset
	Whole   bool            `json:"whole"`   // the image holds all columns that the table had
	Columns []string        `json:"columns"` // the columns that it holds
	Values  json.RawMessage `json:"values"`  // their values
}

// SchemaError says that an image does not fit the table, which has changed since the image was stored.
type SchemaError struct {
	Table   string
	Key     string   // the row's
	Added   []string // columns that the table has and the image of the whole row has not
	Dropped []string // columns that the image holds and the table has not
	By      []string // the key's columns, where rows are found by another key now
}

// Error names the table, the row and the columns.
func (e *SchemaError) Error() string {
	var parts []string
	if len(e.Dropped) > 0 {
		parts = append(parts, "the table no longer stores "+names(e.Dropped))
	}
	if len(e.Added) > 0 {
		parts = append(parts, "the image does not have the newer "+names(e.Added))
	}
	if len(e.By) > 0 {
		parts = append(parts, "the image's key is of "+names(e.By))
	}
	return fmt.Sprintf("table %s has changed since the image of row %s: %s", e.Table, e.Key, strings.Join(parts, "; "))
}

func names(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = strconv.Quote(c)
	}
	if len(quoted) == 1 {
		return "column " + quoted[0]
	}
	return "columns " + strings.Join(quoted, ", ")
}

// Encode writes row's image as one line of text: the key and the named columns, or the whole row where none are named. The text is JSON with the
// values in the form of [keyset.Encode], so that it can be stored as text anywhere.
func (t *Table) Encode(row Row, columns ...string) (string, error) {
	image := stored{By: t.key, Columns: columns, Whole: len(columns) == 0}
	if image.Whole {
		image.Columns = t.Columns()
	}
	places, err := t.index(image.Columns)
	if err == nil {
		err = t.held(row, places)
	}
	if err != nil {
		return "", fmt.Errorf("encode image: %w", err)
	}
	values := make(keyset.Values, len(places))
	for i, place := range places {
		values[i] = row.Values[place]
	}
	for _, part := range []struct {
		to     *json.RawMessage
		values keyset.Values
	}{{&image.Key, row.Key}, {&image.Values, values}} {
		text, err := keyset.Encode(part.values)
		if err != nil {
			return "", fmt.Errorf("encode image of row %s of table %s: %w", row.Key, t.name, err)
		}
		*part.to = json.RawMessage(text)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(image); err != nil {
		return "", fmt.Errorf("encode image of row %s of table %s: %w", row.Key, t.name, err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// Decode reads what [Table.Encode] wrote. The columns that it does not hold are [Absent]. A column that is gone from the table, one that was added
// to the table of a whole row's image, and another key are a [*SchemaError]; other text is an error too.
func (t *Table) Decode(text string) (Row, error) {
	var image stored
	if err := json.Unmarshal([]byte(text), &image); err != nil {
		return Row{}, fmt.Errorf("decode image: %w", err)
	}
	key, err := keyset.Decode(string(image.Key))
	if err != nil {
		return Row{}, fmt.Errorf("decode the key of an image: %w", err)
	}
	values, err := keyset.Decode(string(image.Values))
	if err != nil {
		return Row{}, fmt.Errorf("decode image of row %s: %w", key, err)
	}
	if len(key) != len(image.By) || len(values) != len(image.Columns) {
		return Row{}, fmt.Errorf("decode image of row %s: it has %d values for %d columns", key, len(key)+len(values), len(image.By)+len(image.Columns))
	}
	row := Row{Key: key, Values: slices.Repeat([]any{Absent}, len(t.columns))}
	changed := SchemaError{Table: t.name, Key: key.String()}
	for i, name := range image.Columns {
		place := slices.IndexFunc(t.columns, func(c dialect.Column) bool { return c.Name == name })
		if place < 0 {
			changed.Dropped = append(changed.Dropped, name)
			continue
		}
		row.Values[place] = values[i]
	}
	for i, c := range t.columns {
		if image.Whole && row.Values[i] == Absent {
			changed.Added = append(changed.Added, c.Name)
		}
	}
	if !slices.Equal(image.By, t.key) {
		changed.By = image.By
	}
	if changed.Dropped != nil || changed.Added != nil || changed.By != nil {
		return Row{}, &changed
	}
	return row, nil
}
