package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/internal/datafile"
	"github.com/drover-dev/drover/internal/rowfile"
	"github.com/drover-dev/drover/internal/term"
)

// preview is the dry run: it counts the rows and shows what would be written.
func (x *exporting) preview(ctx context.Context) error {
	p := exportPlan{}
	if x.o.partRows > 0 {
		there, err := datafile.ReadManifest(x.file)
		if err != nil {
			return x.fileError(err)
		}
		if there != nil && !x.o.overwrite {
			want := x.manifest()
			if differences := there.Differences(&want); len(differences) > 0 {
				return x.fileError(&datafile.DifferentError{Differences: differences})
			}
			if there.Complete {
				return x.already(there)
			}
			p.there = there
		}
	}
	start := x.call.Now()
	var err error
	if p.rows, err = x.count(ctx); err != nil {
		return x.failed(ctx, fmt.Errorf("count the matching rows: %w", err), 0, "nothing was written")
	}
	p.counted = x.call.Now().Sub(start)
	if limit := x.call.Limit(); limit > 0 {
		p.rows = min(p.rows, limit)
	}
	r := rowfile.Range{Limit: x.call.Limit()}
	if p.query, _, err = x.source.Query(r); err != nil {
		return err
	}
	if x.call.JSONOutput() {
		x.call.JSON(x.plan(p))
		return nil
	}
	x.call.Block(x.block(p) + "\n")
	x.call.Did(drover.Exported, "%s", x.planned(p))
	return nil
}

// exportPlan is what an export would write.
type exportPlan struct {
	rows    int64
	counted time.Duration
	query   string
	there   *datafile.Manifest // the parts that it would go on with; nil for none
}

func (x *exporting) planned(p exportPlan) string {
	if x.o.partRows > 0 {
		return fmt.Sprintf("%s to %s in %s.", term.Counted(p.rows, "row"), x.file, term.Counted(x.partCount(p), "part"))
	}
	return fmt.Sprintf("%s to %s.", term.Counted(p.rows, "row"), x.file)
}

func (x *exporting) partCount(p exportPlan) int64 { return (p.rows + x.o.partRows - 1) / x.o.partRows }

// block is the plan as a block of text.
func (x *exporting) block(p exportPlan) string {
	var b strings.Builder
	b.WriteString(x.call.CommandName() + "  plan only, nothing will be written\n\n")
	line(&b, "Database", "%s   %s   %s", x.conn.Alias(), x.version, x.conn.Address())
	table := x.table.FullName()
	if x.table.Bytes >= 0 {
		table += "   " + byteText(x.table.Bytes)
	}
	line(&b, "Table", "%s", table)
	line(&b, "Rows", "%s (counted in %s)", term.Counted(p.rows, "row"), drover.Duration(p.counted))
	names := make([]string, len(x.chosen))
	for i, c := range x.chosen {
		names[i] = c.Name
	}
	line(&b, "Columns", "%s", strings.Join(names, ", "))
	line(&b, "Order", "%s   index %s", strings.Join(x.key.Columns, ", "), x.key.Name)
	line(&b, "File", "%s   %s", x.file, formText(x.write))
	switch {
	case p.there != nil:
		line(&b, "Parts", "%s of %s rows each; goes on behind the %s with %s that are there", drover.Count(x.partCount(p)), drover.Count(x.o.partRows),
			term.Counted(int64(len(p.there.Parts)), "part"), term.Counted(p.there.Rows(), "row"))
	case x.o.partRows > 0:
		line(&b, "Parts", "%s of %s rows each", drover.Count(x.partCount(p)), drover.Count(x.o.partRows))
	}
	line(&b, "Snapshot", "%s", x.snapshotText())
	line(&b, term.SQL, "%s", p.query)
	return b.String()
}

func (x *exporting) snapshotText() string {
	switch {
	case x.table.NotTransactional:
		return "none: the storage engine of the table has no transactions"
	case x.o.partRows > 0:
		return "each part shows the database at a moment of its own"
	}
	return "the file shows the database at one moment"
}

// The JSON forms are a contract: fields are added, never renamed.

type exportDocument struct {
	Type        string           `json:"type"`
	Time        string           `json:"time"`
	Command     string           `json:"command"`
	DryRun      bool             `json:"dry_run"`
	Database    databaseDocument `json:"database"`
	Table       string           `json:"table"`
	TableBytes  *int64           `json:"table_bytes,omitempty"`
	Where       string           `json:"where,omitempty"`
	Limit       int64            `json:"limit,omitempty"`
	Columns     []string         `json:"columns"`
	File        string           `json:"file"`
	Format      string           `json:"format"`
	Compression string           `json:"compression,omitempty"`
	PartRows    int64            `json:"part_rows,omitempty"`
	Parts       int64            `json:"parts,omitempty"`
	Rows        int64            `json:"rows"`
	Bytes       *int64           `json:"bytes,omitempty"`
	SHA256      string           `json:"sha256,omitempty"`
	Snapshot    string           `json:"snapshot"`
	SQL         string           `json:"sql,omitempty"`
	Status      string           `json:"status,omitempty"`
	ExitCode    *int             `json:"exit_code,omitempty"`
	Seconds     float64          `json:"seconds,omitempty"`
	Message     string           `json:"message"`
}

func (x *exporting) document(kind string) exportDocument {
	d := exportDocument{
		Type: kind, Time: term.Timestamp(x.call.Now()), Command: x.call.CommandName(), DryRun: x.call.DryRun(),
		Database: databaseDocument{x.conn.Alias(), x.version, x.conn.Address()}, Table: x.table.FullName(), Where: x.given, Limit: x.call.Limit(),
		File: x.file, Format: string(x.write.Format), Compression: string(x.write.Compression), PartRows: x.o.partRows, Snapshot: x.snapshotText(),
	}
	if x.table.Bytes >= 0 {
		d.TableBytes = &x.table.Bytes
	}
	for _, c := range x.chosen {
		d.Columns = append(d.Columns, c.Name)
	}
	return d
}

func (x *exporting) plan(p exportPlan) exportDocument {
	d := x.document("plan")
	d.Rows, d.SQL, d.Message = p.rows, p.query, "Would export "+x.planned(p)
	if x.o.partRows > 0 {
		d.Parts = x.partCount(p)
	}
	return d
}

func (x *exporting) summary(e exported) exportDocument {
	d := x.document("summary")
	code := drover.ExitOK
	d.Rows, d.Bytes, d.SHA256, d.Parts, d.Seconds = e.rows, &e.bytes, e.sha256, int64(e.parts), e.took.Seconds()
	d.Status, d.ExitCode, d.Message = "succeeded", &code, "Exported "+x.amount(e)
	return d
}
