package command

import (
	"math"
	"strings"
	"time"

	"github.com/drover-dev/drover/batch"
	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/term"
)

// The JSON forms are a contract: fields are added, never renamed.

type planDocument struct {
	Type      string           `json:"type"`
	Time      string           `json:"time"`
	Command   string           `json:"command"`
	DryRun    bool             `json:"dry_run"`
	RunID     string           `json:"run_id,omitempty"` // of the run that is resumed
	Done      int64            `json:"done"`             // rows of that run
	Database  databaseDocument `json:"database"`
	Table     string           `json:"table"`
	TableRows *int64           `json:"table_rows,omitempty"`
	Exact     bool             `json:"table_rows_exact"`
	Bytes     *int64           `json:"table_bytes,omitempty"`
	Where     string           `json:"where,omitempty"`
	Matched   int64            `json:"matched"`
	Rows      int64            `json:"rows"`
	Limit     int64            `json:"limit,omitempty"`
	BatchSize int              `json:"batch_size"`
	Batches   int64            `json:"batches"`
	Workers   int              `json:"workers"`
	Key       keyDocument      `json:"key"`
	First     []any            `json:"first,omitempty"`
	Last      []any            `json:"last,omitempty"`
	Triggers  []string         `json:"triggers"`
	Warnings  []string         `json:"warnings"`
	SQL       string           `json:"sql"`
	PlanFile  *batch.PlanFile  `json:"plan_file,omitempty"`
	Message   string           `json:"message"`
}

type databaseDocument struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
	Address string `json:"address"`
}

type keyDocument struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Primary bool     `json:"primary"`
}

// planDocument is what the plans of all walks say; triggers are those that the statement fires.
func (w *walk) planDocument(plan *walkPlan, triggers []string) planDocument {
	d := planDocument{
		Type: "plan", Time: term.Timestamp(w.call.Now()), Command: w.call.CommandName(), DryRun: w.call.DryRun(),
		RunID: plan.run.RunID, Done: plan.run.Done,
		Database: databaseDocument{w.conn.Alias(), plan.version, w.conn.Address()},
		Table:    w.table.FullName(), Exact: plan.tableExact, Where: w.given, Matched: plan.matched,
		Rows: plan.rows, Limit: w.call.Limit(), BatchSize: plan.size, Batches: plan.batches, Workers: plan.run.Workers,
		Key:   keyDocument{w.key.Name, w.key.Columns, w.key.Primary},
		First: jsonValues(plan.first), Last: jsonValues(plan.last), Triggers: append([]string{}, triggers...),
		Warnings: append([]string{}, plan.warnings...), SQL: plan.sql, PlanFile: plan.run.File, Message: w.nothing(),
	}
	if plan.tableRows >= 0 {
		d.TableRows = &plan.tableRows
	}
	if w.table.Bytes >= 0 {
		d.Bytes = &w.table.Bytes
	}
	if !plan.nothing() {
		d.Message = "Would " + w.verb.Base + " " + w.amount(plan.rows, plan.batches)
	}
	return d
}

func jsonValues(key keyset.Values) []any {
	var all []any
	for _, value := range key {
		all = append(all, jsonValue(value))
	}
	return all
}

// jsonValue keeps numbers, booleans, texts and NULL, and writes the rest as people read it.
func jsonValue(value any) any {
	switch v := value.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return keyset.Text(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return keyset.Text(v)
		}
	case string:
		return strings.ToValidUTF8(v, "\uFFFD")
	}
	return value
}

// summaryDocument is what the summaries of all walks say.
type summaryDocument struct {
	batch.Summary
	Database databaseDocument `json:"database"`
	Table    string           `json:"table"`
	Matched  int64            `json:"matched_at_start"`
	Left     *int64           `json:"matched_at_end,omitempty"`
	LastKey  []any            `json:"last_key,omitempty"`
}

func (w *walk) summaryDocument(e *ending) summaryDocument {
	d := summaryDocument{
		Summary: w.screen.SummaryDocument(e.Result, e.err), Database: databaseDocument{w.conn.Alias(), e.plan.version, w.conn.Address()},
		Table: w.table.FullName(), Matched: e.plan.matched, Left: e.left, LastKey: jsonValues(w.cursor),
	}
	switch {
	case e.RunID == "":
		d.Message = w.nothing()
	case e.err == nil:
		d.Message = w.verb.Past + " " + w.amount(e.Done, e.Batches)
	}
	return d
}
