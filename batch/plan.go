package batch

import (
	"context"
	"fmt"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/dialect"
	"github.com/drover-dev/drover/internal/planfile"
	"github.com/drover-dev/drover/internal/rowimage"
	"github.com/drover-dev/drover/internal/runstore"
)

// Plan is what a run would do, or what is left of one.
type Plan struct {
	// RunID is the run that would be resumed; "" for a new one.
	RunID string
	// Source names where the rows come from: "public.events".
	Source string
	// Rows is how many rows there are, of the whole run; -1 where they cannot be counted beforehand. Done of them are done.
	Rows, Done int64
	// Batches is how many batches are left at the present size; -1 where that is not known.
	Batches int64
	Size    int
	Workers int
	// Order is the key that the rows are walked by: "id", or "region, id". First and Last are its values, for people.
	Order, First, Last string
	// Details are further lines for people: a label and a text.
	Details []Detail
	// Warnings are what the user should know before.
	Warnings []string
	// Refusal, when set, is why the run must not begin.
	Refusal error
	// File is the plan of a file that the run is held to, or nil.
	File *PlanFile
	// Columns and Sample are some of the rows, as text.
	Columns []string
	Sample  [][]string

	shards []runstore.Shard
	table  *dialect.Table
	rows   []rowimage.Row // of the sample
	bound  []bound
	now    *planfile.Plan // what a plan file would say; nil where there is none
}

// PlanFile is an approved plan that a run is held to.
type PlanFile struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Made   string `json:"made"` // RFC 3339
	By     string `json:"by"`
	Rows   *int64 `json:"rows"` // null where they could not be counted
}

// Detail is a line of a plan.
type Detail struct{ Label, Text string }

// Add adds a line.
func (p *Plan) Add(label, format string, args ...any) {
	p.Details = append(p.Details, Detail{label, fmt.Sprintf(format, args...)})
}

// Bind adds something that decides what the work is and is no option: an SQL statement, the contents of a file. A plan file holds it for those who read
// the plan, and the plan is not done where it is another one then. The names of a plan differ. "source" and "key" are bound already.
func (p *Plan) Bind(name, value string) { p.bound = append(p.bound, bound{name: name, value: value}) }

// BindDatabase is [Plan.Bind] for another database than the run's.
func (p *Plan) BindDatabase(name string, conn *db.DB) {
	p.bound = append(p.bound, bound{name: name, conn: conn})
}

// bound is a value that decides what the work is, or a database.
type bound struct {
	name, value string
	conn        *db.DB
}

// shardsPerWorker is how many shards a worker has on average, so that the last ones end at about the same time.
const shardsPerWorker = 4

// measure fills in the plan in a transaction that cannot write.
func (r *runner) measure(ctx context.Context) (p *Plan, err error) {
	var options []db.BlockOption
	if !r.conn.InBlock(ctx) {
		options = append(options, db.ReadOnly())
	}
	err = r.conn.Atomic(ctx, func(ctx context.Context) error {
		if err := r.openPhase(ctx, r.phaseIndex()); err != nil {
			return err
		}
		if p, err = r.planOf(ctx); err != nil {
			return err
		}
		if r.describe != nil {
			if err := r.describe(ctx, p); err != nil {
				return err
			}
		}
		return r.compare(ctx, p)
	}, options...)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// planOf is the plan of a new run, or of what is left of one.
func (r *runner) planOf(ctx context.Context) (*Plan, error) {
	p := &Plan{Source: r.source.name(), Size: r.sizer.Size(), Workers: r.settings.Workers}
	measured, err := r.source.plan(ctx, r.conn, r.planOptions())
	if err != nil {
		return nil, err
	}
	p.Rows, p.shards, p.table, p.Order = measured.rows, measured.shards, measured.table, measured.order
	if measured.first != nil {
		p.First, p.Last = measured.first.String(), measured.last.String()
	}
	p.takeSample(measured)
	if replayed, ok := r.source.(*replay); ok && r.current == nil {
		p.Rows += replayed.later
	}
	left := p.Rows
	if r.current != nil {
		total, err := r.store.Totals(ctx, r.current.ID)
		if err != nil {
			return nil, err
		}
		p.RunID, p.Rows, p.Done = r.current.ID, r.current.Planned, total.Done
		if r.current.Live() && !r.shared() {
			p.Refusal = &LockedError{RunID: r.current.ID, Owner: r.current.Owner, Tool: r.settings.tool}
		}
		if left = -1; p.Rows >= 0 {
			left = max(p.Rows-total.Read, 0)
		}
	}
	if n := r.workers(); n < p.Workers {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the pool has %d connections, and one is for the lease: %d of %d workers work at a time", r.conn.MaxConns(), n, p.Workers))
	}
	p.Batches = -1
	if left >= 0 {
		p.Batches = (left + int64(p.Size) - 1) / int64(p.Size)
	}
	return p, nil
}

func (r *runner) planOptions() planOptions {
	o := planOptions{parts: 1, limit: r.settings.Limit, known: r.current != nil}
	if r.settings.Workers > 1 {
		o.parts = r.settings.Workers * shardsPerWorker
	}
	return o
}

// takeSample writes the sample's rows as text.
func (p *Plan) takeSample(s *sourcePlan) {
	p.rows = s.sample
	if s.table == nil || len(s.sample) == 0 {
		return
	}
	for _, c := range s.table.Columns {
		p.Columns = append(p.Columns, c.Name)
	}
	for _, row := range s.sample {
		texts := make([]string, len(row.Values))
		for i, v := range row.Values {
			texts[i] = valueText(v)
		}
		p.Sample = append(p.Sample, texts)
	}
}
