package command

import (
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// again is the command line that goes on with a purge that ended early: the same one, but for what is left of --limit.
func (r *purgeRun) again() string {
	parts := []string{r.call.Command()}
	r.call.Flags().Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		switch {
		case f.Name == "limit":
			value = strconv.FormatInt(r.call.Limit()-r.deleted, 10)
		case f.Name == "database" && strings.Contains(value, "://"):
			value = "URL" // it may hold a password
		case f.Value.Type() == "bool" && value == "true":
			parts = append(parts, "--"+f.Name)
			return
		}
		parts = append(parts, "--"+f.Name, shellQuote(value))
	})
	return strings.Join(parts, " ")
}

// shellQuote writes a word so that a POSIX shell reads it back unchanged.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	if strings.Contains(word, "'") && !strings.ContainsAny(word, "\"$`\\!") {
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
