package command

import (
	"encoding/json"
	"time"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// The JSON forms are a contract: fields are added, never renamed.

// runDocument is a run; ids are whole, times in UTC, and what is not known is null.
type runDocument struct {
	Type        string              `json:"type"`
	RunID       string              `json:"run_id"`
	Command     string              `json:"command"`
	Arguments   []runstore.Argument `json:"arguments"`
	CommandLine []string            `json:"command_line"`
	Number      int                 `json:"number"`
	Database    runDatabase         `json:"database"`
	State       runstore.State      `json:"state"`
	Request     runstore.Request    `json:"request"`
	Waiting     string              `json:"waiting"`
	Error       string              `json:"error"`
	Attempt     int                 `json:"attempt"`
	Phase       int                 `json:"phase"`
	Planned     *int64              `json:"planned"`
	Done        int64               `json:"done"`
	Read        int64               `json:"read"`
	Quarantined int64               `json:"quarantined"`
	Batches     int64               `json:"batches"`
	Retries     int64               `json:"retries"`
	Rate        *float64            `json:"rows_per_second"`
	Seconds     *float64            `json:"seconds"`
	Options     map[string]string   `json:"options"`
	Undo        bool                `json:"undo"`
	UndoOf      string              `json:"undo_of"`
	RetryOf     string              `json:"retry_of"`
	Build       string              `json:"build"`
	Owner       string              `json:"owner"`
	LeaseUntil  *string             `json:"lease_until"`
	CreatedBy   string              `json:"created_by"`
	CreatedAt   *string             `json:"created_at"`
	StartedAt   *string             `json:"started_at"`
	FinishedAt  *string             `json:"finished_at"`
}

type runDatabase struct {
	Alias   string `json:"alias"`
	Address string `json:"address"`
}

func databaseOf(conn *db.DB) runDatabase { return runDatabase{conn.Alias(), conn.Address()} }

func documentOf(c *drover.Call, r runstore.Run, n runstore.Counters) runDocument {
	d := runDocument{
		Type: "run", RunID: r.ID, Command: r.Command, Arguments: append([]runstore.Argument{}, r.Arguments...),
		CommandLine: append([]string{}, r.CommandLine...), Number: r.Number, Database: databaseOf(c.DB()),
		State: r.State, Request: r.Request, Waiting: r.Waiting, Error: r.Error, Attempt: r.Attempt, Phase: r.Phase,
		Done: n.Done, Read: n.Read, Quarantined: n.Quarantined, Batches: n.Batches, Retries: n.Retries, Options: r.Options,
		Undo: r.Undo, UndoOf: r.UndoOf, RetryOf: r.RetryOf, Build: r.Build, Owner: r.Owner, LeaseUntil: utc(r.LeaseUntil),
		CreatedBy: r.CreatedBy, CreatedAt: utc(r.CreatedAt), StartedAt: utc(r.StartedAt), FinishedAt: utc(r.FinishedAt),
	}
	if r.Planned >= 0 {
		d.Planned = &r.Planned
	}
	if rate, ok := rowRate(r, n, c.Now()); ok {
		d.Rate = &rate
	}
	if t, ok := took(r, c.Now()); ok {
		seconds := t.Seconds()
		d.Seconds = &seconds
	}
	return d
}

// utc is a time in a document; null where there is none.
func utc(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := term.Timestamp(t)
	return &text
}

// runDetails is a run with everything that is stored of it but for its data.
type runDetails struct {
	runDocument
	Shards     []shardDocument `json:"shards"`
	UndoImages int64           `json:"undo_images"`
	Quarantine []asideDocument `json:"quarantine"` // the first rows
	Events     []eventDocument `json:"events"`     // the last ones
}

type shardDocument struct {
	Phase       int    `json:"phase"`
	Shard       int    `json:"shard"`
	Lower       []any  `json:"lower"`
	Upper       []any  `json:"upper"`
	Reached     []any  `json:"reached"`
	Finished    bool   `json:"finished"`
	Planned     *int64 `json:"planned"`
	Batches     int64  `json:"batches"`
	Read        int64  `json:"read"`
	Done        int64  `json:"done"`
	Quarantined int64  `json:"quarantined"`
	Retries     int64  `json:"retries"`
}

type eventDocument struct {
	At    string `json:"at"`
	Event string `json:"event"`
	Actor string `json:"actor"`
	Text  string `json:"text"`
}

// asideDocument is a row that was set aside.
type asideDocument struct {
	Type     string          `json:"type"`
	RunID    string          `json:"run_id"`
	ID       int64           `json:"id"`
	Phase    int             `json:"phase"`
	Key      []any           `json:"key"`
	Kind     string          `json:"kind"`
	Error    string          `json:"error"`
	Input    json.RawMessage `json:"input"` // a text where it is no JSON
	Attempts int             `json:"attempts"`
	Retried  string          `json:"retried_by"`
	At       *string         `json:"at"`
}

func asideOf(q runstore.Quarantined) asideDocument {
	input := json.RawMessage(q.Input)
	switch {
	case q.Input == "":
		input = json.RawMessage("null")
	case !json.Valid(input):
		input = json.RawMessage(term.MarshalLine(q.Input))
	}
	return asideDocument{
		Type: "quarantined", RunID: q.RunID, ID: q.ID, Phase: q.Phase, Key: jsonValues(q.Key), Kind: q.Kind, Error: q.Error, Input: input,
		Attempts: q.Attempts, Retried: q.Retried, At: utc(q.Created),
	}
}
