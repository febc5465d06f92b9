package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/rowload"
	"github.com/drover-dev/drover/internal/suggest"
)

// pair is a field of the file and the column that it goes to; "" for one that is left out.
type pair struct{ field, column string }

// match finds the column of every field. Everything that does not fit is said before anything is written.
func (j *importing) match() ([]rowload.Column, error) {
	wanted, err := j.wanted()
	if err != nil {
		return nil, err
	}
	var columns []rowload.Column
	for i, field := range j.in.Columns() {
		name, said := wanted[field]
		if !said {
			name = field
		}
		j.pairs = append(j.pairs, pair{field, name})
		if name == "" {
			continue
		}
		c, err := j.column(field, name, said)
		if err != nil {
			return nil, err
		}
		if why := j.in.Nested(field); why != "" {
			return nil, drover.Exit(drover.ExitUsage, "field %q of %s cannot be imported: %s", field, j.file, why).Try("--ignore-field %q leaves it out", field)
		}
		for _, other := range columns {
			if other.Name == c.Name {
				return nil, drover.Exit(drover.ExitUsage, "the fields %q and %q both go to the column %s", j.in.Columns()[other.Field], field, c.Name).
					Try("--ignore-field %q leaves one of them out", field)
			}
		}
		columns = append(columns, rowload.Column{Column: c, Field: i})
	}
	if len(columns) == 0 {
		switch {
		case len(j.in.Columns()) == 0 && j.in.Rows() == 0: // and no names either
			return []rowload.Column{{Column: j.table.Columns[0]}}, nil
		case len(j.in.Columns()) == 0:
			return nil, drover.Exit(drover.ExitUsage, "no record of %s has a field; nothing was written", j.file)
		}
		return nil, drover.Exit(drover.ExitUsage, "all fields of %s are left out", j.file)
	}
	return columns, j.complete(columns)
}

// wanted is what the command line says of fields: the name of the column, or "" for none.
func (j *importing) wanted() (map[string]string, error) {
	fields := j.in.Columns()
	wanted := map[string]string{}
	if len(j.o.columns) > 0 {
		if len(j.o.columns) != len(fields) && len(fields) > 0 {
			return nil, drover.Exit(drover.ExitUsage, "--columns names %d columns, and the records of %s have %d fields", len(j.o.columns), j.file, len(fields)).
				Try("- stands for a field that is left out")
		}
		for i, field := range fields {
			if wanted[field] = strings.TrimSpace(j.o.columns[i]); wanted[field] == "-" {
				wanted[field] = ""
			}
		}
		return wanted, nil
	}
	if j.form.NoHeader && len(j.o.mapped)+len(j.o.ignored) == 0 {
		if stored := j.stored(); len(fields) == len(stored) { // as COPY and LOAD DATA have it
			for i, field := range fields {
				wanted[field] = stored[i]
			}
			return wanted, nil
		} else if len(fields) > 0 {
			return nil, drover.Exit(drover.ExitUsage, "the records of %s have %d fields, and %s has %d columns", j.file, len(fields), j.table.FullName(), len(stored)).
				Try("--columns NAME,NAME,... says which column each field goes to; - stands for none")
		}
	}
	for _, text := range j.o.mapped {
		at := strings.LastIndexByte(text, '=')
		if at < 1 || at == len(text)-1 {
			return nil, drover.Exit(drover.ExitUsage, "--map %q is not of the form FIELD=COLUMN", text)
		}
		field := text[:at]
		if err := j.field("--map", field, wanted); err != nil {
			return nil, err
		}
		wanted[field] = strings.TrimSpace(text[at+1:])
	}
	for _, field := range j.o.ignored {
		if err := j.field("--ignore-field", field, wanted); err != nil {
			return nil, err
		}
		wanted[field] = ""
	}
	return wanted, nil
}

// stored are the names of the table's columns that are not computed.
func (j *importing) stored() []string {
	var names []string
	for _, c := range j.table.Columns {
		if !c.Generated {
			names = append(names, c.Name)
		}
	}
	return names
}

// field refuses the name of a field that an option gives.
func (j *importing) field(option, name string, wanted map[string]string) error {
	fields := j.in.Columns()
	if _, twice := wanted[name]; twice {
		return drover.Exit(drover.ExitUsage, "the field %q is named twice", name)
	}
	if slices.Contains(fields, name) {
		return nil
	}
	refused := drover.Exit(drover.ExitUsage, "%s: %s has no field %q", option, j.file, name)
	if near := suggest.Nearest(name, fields); near != "" {
		return refused.Try("did you mean %q?", near)
	}
	return refused.Try("fields: %s", short(fields))
}

// column finds a column by its name, or by the same name in other letters where the command line does not say it.
func (j *importing) column(field, name string, said bool) (dialect.Column, error) {
	c, ok := j.table.Column(name)
	if !ok {
		for _, other := range j.table.Columns {
			if strings.EqualFold(other.Name, strings.TrimSpace(name)) {
				c, ok = other, true
			}
		}
	}
	switch {
	case ok && c.Generated:
		return c, drover.Exit(drover.ExitUsage, "the database computes the column %s by itself", c.Name).Try("--ignore-field %q leaves the field out", field)
	case ok:
		return c, nil
	case said:
		return c, j.noColumn(name, nil)
	}
	refused := drover.Exit(drover.ExitUsage, "table %s has no column for the field %q of %s; nothing was written", j.table.FullName(), field, j.file)
	if near := suggest.Nearest(name, j.columnNames()); near != "" {
		refused = refused.Try("did you mean --map %q?", field+"="+near)
	}
	refused = refused.Try("--map %q says where it goes; --ignore-field %q leaves it out", field+"=COLUMN", field)
	return c, refused.Try("columns: %s", short(j.columnNames()))
}

// complete refuses columns that would be without a value.
func (j *importing) complete(columns []rowload.Column) error {
	missing := j.table.Unfilled(func(name string) bool {
		return slices.ContainsFunc(columns, func(c rowload.Column) bool { return c.Name == name })
	})
	if len(missing) == 0 {
		return nil
	}
	return drover.Exit(drover.ExitUsage, "the file has no field for %s of %s, NOT NULL without a default; nothing was written", strings.Join(missing, ", "), j.table.FullName()).
		Try("--map %q says which field it is", "FIELD="+missing[0]).
		Try("fields: %s", short(j.in.Columns()))
}

// checkKeys refuses an upsert that could change another row than it means, and an undo that could not find the rows again.
func (j *importing) checkKeys(columns []rowload.Column) error {
	for i, name := range j.o.upsertOn {
		c, ok := j.table.Column(strings.TrimSpace(name))
		if !ok {
			return j.noColumn(name, nil)
		}
		j.o.upsertOn[i] = c.Name
		if !slices.ContainsFunc(columns, func(other rowload.Column) bool { return other.Name == c.Name }) {
			return drover.Exit(drover.ExitUsage, "--upsert-on names %s, which no field of %s goes to", c.Name, j.file)
		}
	}
	if len(j.o.upsertOn) > 0 {
		if !slices.ContainsFunc(j.table.Keys, func(k dialect.Key) bool { return k.Has(j.o.upsertOn) }) {
			refused := drover.Exit(drover.ExitUsage, "%s has no unique key of %s without NULLs", j.table.FullName(), strings.Join(j.o.upsertOn, ", "))
			for _, k := range j.table.Keys {
				refused = refused.Try("--upsert-on %s", strings.Join(k.Columns, ","))
			}
			return refused
		}
		for _, k := range j.table.Unique { // an upsert of MySQL changes the row that any unique key finds
			if !k.Has(j.o.upsertOn) {
				return drover.Exit(drover.ExitRefused, "%s has another unique key, %s (%s): on this database an upsert would also change a row that has the same values there",
					j.table.FullName(), k.Name, strings.Join(k.Columns, ", ")).
					Try("import the file into a table of its own, and bring the rows over by SQL")
			}
		}
	}
	switch {
	case !j.options.Undo:
		return nil
	case len(j.key.Columns) == 0:
		return drover.Exit(drover.ExitUsage, "--undo: %s has no key by which the rows could be found again", j.table.FullName()).Try("leave --undo out")
	}
	for _, name := range j.key.Columns {
		if !slices.ContainsFunc(columns, func(other rowload.Column) bool { return other.Name == name }) {
			return drover.Exit(drover.ExitUsage, "--undo: the rows are found again by %s, and no field of the file goes there", name).Try("leave --undo out")
		}
	}
	if len(j.o.upsertOn) > 0 && !j.byKey() {
		return drover.Exit(drover.ExitUsage, "--undo needs --upsert-on %s, the key by which rows are found again", strings.Join(j.key.Columns, ","))
	}
	return nil
}

// documents are the fields whose values are JSON in the table.
func (j *importing) documents(columns []rowload.Column) []string {
	var names []string
	for _, c := range columns {
		if j.dialect.Type(c.Column).Class == dialect.JSON && j.form.Format == datafile.JSONL {
			names = append(names, j.in.Columns()[c.Field])
		}
	}
	return names
}

// columnsText says which field goes where.
func (j *importing) columnsText() string {
	var parts []string
	for _, p := range j.pairs {
		switch {
		case p.column == "":
			parts = append(parts, fmt.Sprintf("%s left out", p.field))
		case p.field != p.column:
			parts = append(parts, p.field+" -> "+p.column)
		default:
			parts = append(parts, p.field)
		}
	}
	return strings.Join(parts, ", ")
}
