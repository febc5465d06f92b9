package command

type purgeDocument struct {
	planDocument
	Older   *ageDocument     `json:"older_than,omitempty"`
	Archive string           `json:"archive_to,omitempty"`
	Effects []effectDocument `json:"effects"`
	Blocks  []effectDocument `json:"blocked_by"`
	Sample  []map[string]any `json:"sample"`
}

type effectDocument struct {
	Table    string   `json:"table"`
	Columns  []string `json:"columns,omitempty"`
	OnDelete string   `json:"on_delete"`
	Rows     int64    `json:"rows"`
	Deeper   bool     `json:"deeper_not_counted,omitempty"`
}

// document is the plan as one JSON document.
func (p *purge) document(plan *walkPlan) any {
	d := purgeDocument{
		planDocument: p.planDocument(plan, p.triggers("DELETE")), Older: p.age.document(), Effects: p.effectDocuments(), Blocks: []effectDocument{},
		Sample: []map[string]any{},
	}
	for _, b := range p.blocks {
		d.Blocks = append(d.Blocks, effectDocument{Table: b.table, Columns: b.columns, OnDelete: b.action, Rows: b.rows})
	}
	for _, row := range p.sample {
		document := make(map[string]any, len(row))
		for i, c := range p.table.Columns {
			document[c.Name] = jsonValue(row[i])
		}
		d.Sample = append(d.Sample, document)
	}
	if p.archive != nil {
		d.Archive = p.archive.path
	}
	return d
}

func (p *purge) effectDocuments() []effectDocument {
	all := []effectDocument{}
	for _, e := range p.effects {
		all = append(all, effectDocument{Table: e.table, OnDelete: e.action, Rows: e.rows, Deeper: e.deep})
	}
	return all
}

type purgeSummary struct {
	summaryDocument
	Deleted int64            `json:"deleted"`
	Effects []effectDocument `json:"planned_effects"`
	Archive *archiveDocument `json:"archive,omitempty"`
	Advice  string           `json:"advice,omitempty"`
}

func (p *purge) summary(e *ending) any {
	d := purgeSummary{summaryDocument: p.summaryDocument(e), Deleted: e.Done, Archive: p.archive.document(), Effects: p.effectDocuments()}
	if e.err == nil && e.Done > 0 {
		d.Advice = p.table.Reclaim
	}
	return d
}
