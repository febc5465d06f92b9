// Package datafile writes rows to files and reads them: CSV, JSON Lines and Parquet, the first two plain or compressed with gzip or zstd. The commands
// export and import and the archive of purge share it, so that the same values have the same text in all of them.
//
//	in, err := datafile.Measure(ctx, "events.csv.gz", form)   // one pass: columns, records, SHA-256
//	r, err := in.Read(in.Begin())                             // or from the place of any other record on
//	page, err := r.Next(20_000)                               // records as one block of CSV, whatever the format
//
// # The text of a value
//
// CSV holds values in the text form that PostgreSQL's COPY writes, on all databases:
//
//	NULL            nothing between two commas; an empty text is quoted: ""
//	integer         digits
//	decimal         as the database spells it: 1.50; SQLite's with the zeros that the declared scale asks for
//	float           the shortest text that reads back as the same number; NaN, Infinity, -Infinity
//	boolean         t or f, of a tinyint(1) of MySQL too where it holds 1 or 0
//	text, JSON      itself, quoted where it holds a comma, a quote, an end of line, or is the NULL text
//	bytes           \x and hexadecimal digits
//	date, time      2026-01-02, 15:04:05.123456
//	date and time   2026-01-02 15:04:05.123456, in UTC; with +00 behind it where the column has a zone, in SQLite where the stored text has one
//	UUID            36 characters in lower case
//
// Lines end with a single line feed. In a file of one column a NULL is an empty line. JSON Lines holds an object for each row: numbers for numbers, true and false, null, JSON as it is, and
// strings in the forms above for the rest. Parquet holds the types of its own that come nearest.
package datafile

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Format is how rows stand in a file.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// Compression is how the file's bytes are packed.
type Compression string

// The compressions. A Parquet file is compressed inside, and has none of them.
const (
	Plain Compression = ""
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// endings are the ends of file names that tell a format and a compression.
var (
	formats      = map[string]Format{".csv": CSV, ".jsonl": JSONL, ".ndjson": JSONL, ".parquet": Parquet}
	compressions = map[string]Compression{".gz": Gzip, ".zst": Zstd}
)

// Detect tells the format and the compression from a file's name: events.csv.gz is CSV in gzip. The error says which ends it knows.
func Detect(name string) (Format, Compression, error) {
	name = strings.ToLower(filepath.Base(name))
	compression := compressions[filepath.Ext(name)]
	if compression != Plain {
		name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	format, ok := formats[filepath.Ext(name)]
	if !ok {
		return "", "", fmt.Errorf("the name %q does not tell the format of the file: it ends in none of .csv, .jsonl, .ndjson and .parquet, each but the last also with .gz or .zst behind it", name)
	}
	if format == Parquet && compression != Plain {
		return "", "", fmt.Errorf("a Parquet file is compressed inside: %q has an ending too many", name)
	}
	return format, compression, nil
}

// Ending is the end of the names of such files: ".csv.gz".
func Ending(format Format, compression Compression) string {
	return "." + string(format) + map[Compression]string{Plain: "", Gzip: ".gz", Zstd: ".zst"}[compression]
}
