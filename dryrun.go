package drover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/term"
)

// dryDatabases are the databases that a dry run covers, each with the view of it that the command gets: one that refuses
// a statement sent with a context from outside the dry run, which would change data for good.
type dryDatabases map[*db.DB]*db.DB

// view gives what a command may use of conn.
func (d dryDatabases) view(conn *db.DB) (*db.DB, bool) {
	if view, ok := d[conn]; ok {
		return view, true
	}
	for _, view := range d {
		if view == conn { // the command hands its own to a command that it calls
			return view, true
		}
	}
	return nil, false
}

// runDry runs the command's body in transactions that are rolled back, one on each database it writes to, and prints what
// would have changed. For --check only the exit code is told.
func (inv *invocation) runDry(ctx context.Context, c *Call) error {
	conns, err := inv.writtenDatabases(ctx, c)
	if err != nil {
		return err
	}
	inv.scope.dry = make(dryDatabases, len(conns))
	for _, conn := range conns {
		inv.scope.dry[conn] = conn.RequireBlock()
	}
	c.conn = inv.scope.dry[c.conn]
	inv.previews = make(map[string]*db.Preview, len(conns))

	err = inv.inside(ctx, conns, func(ctx context.Context) error {
		return inv.body(withScope(ctx, inv.scope), c)
	})
	inv.finishProgress()
	if errors.Is(err, ErrNothingToDo) {
		err = nil
	}
	if err != nil {
		return err
	}
	if inv.data.check {
		return inv.checkResult(c, conns)
	}
	inv.printPreviews(c, conns)
	return nil
}

// writtenDatabases are the command's own database and those it declares.
func (inv *invocation) writtenDatabases(ctx context.Context, c *Call) ([]*db.DB, error) {
	conns := []*db.DB{c.conn}
	if inv.command.Databases == nil {
		return conns, nil
	}
	for _, alias := range inv.command.Databases() {
		conn, err := inv.database(ctx, alias)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(conns, conn) {
			conns = append(conns, conn)
		}
	}
	return conns, nil
}

// inside nests one dry run in the other, so that the body's context carries the transactions of all.
func (inv *invocation) inside(ctx context.Context, conns []*db.DB, body func(context.Context) error) error {
	if len(conns) == 0 {
		return body(ctx)
	}
	preview, err := conns[0].DryRun(ctx, func(ctx context.Context) error {
		return inv.inside(ctx, conns[1:], body)
	})
	if preview != nil {
		inv.mu.Lock()
		inv.previews[conns[0].Alias()] = preview
		inv.mu.Unlock()
	}
	return err
}

// changes adds up what a preview counted.
type changes struct{ inserted, updated, deleted, tables int64 }

func (ch *changes) add(p *db.Preview) {
	for _, t := range p.Tables {
		if t.Inserted+t.Updated+t.Deleted == 0 {
			continue
		}
		ch.inserted += t.Inserted
		ch.updated += t.Updated
		ch.deleted += t.Deleted
		ch.tables++
	}
}

// sentence is the "Would …" of the whole dry run.
func (ch *changes) sentence(where string) string {
	var parts []string
	for _, part := range []struct {
		verb string
		n    int64
	}{{Inserted.Base, ch.inserted}, {Updated.Base, ch.updated}, {Deleted.Base, ch.deleted}} {
		if part.n > 0 {
			parts = append(parts, part.verb+" "+term.Count(part.n))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("Would change no rows on %s.", where)
	}
	list := parts[0]
	if n := len(parts); n > 1 {
		list = strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return fmt.Sprintf("Would %s %s in %s on %s.", list, term.Plural(ch.inserted+ch.updated+ch.deleted, "row"), term.Counted(ch.tables, "table"), where)
}

// checkResult turns what a dry run found into the exit code of --check.
func (inv *invocation) checkResult(c *Call, conns []*db.DB) error {
	var all changes
	hooks := 0
	for _, p := range inv.previews {
		all.add(p)
		hooks += len(p.Hooks)
	}
	if all.tables == 0 && hooks == 0 {
		c.Notice("Nothing to do on %s.", aliasList(conns))
		return nil
	}
	return c.WorkFound("there is work to do: %s", lowerFirst(strings.TrimSuffix(all.sentence(aliasList(conns)), ".")))
}

// dryRunDocument is the preview's JSON form.
type dryRunDocument struct {
	Type     string        `json:"type"`
	Time     string        `json:"time"`
	Database string        `json:"database"`
	Tables   []tableCounts `json:"tables"`
	Hooks    []string      `json:"hooks"`
	Notes    []string      `json:"notes"`
	Message  string        `json:"message"`
}

type tableCounts struct {
	Table    string `json:"table"`
	Inserted int64  `json:"inserted"`
	Updated  int64  `json:"updated"`
	Deleted  int64  `json:"deleted"`
}

// printPreviews prints what a dry run found: the result of the command, so on stdout. Verbosity 0 leaves only the closing
// sentence.
func (inv *invocation) printPreviews(c *Call, conns []*db.DB) {
	var all changes
	for _, conn := range conns {
		p := inv.previews[conn.Alias()]
		if p == nil {
			continue
		}
		var own changes
		own.add(p)
		all.add(p)
		if inv.std.json {
			c.JSON(previewDocument(c, conn, p, own.sentence(conn.Alias())))
			continue
		}
		if inv.std.verbosity > 0 {
			inv.printPreview(c, conn, p, own)
		}
	}
	if !inv.std.json {
		text := all.sentence(aliasList(conns)) + " Nothing was changed."
		inv.tell(text)
		c.Line("%s", term.Notice.Paint(text, inv.colourOut))
	}
}

func (inv *invocation) printPreview(c *Call, conn *db.DB, p *db.Preview, own changes) {
	c.Line("\nDry run on %s (%s), rolled back:", conn.Alias(), conn.Address())
	width := len("table")
	for _, t := range p.Tables {
		width = max(width, len(t.Table))
	}
	if own.tables > 0 {
		c.Line("  %-*s  %12s  %12s  %12s", width, "table", "inserted", "updated", "deleted")
	}
	for _, t := range p.Tables {
		if t.Inserted+t.Updated+t.Deleted > 0 {
			c.Line("  %-*s  %12s  %12s  %12s", width, t.Table, term.Count(t.Inserted), term.Count(t.Updated), term.Count(t.Deleted))
		}
	}
	if len(p.Hooks) > 0 {
		c.Line("  After the commit %s would run:", term.Counted(int64(len(p.Hooks)), "hook"))
		for i, name := range p.Hooks {
			c.Line("    %d. %s", i+1, name)
		}
	}
	for _, note := range p.Notes {
		c.Line("  Note: %s", note)
	}
	c.Line("")
}

func previewDocument(c *Call, conn *db.DB, p *db.Preview, sentence string) dryRunDocument {
	doc := dryRunDocument{
		Type: "dry_run", Time: c.stamp(), Database: conn.Alias(), Tables: []tableCounts{}, Hooks: []string{}, Notes: []string{},
		Message: sentence + " Nothing was changed.",
	}
	for _, t := range p.Tables {
		doc.Tables = append(doc.Tables, tableCounts(t))
	}
	doc.Hooks = append(doc.Hooks, p.Hooks...)
	doc.Notes = append(doc.Notes, p.Notes...)
	return doc
}

func aliasList(conns []*db.DB) string {
	names := make([]string, len(conns))
	for i, conn := range conns {
		names[i] = conn.Alias()
	}
	return strings.Join(names, ", ")
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
