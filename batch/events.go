package batch

import "time"

// EventType says what an [Event] is about.
type EventType string

// The types. Only new ones are added.
const (
	// EventTables: the control tables were made, or brought up to date.
	EventTables EventType = "tables"
	// EventStarted and EventResumed: a runner has begun with a new run, or goes on with one. Done and Total say how far it is, Text what there is to know.
	EventStarted EventType = "started"
	EventResumed EventType = "resumed"
	// EventPhase: a phase of several begins.
	EventPhase EventType = "phase"
	// EventBatch: a batch is committed.
	EventBatch EventType = "batch"
	// EventRetry: a batch was rolled back and will be tried again after Wait, because of Err.
	EventRetry EventType = "retry"
	// EventRetried: a batch that was tried again is committed now.
	EventRetried EventType = "retried"
	// EventSplit: a batch failed for good and is cut, to find the rows that make it fail.
	EventSplit EventType = "split"
	// EventQuarantined: a row was set aside, because of Err. It is told after the commit.
	EventQuarantined EventType = "quarantined"
	// EventSize: the batch size changes, for the reason in Text.
	EventSize EventType = "size"
	// EventThrottled and EventContinued: the run waits, for the reason in Text, and goes on.
	EventThrottled EventType = "throttled"
	EventContinued EventType = "continued"
	// EventCanary: the first rows are done and the assertions hold.
	EventCanary EventType = "canary"
	// EventSet: an option was changed from outside; Text says which.
	EventSet EventType = "set"
	// EventStopping: the run will stop after the batches under way, for the reason in Text.
	EventStopping EventType = "stopping"
	// EventFinished: the runner has ended, for good or not.
	EventFinished EventType = "finished"
)

// Event is something that happened in a run. Fields that mean nothing for its type are zero.
type Event struct {
	Type  EventType
	Time  time.Time
	RunID string
	// Batch is the number of the batch in this attempt of the run, from 1.
	Batch int64
	// Range names the keys of the batch for people: "(id 1001 through 2000)".
	Range string
	// Rows is how many rows the batch has processed, or the new size of batches.
	Rows int64
	// Took is how long the batch took; Wait is the pause before the next attempt.
	Took, Wait time.Duration
	// Attempt of Of: the failed attempt, and how many there may be.
	Attempt, Of int
	// Done of Total rows are processed; Total is -1 where it is not known.
	Done, Total int64
	// Phase is the phase that begins or is gone on with, of a job that has several, and Earlier how many rows of Done and of Total belong
	// to phases before it.
	Phase   string
	Earlier int64
	// Reached is the key up to which the batch's shard is done, for people; Cursor is its values.
	Reached string
	Cursor  []any
	// Key is the key of a row that was set aside.
	Key  string
	Err  error
	Text string
}
