package runstore

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/drover-dev/drover/internal/keyset"
)

// Identity returns the hash of what makes work the same work: the command, its arguments, and the database by its address. The order of
// arguments with different names does not matter.
func Identity(command string, args []Argument, database string) string {
	hash := sha256.New()
	add := func(text string) { // the length before each text, so that no two lists of texts are written alike
		_, _ = hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text)))) // a hash does not fail
		_, _ = hash.Write([]byte(text))
	}
	add(command)
	add(database)
	sorted := slices.Clone(args)
	slices.SortStableFunc(sorted, func(a, b Argument) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range sorted {
		add(a.Name)
		add(a.Value)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// NewID returns a new run id, a ULID of the given time. It is unique without asking the database.
func NewID(now time.Time) string { return ulid.MustNew(ulid.Timestamp(now), rand.Reader).String() }

// moment scans a time of the tables. A pool that the user opened may hand it out as text, which is in UTC where it names no zone.
type moment struct{ time.Time }

// Scan reads NULL as the zero time.
func (m *moment) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		m.Time = time.Time{}
		return nil
	case time.Time:
		m.Time = v.UTC()
		return nil
	case []byte:
		return m.Scan(string(v))
	case string:
		for _, layout := range []string{"2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999"} {
			if t, err := time.Parse(layout, v); err == nil {
				m.Time = t.UTC()
				return nil
			}
		}
		return fmt.Errorf("%q is no time", v)
	}
	return fmt.Errorf("a %T is no time", value)
}

// key scans an encoded key; NULL is nil.
type key struct{ keyset.Values }

// Scan decodes the text.
func (k *key) Scan(value any) (err error) {
	switch v := value.(type) {
	case nil:
		k.Values = nil
		return nil
	case string:
		k.Values, err = keyset.Decode(v)
		return err
	case []byte:
		k.Values, err = keyset.Decode(string(v))
		return err
	}
	return fmt.Errorf("a %T is no key", value)
}

// micros is a duration as the tables keep it.
type micros int64

func (m micros) duration() time.Duration { return time.Duration(m) * time.Microsecond }

// encodeKey makes the parameter of a key.
func encodeKey(v keyset.Values) (any, error) {
	if v == nil {
		return nil, nil
	}
	text, err := keyset.Encode(v)
	if err != nil {
		return nil, fmt.Errorf("encode the key %s: %w", v, err)
	}
	return text, nil
}

// document scans a JSON text.
type document struct{ into any }

// Scan unmarshals the text.
func (d document) Scan(value any) error {
	switch v := value.(type) {
	case string:
		return json.Unmarshal([]byte(v), d.into)
	case []byte:
		return json.Unmarshal(v, d.into)
	}
	return fmt.Errorf("a %T is no JSON", value)
}

// encodeJSON writes v as people like to read it.
func encodeJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// Storable makes a text one that every database stores: what a database driver or a user's row puts into an error may be no UTF-8 or hold a NUL, which PostgreSQL does not
// store, and a run that cannot note why it failed would be worse than a sign that is lost.
func Storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// cut is Storable for a column of 255 characters.
func cut(text string) string {
	const most = 255
	text = Storable(text)
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}
