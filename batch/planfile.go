package batch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover"
	"github.com/drover-dev/drover/db"
	"github.com/drover-dev/drover/internal/planfile"
	"github.com/drover-dev/drover/internal/runstore"
	"github.com/drover-dev/drover/internal/term"
)

// approved is the plan that a run is held to.
type approved struct {
	*planfile.Plan
	file string
	anew string // the command line that makes such a plan
}

// planArgument is the name under which a run keeps the hash of its plan file.
const planArgument = "plan"

// Options of the engine that belong to what is approved, and those that a plan file leaves out. The others say how the work is done: a plan file has
// them too, and the command line may say otherwise.
var (
	approvedOptions = []string{"undo", "retry", "canary", "assert-before", "assert-after"}
	momentary       = []string{"plan", "plan-out", "resume", "again"}
)

// Fill gives the options that --plan leaves out the values of its file; it is for [drover.Command.Fill]. It fails where the file is no plan, was edited, or
// is another command's, and where an option that says what the work is was given with another value.
func (x *Flags) Fill(c *drover.Call) error {
	if !c.Flags().Changed("plan") {
		return nil
	}
	p, err := x.read(c)
	if err != nil {
		return err
	}
	differs := &PlanError{File: x.planIn, Advice: []string{"leave out what the plan says, or make a plan of what you want: --dry-run --plan-out FILE"}}
	differ := func(what, planned, now string) {
		differs.Differences = append(differs.Differences, PlanDifference{What: what, Planned: planned, Now: now})
	}
	for _, o := range p.Options {
		if given := c.Typed(o.Name); given != nil && !slices.Equal(given, o.Values) {
			differ("--"+o.Name, strings.Join(o.Values, ", "), strings.Join(given, ", "))
		}
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		if x.isWork(f.Name) && !slices.ContainsFunc(p.Options, func(o planfile.Option) bool { return o.Name == f.Name }) {
			differ("--"+f.Name, "", strings.Join(c.Typed(f.Name), ", "))
		}
	})
	if args := c.Args(); len(args) > 0 && !slices.Equal(args, p.Arguments) {
		differ("arguments", strings.Join(p.Arguments, " "), strings.Join(args, " "))
	}
	if len(differs.Differences) > 0 {
		return differs
	}
	for _, o := range slices.Concat(p.Options, p.Settings) {
		if !x.isWork(o.Name) && !x.isSetting(o.Name) { // --no-input, say: what was approved is not who is asked
			return drover.Exit(drover.ExitRefused, "the plan %s holds --%s, which is for the command line alone; nothing was changed", x.planIn, o.Name)
		}
		if c.Flags().Changed(o.Name) || o.Name == "database" && c.Flags().Changed("all-databases") {
			continue
		}
		for _, value := range o.Values {
			if err := c.Flags().Set(o.Name, value); err != nil {
				return drover.Exit(drover.ExitRefused, "the plan %s has an option that this program does not take: %w", x.planIn, err).
					Try("run it with the program that has made it: %s", p.Program)
			}
		}
	}
	c.SetArgs(p.Arguments...)
	x.approved = &approved{Plan: p, file: x.planIn}
	return nil
}

// read reads the file of --plan.
func (x *Flags) read(c *drover.Call) (*planfile.Plan, error) {
	p, err := planfile.Read(x.planIn)
	refuse := func(why, what, planned, now, advice string) error {
		d := PlanDifference{What: what, Planned: planned, Now: now}
		return drover.Exit(drover.ExitRefused, "the plan %s %s; nothing was changed", x.planIn, why).Try("%s", differenceText(d)).Try("%s", advice)
	}
	var format *planfile.FormatError
	var edited *planfile.EditedError
	switch {
	case errors.As(err, &format):
		return nil, refuse("is of another format than this program's", "format", format.Format, strconv.Itoa(planfile.Format),
			"run it with the version of drover that has made it, or make it anew")
	case errors.As(err, &edited):
		return nil, refuse("was edited after it was written", "SHA-256", edited.Written, edited.Now,
			"take the file from where it was approved, or make the plan anew and have it approved")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, planfile.ErrNoPlan):
		return nil, drover.Exit(drover.ExitUsage, "--plan %s: %w", x.planIn, err).Try("--dry-run --plan-out %s writes a plan", x.planIn)
	case err != nil:
		return nil, drover.Exit(drover.ExitUsage, "--plan: %w", err)
	case p.Command != c.CommandName():
		return nil, refuse("is another command's", "command", p.Command, c.CommandName(), fmt.Sprintf("%s %s --plan %s", c.Program(), p.Command, term.ShellQuote(x.planIn)))
	}
	return p, nil
}

// isWork reports whether an option says what the work is.
func (x *Flags) isWork(name string) bool {
	return name == "limit" || slices.Contains(x.own, name) || slices.Contains(approvedOptions, name)
}

// isSetting reports whether an option says how the work is done, and a plan file may hold it.
func (x *Flags) isSetting(name string) bool {
	return name == "database" || slices.Contains(x.engine, name) && !slices.Contains(momentary, name) && !x.isWork(name)
}

// planOptions is what the plan files of the command line mean for the run.
func (x *Flags) planOptions(c *drover.Call, o *Options) error {
	out := c.Flags().Changed("plan-out")
	switch {
	case c.Flags().Changed("plan") && x.approved == nil:
		return errors.New("--plan is not read: the command's Fill must be that of its Flags")
	case !out:
	case x.approved != nil:
		return drover.Exit(drover.ExitUsage, "--plan and --plan-out exclude each other")
	case c.CheckOnly():
		return drover.Exit(drover.ExitUsage, "--check and --plan-out exclude each other").Try("--dry-run --plan-out %s writes the plan", x.planOut)
	case x.planOut == "":
		return drover.Exit(drover.ExitUsage, "--plan-out is empty").Try("--plan-out %s.json", c.CommandName())
	}
	if out {
		if err := x.writable(c); err != nil {
			return err
		}
	}
	if x.approved != nil {
		x.approved.anew = c.ShellLine(map[string]string{"plan": "", "plan-out": x.planIn, "dry-run": "plan", "check": "", "no-input": "", "again": "", "resume": ""})
	}
	o.approved, o.saves = x.approved, out
	return nil
}

// writable refuses a file that is something else, and options that must not stand in a file.
func (x *Flags) writable(c *drover.Call) error {
	if err := planfile.MayWrite(x.planOut); err != nil {
		refused := drover.Exit(drover.ExitUsage, "--plan-out: %w", err)
		if errors.Is(err, planfile.ErrNoPlan) {
			refused = refused.Try("name another file: only plans are overwritten")
		}
		return refused
	}
	var err error
	c.Flags().Visit(func(f *pflag.Flag) {
		names, _ := pflag.UnquoteUsage(f)
		for _, value := range c.Typed(f.Name) {
			if err != nil || f.Name == "database" || !isSecret(value) && (names != "alias" || !strings.Contains(value, ":")) {
				continue
			}
			err = drover.Exit(drover.ExitUsage, "--%s is a URL, which a plan file does not hold: it may have a password", f.Name).
				Try("name the database by its alias, from DATABASE_URL_ALIAS or drover.toml")
		}
	})
	return err
}

// isSecret reports whether a value is a URL of somebody.
func isSecret(value string) bool {
	scheme, rest, found := strings.Cut(value, "://")
	if !found || strings.ContainsAny(scheme, " \t'\"") {
		return false
	}
	u, err := url.Parse(value)
	return err != nil && strings.Contains(rest, "@") || err == nil && u.User != nil
}

// claim finds out whether the run that was looked up is one of the plan's.
func (r *runner) claim(ctx context.Context) error {
	plan := r.settings.approved
	switch {
	case plan == nil:
		return nil
	case r.current != nil:
		if r.current.Argument(planArgument) == plan.SHA256 || plan.Run == r.current.ID {
			return nil
		}
		id := Short(r.current.ID)
		return drover.Exit(drover.ExitRefused, "run %s of the same work is not finished, and was not begun by the plan %s", id, plan.file).
			Try("%s runs resume %s    goes on with it", r.tool(), id).
			Try("%s runs cancel %s    gives it up, so that the plan can be run", r.tool(), id)
	}
	switch err := r.store.Ready(ctx); {
	case errors.Is(err, runstore.ErrNoTables):
		return nil
	case err != nil:
		return err
	}
	if plan.Run != "" {
		found, err := r.store.Find(ctx, plan.Run)
		switch {
		case errors.Is(err, runstore.ErrNoRun):
			return drover.Exit(drover.ExitRefused, "the plan %s goes on with run %s, which is not there any more", plan.file, Short(plan.Run)).
				Try("%s    makes it anew", plan.anew)
		case err != nil:
			return err
		case found.State == runstore.Succeeded:
			return &DoneError{RunID: found.ID, Plan: plan.file}
		}
		return drover.Exit(drover.ExitRefused, "the plan %s goes on with run %s, which is %s", plan.file, Short(found.ID), found.State).
			Try("%s    makes it anew", plan.anew)
	}
	if r.settings.Again {
		return nil
	}
	const most = 1000 // runs of the same work
	runs, _, err := r.store.List(ctx, runstore.Filter{Identity: r.identity(), State: runstore.Succeeded, Limit: most})
	if err != nil {
		return err
	}
	for i := range runs {
		if runs[i].Argument(planArgument) == plan.SHA256 {
			return &DoneError{RunID: runs[i].ID, Plan: plan.file}
		}
	}
	return nil
}

func (r *runner) tool() string {
	if r.settings.tool == "" {
		return "drover"
	}
	return r.settings.tool
}

// compare says what the plan is bound to, and refuses what is not as it was approved.
func (r *runner) compare(ctx context.Context, p *Plan) (err error) {
	plan := r.settings.approved
	if plan == nil && !r.settings.saves {
		return nil
	}
	if p.now, err = r.facts(ctx, p); err != nil {
		return err
	}
	if plan == nil {
		return nil
	}
	p.File = &PlanFile{File: plan.file, SHA256: plan.SHA256, Made: plan.Made, By: plan.By, Rows: plan.Rows}
	p.Add("Plan", "%s", plan.text(p.now.Rows))
	if differences := plan.Differences(p.now); len(differences) > 0 && p.Refusal == nil {
		p.Refusal = &PlanError{File: plan.file, Differences: differences, Advice: []string{plan.anew + "    makes the plan anew, to be approved"}}
	}
	return nil
}

// text is a plan in one line, with how the number of rows has moved.
func (a *approved) text(now *int64) string {
	text := fmt.Sprintf("%s of %s by %s", term.Printable(a.file), a.Made, term.Printable(a.By))
	if a.Rows == nil || now == nil {
		return text
	}
	return text + fmt.Sprintf(": planned %s, now %s (%s)", term.Counted(*a.Rows, "row"), drover.Count(*now), planfile.Moved(*a.Rows, *now))
}

// facts is what a plan file is bound to, as it is now.
func (r *runner) facts(ctx context.Context, p *Plan) (*planfile.Plan, error) {
	identity, err := identify(ctx, r.conn)
	if err != nil {
		return nil, err
	}
	f := &planfile.Plan{
		Command: r.name, Run: p.RunID, Rows: known(p.Rows),
		Database: planfile.Database{Alias: r.conn.Alias(), Address: r.conn.Address(), Identity: identity},
		Bound:    []planfile.Fact{{Name: "source", Value: p.Source}},
		Kept:     []planfile.Fact{},
	}
	if p.Order != "" {
		f.Bound = append(f.Bound, planfile.Fact{Name: "key", Value: p.Order})
	}
	for _, b := range p.bound {
		if b.conn != nil {
			if b.value, err = identify(ctx, b.conn); err != nil {
				return nil, err
			}
		}
		f.Bound = append(f.Bound, planfile.Fact{Name: b.name, Value: b.value})
	}
	for _, a := range r.settings.Frozen {
		f.Kept = append(f.Kept, planfile.Fact(a))
	}
	switch {
	case p.RunID == "":
	case r.current.Phase > 0:
		f.Rows = nil // the run counts those of its later phases as well
	default:
		err = r.recount(ctx, f)
	}
	return f, err
}

// identify names a database by what lasts of it.
func identify(ctx context.Context, conn *db.DB) (string, error) {
	identity, err := conn.Dialect().Identity(ctx, conn)
	if err == nil && identity == "" {
		err = drover.Exit(drover.ExitUsage, "the database %q (%s) is not kept anywhere, so that no plan can be made for it", conn.Alias(), conn.Address())
	}
	return identity, err
}

// recount sets the number of rows of a run that is resumed: those that are done, and those that are left now. Where the source cannot count them it is the
// number that the run began with.
func (r *runner) recount(ctx context.Context, f *planfile.Plan) error {
	c, ok := r.source.(recounter)
	if !ok {
		return nil
	}
	shards, err := r.store.Shards(ctx, f.Run)
	if err != nil {
		return err
	}
	rows := int64(0)
	for _, sh := range shards {
		rows += sh.Counters.Done + sh.Quarantined
		left, err := c.left(ctx, &shard{Shard: sh})
		if err != nil {
			return fmt.Errorf("count the rows that are left: %w", err)
		}
		rows += left
	}
	if limit := r.settings.Limit; limit > 0 {
		rows = min(rows, limit)
	}
	f.Rows = &rows
	return nil
}

// Save writes the plan to the file of --plan-out, if that was given, and says so. It is called when the plan is shown and nothing refuses it, before it is
// asked for in a run; see Offer for a dry run. The run is then held to the plan, as by --plan.
func (x *Flags) Save(c *drover.Call, p *Prepared) error {
	r := p.r
	if !r.settings.saves {
		return nil
	}
	now := r.plan.now
	now.Made, now.By, now.Program = term.Timestamp(c.Now()), r.settings.By, c.Program()+" "+r.settings.Build
	now.Arguments, now.Options, now.Settings = append([]string{}, c.Args()...), []planfile.Option{}, []planfile.Option{}
	c.Flags().Visit(func(f *pflag.Flag) {
		o := planfile.Option{Name: f.Name, Values: c.Typed(f.Name)}
		switch {
		case x.isWork(f.Name):
			now.Options = append(now.Options, o)
		case f.Name == "database" && strings.Contains(f.Value.String(), ":"): // a URL, which whoever runs the plan gives again
		case x.isSetting(f.Name):
			now.Settings = append(now.Settings, o)
		}
	})
	if err := planfile.Write(x.planOut, now); err != nil {
		return drover.Errorf("write the plan: %w; nothing was changed", err)
	}
	if r.current == nil {
		r.settings.frozen = append(r.settings.frozen, runstore.Argument{Name: planArgument, Value: now.SHA256})
	}
	if c.JSONOutput() {
		c.JSON(planFileDocument{Type: "plan_file", Time: stamp(c.Now()), File: x.planOut, SHA256: now.SHA256, Rows: now.Rows})
		return nil
	}
	c.Notice("Plan saved in %s. To do exactly this: %s %s --plan %[1]s", term.ShellQuote(x.planOut), c.Program(), c.CommandName())
	return nil
}

// planFileDocument says that a plan was written.
type planFileDocument struct {
	Type   string `json:"type"`
	Time   string `json:"time"`
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Rows   *int64 `json:"rows"`
}

// Offer ends a dry run that has shown the plan: it saves it, or says how it is applied.
func (x *Flags) Offer(c *drover.Call, p *Prepared) error {
	plan := p.Plan()
	switch {
	case p.r.settings.saves:
		return x.Save(c, p)
	case c.JSONOutput(), plan.Rows == 0 && plan.RunID == "":
		return nil
	}
	text := "Run without --dry-run to apply"
	if x.approved == nil {
		text += ", or save this plan: --plan-out " + c.CommandName() + ".json"
	}
	c.Notice("%s.", text)
	c.Notice("--dry-run=rollback works some batches for real and rolls them back.")
	return nil
}
