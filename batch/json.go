package batch

import (
	"time"

	"github.com/drover-dev/drover"
)

// The JSON forms are a contract: fields are added, never renamed.

type planDocument struct {
	Type      string              `json:"type"`
	Time      string              `json:"time"`
	Command   string              `json:"command"`
	DryRun    bool                `json:"dry_run"`
	RunID     string              `json:"run_id,omitempty"`
	Database  databaseDocument    `json:"database"`
	Source    string              `json:"source"`
	Rows      *int64              `json:"rows"` // null where they cannot be counted
	Done      int64               `json:"done"`
	BatchSize int                 `json:"batch_size"`
	Batches   *int64              `json:"batches"`
	Workers   int                 `json:"workers"`
	Order     string              `json:"order,omitempty"`
	First     string              `json:"first,omitempty"`
	Last      string              `json:"last,omitempty"`
	Details   map[string]string   `json:"details"`
	Warnings  []string            `json:"warnings"`
	Sample    []map[string]string `json:"sample"`
	Refused   string              `json:"refused,omitempty"`
	PlanFile  *PlanFile           `json:"plan_file,omitempty"`
}

type databaseDocument struct {
	Alias   string `json:"alias"`
	Address string `json:"address"`
}

func (s *Screen) database() databaseDocument {
	conn := s.call.DB()
	return databaseDocument{conn.Alias(), conn.Address()}
}

// phaseDocument is a phase of a job that has several.
type phaseDocument struct {
	Name        string `json:"name"`
	Planned     *int64 `json:"planned"`
	Done        int64  `json:"done"`
	Quarantined int64  `json:"quarantined"`
	Batches     int64  `json:"batches"`
}

// PlanDocument is the plan as a JSON document.
func (s *Screen) PlanDocument(p *Plan) any { return s.planDocument(p) }

func (s *Screen) planDocument(p *Plan) planDocument {
	c := s.call
	d := planDocument{
		Type: "plan", Time: stamp(c.Now()), Command: c.CommandName(), DryRun: c.DryRun(), RunID: p.RunID,
		Database: s.database(), Source: p.Source, Rows: known(p.Rows), Done: p.Done,
		BatchSize: p.Size, Batches: known(p.Batches), Workers: p.Workers, Order: p.Order, First: p.First, Last: p.Last,
		Details: map[string]string{}, Warnings: append([]string{}, p.Warnings...), Sample: []map[string]string{}, PlanFile: p.File,
	}
	for _, detail := range p.Details {
		d.Details[detail.Label] = detail.Text
	}
	for _, row := range p.Sample {
		doc := map[string]string{}
		for i, name := range p.Columns {
			doc[name] = row[i]
		}
		d.Sample = append(d.Sample, doc)
	}
	if p.Refusal != nil {
		d.Refused = p.Refusal.Error()
	}
	return d
}

func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

type rehearsalDocument struct {
	Type     string           `json:"type"`
	Time     string           `json:"time"`
	Command  string           `json:"command"`
	Database databaseDocument `json:"database"`
	Batches  int64            `json:"batches"`
	Rows     int64            `json:"rows"`
	Aside    int64            `json:"quarantined"`
	Changes  []changeDocument `json:"changes"`
	More     int64            `json:"more_changes"`
	Tables   []tableDocument  `json:"tables"`
	Hooks    []string         `json:"hooks"`
	Notes    []string         `json:"notes"`
	Failures []string         `json:"failures"`
}

type changeDocument struct {
	Key     string               `json:"key"`
	Deleted bool                 `json:"deleted"`
	Columns map[string][2]string `json:"columns"` // before, after
}

type tableDocument struct {
	Table    string `json:"table"`
	Inserted int64  `json:"inserted"`
	Updated  int64  `json:"updated"`
	Deleted  int64  `json:"deleted"`
}

func (s *Screen) rehearsalDocument(h *Rehearsal) rehearsalDocument {
	c := s.call
	d := rehearsalDocument{
		Type: "rehearsal", Time: stamp(c.Now()), Command: c.CommandName(), Database: s.database(), Batches: h.Batches, Rows: h.Processed, Aside: h.Aside,
		Changes: []changeDocument{}, More: h.More, Tables: []tableDocument{}, Hooks: append([]string{}, h.Preview.Hooks...),
		Notes: append([]string{}, h.Preview.Notes...), Failures: []string{},
	}
	for _, change := range h.Changes {
		doc := changeDocument{Key: change.Key, Deleted: change.Deleted, Columns: map[string][2]string{}}
		for _, col := range change.Columns {
			doc.Columns[col.Column] = [2]string{col.Before, col.After}
		}
		d.Changes = append(d.Changes, doc)
	}
	for _, t := range h.Preview.Tables {
		d.Tables = append(d.Tables, tableDocument{t.Table, t.Inserted, t.Updated, t.Deleted})
	}
	for _, err := range h.Failures {
		d.Failures = append(d.Failures, err.Error())
	}
	return d
}

// runEvent is an event of a run as a JSON line.
type runEvent struct {
	Type    string   `json:"type"`
	Time    string   `json:"time"`
	RunID   string   `json:"run_id"`
	Batch   int64    `json:"batch,omitempty"`
	Rows    int64    `json:"rows,omitempty"`    // of the batch; at the start, those that are left
	Batches int64    `json:"batches,omitempty"` // at the start: those that are left
	Seconds float64  `json:"seconds,omitempty"`
	Wait    float64  `json:"wait_seconds,omitempty"`
	Attempt int      `json:"attempt,omitempty"`
	Of      int      `json:"of,omitempty"`
	Done    int64    `json:"done"`
	Total   *int64   `json:"total"`
	Cursor  string   `json:"cursor,omitempty"`
	Key     string   `json:"key,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Error   string   `json:"error,omitempty"`
	Range   string   `json:"range,omitempty"`
	_       struct{} // fields are named where one is made
}

// observeJSON prints an event. Batches are told by the progress display, once a second at most.
func (s *Screen) observeJSON(e Event) {
	names := map[EventType]string{EventStarted: "start", EventResumed: "resume"}
	name, ok := names[e.Type]
	if !ok {
		name = string(e.Type)
	}
	switch e.Type {
	case EventBatch:
		s.batch(e)
		return
	case EventFinished:
		return // the summary says it
	}
	line := runEvent{
		Type: name, Time: stamp(e.Time), RunID: e.RunID, Batch: e.Batch, Rows: e.Rows, Seconds: e.Took.Seconds(), Wait: e.Wait.Seconds(),
		Attempt: e.Attempt, Of: e.Of, Done: e.Done, Total: known(e.Total), Cursor: e.Reached, Key: e.Key, Reason: e.Text, Range: e.Range,
	}
	if e.Err != nil {
		line.Error = e.Err.Error()
	}
	if e.Type == EventStarted || e.Type == EventResumed {
		line.Rows = max(e.Total-e.Done, 0)
		if s.planned != nil {
			line.Batches = max(s.planned.Batches, 0)
		}
	}
	s.call.JSON(line)
	switch e.Type {
	case EventStarted, EventResumed, EventPhase:
		s.start(e)
	case EventThrottled:
		s.pause(e.Text)
	case EventContinued:
		s.continued(e.Text)
	}
}

// Summary is the end of a run as a JSON document. A command that has more to say embeds it.
type Summary struct {
	Type        string           `json:"type"`
	Time        string           `json:"time"`
	Command     string           `json:"command"`
	RunID       string           `json:"run_id"`
	Database    databaseDocument `json:"database"`
	Status      string           `json:"status"`
	ExitCode    int              `json:"exit_code"`
	Attempt     int              `json:"attempt"`
	Planned     *int64           `json:"planned"`
	Done        int64            `json:"done"`
	Quarantined int64            `json:"quarantined"`
	Phases      []phaseDocument  `json:"phases,omitempty"`
	Batches     int64            `json:"batches"`
	Size        int              `json:"batch_size"`
	Retried     map[string]int64 `json:"retried"`
	Seconds     float64          `json:"seconds"`
	Waited      float64          `json:"waited_seconds"`
	Rate        float64          `json:"rows_per_second"`
	P50         float64          `json:"batch_p50_seconds"`
	P95         float64          `json:"batch_p95_seconds"`
	Max         float64          `json:"batch_max_seconds"`
	Message     string           `json:"message"`
}

// SummaryDocument is the end of a run as a JSON document.
func (s *Screen) SummaryDocument(res *Result, err error) Summary {
	c := s.call
	e := Summary{
		Type: "summary", Time: stamp(c.Now()), Command: c.CommandName(), RunID: res.RunID, Database: s.database(), Status: "succeeded", ExitCode: drover.ExitCode(err),
		Attempt: res.Attempt, Planned: known(res.Planned), Done: res.Done, Quarantined: res.Quarantined, Batches: res.Batches, Size: res.Size,
		Retried: res.Retried, Seconds: seconds(res.Elapsed), Waited: seconds(res.Waited), Rate: res.Rate(), P50: seconds(res.P50),
		P95: seconds(res.P95), Max: seconds(res.Max), Message: s.verb.Past + " " + s.amount(res.Done, res.Batches),
	}
	for _, p := range res.Phases {
		e.Phases = append(e.Phases, phaseDocument{p.Name, known(p.Planned), p.Done, p.Quarantined, p.Batches})
	}
	if e.Retried == nil {
		e.Retried = map[string]int64{}
	}
	switch e.ExitCode {
	case drover.ExitOK:
	case drover.ExitPartial:
		e.Status = "partial"
	case drover.ExitAgain, drover.ExitInterrupted, drover.ExitTerminated:
		e.Status, e.Message = "stopped", err.Error()
	default:
		e.Status, e.Message = "failed", err.Error()
	}
	return e
}

func seconds(d time.Duration) float64 { return d.Seconds() }
