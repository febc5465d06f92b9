package drover

import "strings"

// Verb is what a command does, in the two forms that a dry run and a real run need.
type Verb struct {
	Base string // lower case: "delete"
	Past string // as a sentence begins: "Deleted"
}

// The verbs that data commands use most. [Call.Success] knows them by their past form.
var (
	Deleted    = Verb{"delete", "Deleted"}
	Updated    = Verb{"update", "Updated"}
	Inserted   = Verb{"insert", "Inserted"}
	Created    = Verb{"create", "Created"}
	Changed    = Verb{"change", "Changed"}
	Copied     = Verb{"copy", "Copied"}
	Moved      = Verb{"move", "Moved"}
	Imported   = Verb{"import", "Imported"}
	Exported   = Verb{"export", "Exported"}
	Processed  = Verb{"process", "Processed"}
	Backfilled = Verb{"backfill", "Backfilled"}
	Restored   = Verb{"restore", "Restored"}
	Archived   = Verb{"archive", "Archived"}
	Removed    = Verb{"remove", "Removed"}
	Added      = Verb{"add", "Added"}
	Sent       = Verb{"send", "Sent"}
)

func (v Verb) would() string { return "Would " + v.Base }

// knownVerbs is built on use: a program that prints nothing of the kind need not pay for a map at its start.
func knownVerbs() []Verb {
	return []Verb{
		Deleted, Updated, Inserted, Created, Changed, Copied, Moved, Imported, Exported, Processed, Backfilled, Restored,
		Archived, Removed, Added, Sent,
	}
}

// wouldHave turns a sentence about what was done into one about what would be done.
func wouldHave(sentence string) string {
	first, rest, _ := strings.Cut(sentence, " ")
	for _, v := range knownVerbs() {
		if first == v.Past {
			return strings.TrimRight(v.would()+" "+rest, " ")
		}
	}
	return "Dry run, not kept: " + sentence
}
