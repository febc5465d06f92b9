package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/datafile"
)

// fileForm is the options that say how a file of rows is written.
type fileForm struct {
	format, compression, delimiter, null string
	noHeader                             bool
}

// read reads them. named says that the name of the file tells what they leave open.
func (o *fileForm) read(c *drover.Call, file string, named bool) (datafile.Form, error) {
	form := datafile.Form{Format: datafile.CSV, NoHeader: o.noHeader, Null: o.null}
	if named {
		format, compression, err := datafile.Detect(file)
		switch {
		case err == nil:
			form.Format, form.Compression = format, compression
		case o.format == "":
			return form, drover.Exit(drover.ExitUsage, "%w", err).Try("--format FORMAT says it: csv, jsonl or parquet")
		}
	}
	if o.format != "" {
		form.Format = datafile.Format(strings.ToLower(o.format))
		if !slices.Contains([]datafile.Format{datafile.CSV, datafile.JSONL, datafile.Parquet}, form.Format) {
			return form, drover.Exit(drover.ExitUsage, "unknown format %q", o.format).Try("--format csv, jsonl or parquet")
		}
	}
	switch compression := strings.ToLower(o.compression); compression {
	case "":
	case "none":
		form.Compression = datafile.Plain
	case "gzip", "zstd":
		form.Compression = datafile.Compression(compression)
	default:
		return form, drover.Exit(drover.ExitUsage, "unknown compression %q", o.compression).Try("--compression gzip, zstd or none")
	}
	if c.Flags().Changed("delimiter") {
		if o.delimiter == "tab" || o.delimiter == `\t` {
			o.delimiter = "\t"
		}
		if len(o.delimiter) != 1 {
			return form, drover.Exit(drover.ExitUsage, "--delimiter %q is not one character of ASCII", o.delimiter)
		}
		form.Comma = o.delimiter[0]
	}
	if err := form.Check(); err != nil {
		return form, drover.Exit(drover.ExitUsage, "%w", err)
	}
	return form, nil
}

// readText is all of a form that what is read depends on, for people.
func readText(form datafile.Form) string {
	text := formText(form)
	if form.Format != datafile.CSV {
		return text
	}
	comma, header := byte(','), "with"
	if form.Comma != 0 {
		comma = form.Comma
	}
	if form.NoHeader {
		header = "without"
	}
	return fmt.Sprintf("%s, %s a header, %q between two fields, %q for NULL", text, header, comma, form.Null)
}

// formText tells a form to people.
func formText(form datafile.Form) string {
	text := string(form.Format)
	if form.Compression != datafile.Plain {
		text += ", " + string(form.Compression)
	}
	return text
}
