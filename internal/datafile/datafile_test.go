package datafile

import "testing"

func TestDetect(t *testing.T) {
	for _, test := range []struct {
		name        string
		format      Format
		compression Compression
		fails       bool
	}{
		{name: "events.csv", format: CSV},
		{name: "/data/2026.11/EVENTS.CSV.GZ", format: CSV, compression: Gzip},
		{name: "events.jsonl.zst", format: JSONL, compression: Zstd},
		{name: "events.ndjson", format: JSONL},
		{name: "events.parquet", format: Parquet},
		{name: "events.parquet.gz", fails: true},
		{name: "events.gz", fails: true},
		{name: "csv", fails: true},
		{name: "events.txt", fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			format, compression, err := Detect(test.name)
			if format != test.format || compression != test.compression || (err != nil) != test.fails {
				t.Errorf("Detect(%q) = %q, %q, %v", test.name, format, compression, err)
			}
		})
	}
}
