package mysql

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-dev/drover/internal/dialect"
)

// gtid is a global transaction id of MariaDB. A server counts those of one domain upwards.
type gtid struct{ domain, server, number uint64 }

func (g gtid) String() string { return fmt.Sprintf("%d-%d-%d", g.domain, g.server, g.number) }

// isPassedBy reports whether a log whose last id of the domain is at has a number as high.
func (g gtid) isPassedBy(at gtid) bool { return at.domain == g.domain && at.number >= g.number }

// isIn reports whether a log whose last id of the domain and the server is at holds g.
func (g gtid) isIn(at gtid) bool { return at.server == g.server && g.isPassedBy(at) }

var gtidText = regexp.MustCompile(`^([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,19})$`)

// parseGTIDs reads a list of ids; an empty text is an empty list.
func parseGTIDs(text string) (ids []gtid, ok bool) {
	if text == "" {
		return nil, true
	}
	for one := range strings.SplitSeq(text, ",") {
		m := gtidText.FindStringSubmatch(one)
		if m == nil {
			return nil, false
		}
		var parts [3]uint64
		for i := range parts {
			parts[i], _ = strconv.ParseUint(m[i+1], 10, 64) // digits, and few enough
		}
		ids = append(ids, gtid{parts[0], parts[1], parts[2]})
	}
	return ids, true
}

// laterGTIDs gives the last id of each domain. A primary that was a replica before has perhaps not logged what it applied as one.
func laterGTIDs(logged, applied string) string {
	ids, _ := parseGTIDs(logged)
	more, _ := parseGTIDs(applied)
	for _, id := range more {
		i := slices.IndexFunc(ids, func(other gtid) bool { return other.domain == id.domain })
		switch {
		case i < 0:
			ids = append(ids, id)
		case id.number > ids[i].number:
			ids[i] = id
		}
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ",")
}

func reachedIDs(ctx context.Context, q dialect.Queryer, s dialect.Standing, at, list string) (bool, error) {
	applied, _ := parseGTIDs(at)
	wanted, _ := parseGTIDs(list)
	wanted = slices.DeleteFunc(wanted, func(want gtid) bool { return slices.ContainsFunc(applied, want.isIn) })
	passed := slices.DeleteFunc(slices.Clone(wanted), func(want gtid) bool {
		return s.Replica && !slices.ContainsFunc(applied, want.isPassedBy)
	})
	if len(passed) == 0 {
		return len(wanted) == 0, nil
	}
	// The last of each server that the server has logged; it keeps them also of servers that are gone. One that was a replica before has
	// logged what it applied, or remembers the last of it.
	log, err := readVariables(ctx, q)
	if err != nil {
		return false, err
	}
	logged, _ := parseGTIDs(log["gtid_binlog_state"])
	before, _ := parseGTIDs(log["gtid_slave_pos"])
	for _, want := range passed {
		switch {
		case slices.ContainsFunc(logged, want.isIn), slices.ContainsFunc(before, want.isIn):
		case s.Replica:
			return false, dialect.Incomparable("the server is past %s by transactions of another server, which may have been made without it", want)
		default:
			return false, dialect.Incomparable("%s is not in the server's log", want)
		}
	}
	return len(passed) == len(wanted), nil
}
