package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"
)

// ValidationError lists what is wrong with rows. Nothing was sent.
type ValidationError struct {
	Table    string
	Failures []Failure
}

// Failure is one rule that one field of one row breaks.
type Failure struct {
	Row     int    // its place in the call's input, from 0
	Field   string // the field's path; empty where the row as a whole is wrong
	Column  string // empty where the field is no column
	Rule    string // the tag's rule, "required", or "Validate" for the row's own method
	Param   string // of the rule: the 100 of max=100
	Message string
}

// String is one line: row 3, name: max=100 (…).
func (f Failure) String() string {
	where := fmt.Sprintf("row %d", f.Row)
	if f.Field != "" {
		where += ", " + f.Field
	}
	return where + ": " + f.Message
}

// Error lists the first failures and counts the rest.
func (e *ValidationError) Error() string {
	const most = 5
	lines := make([]string, 0, most+1)
	for i, f := range e.Failures {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Failures)-most))
			break
		}
		lines = append(lines, f.String())
	}
	return fmt.Sprintf("table %s: not valid: %s", e.Table, strings.Join(lines, "; "))
}

// Hint says that nothing was written.
func (e *ValidationError) Hint() string { return "nothing was written; mend the rows and run again" }

// rules is the validator of all types. It caches what it knows of them, and is safe for concurrent use.
var rules = sync.OnceValue(func() *validator.Validate {
	return validator.New(validator.WithRequiredStructEnabled())
})

// FullClean checks rows without sending anything: the rules in the tags `validate` (package go-playground/validator), and the row's method
// Validate() error or Validate(context.Context) error, where it has one. All rows are checked, and all that is wrong is told together, in a
// [*ValidationError]. It is Django's full_clean; what only the database can know, such as whether a value is taken, is told by the write.
func (t Table[T]) FullClean(ctx context.Context, rows []T) error {
	return t.clean(ctx, batch{rows: newList(rows, newScratch(t.model.mapping, t.model.fullName(), new(T)))})
}

func (q *query) clean(ctx context.Context, b batch) error {
	failed := &ValidationError{Table: q.model.fullName()}
	for i := range b.rows.len() {
		failures, err := q.cleanRow(ctx, b.rows.at(i))
		if err != nil {
			return err
		}
		for _, f := range failures {
			f.Row = b.first + i
			failed.Failures = append(failed.Failures, f)
		}
	}
	if len(failed.Failures) > 0 {
		return failed
	}
	return nil
}

func (q *query) cleanRow(ctx context.Context, row any) ([]Failure, error) {
	var failures []Failure
	err := rules().StructCtx(ctx, row)
	if broken, ok := errors.AsType[validator.ValidationErrors](err); ok {
		for _, b := range broken {
			failures = append(failures, q.failure(b))
		}
	} else if err != nil {
		return nil, fmt.Errorf("validate %s: %w", q.model.mapping.Type, err)
	}
	switch v := row.(type) {
	case interface {
		Validate(ctx context.Context) error
	}:
		err = v.Validate(ctx)
	case interface{ Validate() error }:
		err = v.Validate()
	default:
		return failures, nil
	}
	if err != nil {
		failures = append(failures, Failure{Rule: "Validate", Message: err.Error()})
	}
	return failures, nil
}

// failure translates an error of the validator.
func (q *query) failure(b validator.FieldError) Failure {
	_, path, _ := strings.Cut(b.StructNamespace(), ".")
	f := Failure{Field: path, Rule: b.Tag(), Param: b.Param()}
	for _, c := range q.model.mapping.Columns {
		if c.Field == path {
			f.Column = c.Name
		}
	}
	rule := f.Rule
	if f.Param != "" {
		rule += "=" + f.Param
	}
	f.Message = "breaks the rule " + rule // without the value, which may be a secret
	return f
}
