package command

import (
	"math"
	"strings"
	"time"

	"github.com/drover-dev/drover/internal/keyset"
	"github.com/drover-dev/drover/internal/term"
)

// The JSON forms are a contract: fields are added, never renamed.

type planDocument struct {
	Type      string           `json:"type"`
	Time      string           `json:"time"`
	Command   string           `json:"command"`
	DryRun    bool             `json:"dry_run"`
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
	Key       keyDocument      `json:"key"`
	First     []any            `json:"first,omitempty"`
	Last      []any            `json:"last,omitempty"`
	Effects   []effectDocument `json:"effects"`
	Blocks    []effectDocument `json:"blocked_by"`
	Triggers  []string         `json:"triggers"`
	Warnings  []string         `json:"warnings"`
	Sample    []map[string]any `json:"sample"`
	SQL       string           `json:"sql"`
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

type effectDocument struct {
	Table    string   `json:"table"`
	Columns  []string `json:"columns,omitempty"`
	OnDelete string   `json:"on_delete"`
	Rows     int64    `json:"rows"`
	Deeper   bool     `json:"deeper_not_counted,omitempty"`
}

// document is the plan as one JSON document.
func (p *purge) document(plan *purgePlan) planDocument {
	d := planDocument{
		Type: "plan", Time: term.Timestamp(p.call.Now()), Command: "purge", DryRun: p.call.DryRun(),
		Database: databaseDocument{p.conn.Alias(), plan.version, p.conn.Address()},
		Table:    p.table.FullName(), Exact: plan.tableExact, Where: p.options.where, Matched: plan.matched,
		Rows: plan.rows, Limit: p.call.Limit(), BatchSize: plan.size, Batches: plan.batches,
		Key:   keyDocument{p.key.Name, p.key.Columns, p.key.Primary},
		First: jsonValues(plan.first), Last: jsonValues(plan.last),
		Effects: []effectDocument{}, Blocks: []effectDocument{}, Triggers: append([]string{}, p.triggers()...),
		Warnings: append([]string{}, plan.warnings...), Sample: []map[string]any{}, SQL: plan.sql, Message: p.nothing(),
	}
	if plan.tableRows >= 0 {
		d.TableRows = &plan.tableRows
	}
	if p.table.Bytes >= 0 {
		d.Bytes = &p.table.Bytes
	}
	for _, e := range plan.effects {
		d.Effects = append(d.Effects, effectDocument{Table: e.table, OnDelete: e.action, Rows: e.rows, Deeper: e.deep})
	}
	for _, b := range plan.blocks {
		d.Blocks = append(d.Blocks, effectDocument{Table: b.table, Columns: b.columns, OnDelete: b.action, Rows: b.rows})
	}
	for _, row := range plan.sample {
		document := make(map[string]any, len(row))
		for i, c := range p.table.Columns {
			document[c.Name] = jsonValue(row[i])
		}
		d.Sample = append(d.Sample, document)
	}
	if plan.rows > 0 {
		d.Message = "Would delete " + p.amount(plan.rows, plan.batches)
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

type startEvent struct {
	Type    string `json:"type"`
	Time    string `json:"time"`
	Rows    int64  `json:"rows"`
	Batches int64  `json:"batches"`
}

type retryEvent struct {
	Type   string  `json:"type"`
	Time   string  `json:"time"`
	Batch  int64   `json:"batch"`
	Try    int     `json:"attempt"`
	Of     int     `json:"of"`
	Wait   float64 `json:"wait_seconds"`
	Reason string  `json:"reason"`
}

type summaryEvent struct {
	Type     string           `json:"type"`
	Time     string           `json:"time"`
	Command  string           `json:"command"`
	Status   string           `json:"status"`
	ExitCode int              `json:"exit_code"`
	Table    string           `json:"table"`
	Deleted  int64            `json:"deleted"`
	Planned  int64            `json:"planned"`
	Effects  []effectDocument `json:"planned_effects"`
	Matched  int64            `json:"matched_at_start"`
	Left     *int64           `json:"matched_at_end,omitempty"`
	Batches  int64            `json:"batches"`
	Size     int              `json:"batch_size"`
	Retried  map[string]int64 `json:"retried"`
	Seconds  float64          `json:"seconds"`
	Rate     float64          `json:"rows_per_second"`
	P50      float64          `json:"batch_p50_seconds"`
	P95      float64          `json:"batch_p95_seconds"`
	Max      float64          `json:"batch_max_seconds"`
	LastKey  []any            `json:"last_key,omitempty"`
	Advice   string           `json:"advice,omitempty"`
	Message  string           `json:"message"`
}
