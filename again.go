package drover

import (
	"encoding/csv"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/drover-dev/drover/internal/term"
)

// CommandLine is the words of a command line that runs this invocation again: the command's full name, the options that
// were given, in their order, and the arguments. change sets options, given or not, to other values; an empty value leaves
// the option out.
//
// Of several databases, the line names the one that this call is for. The URL of a database, after --database or another option, becomes the word URL, for it
// may hold a password. Everything else is as it was given.
func (c *Call) CommandLine(change map[string]string) []string {
	words := strings.Fields(c.Command())
	add := func(f *pflag.Flag, name string, values ...string) {
		for _, value := range values {
			words = append(words, optionWords(f, name, value)...)
		}
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		switch value, changed := change[f.Name]; {
		case changed && value == "", f.Name == "all-databases": // this run is for the one of --database
		case changed:
			add(f, f.Name, value)
		case f.Name == "database" && strings.Contains(f.Value.String(), "://"), hasPassword(f.Value.String()):
			add(f, f.Name, "URL")
		default:
			add(f, f.Name, typedValues(f.Value)...)
		}
	})
	for _, name := range sortedKeys(change) {
		if f := c.Flags().Lookup(name); change[name] != "" && (f == nil || !f.Changed) {
			add(f, name, change[name])
		}
	}
	if slices.ContainsFunc(c.args, func(arg string) bool { return strings.HasPrefix(arg, "-") }) {
		words = append(words, "--")
	}
	return append(words, c.args...)
}

// Typed gives the values of an option as they are typed, one for each time that it must be given; nil where it was not given.
func (c *Call) Typed(name string) []string {
	f := c.Flags().Lookup(name)
	if f == nil || !f.Changed {
		return nil
	}
	return typedValues(f.Value)
}

// userInURL begins a URL that names a user.
var userInURL = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://\S*@`)

// hasPassword reports whether text is a URL with a user's password, or with a user and cannot be read.
func hasPassword(text string) bool {
	if !userInURL.MatchString(text) {
		return false
	}
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	_, has := u.User.Password()
	return has
}

// ShellLine is [Call.CommandLine] as one line that a POSIX shell reads.
func (c *Call) ShellLine(change map[string]string) string {
	words := c.CommandLine(change)
	for i, word := range words {
		words[i] = term.ShellQuote(word)
	}
	return strings.Join(words, " ")
}

// optionWords is one option with its value. Where a value may be left out it can only stand behind an equals sign.
func optionWords(f *pflag.Flag, name, value string) []string {
	switch {
	case f == nil || f.NoOptDefVal == "":
		return []string{"--" + name, value}
	case value == f.NoOptDefVal:
		return []string{"--" + name}
	}
	return []string{"--" + name + "=" + value}
}

// typedValues are the values of an option as they are typed: several where it holds a list. pflag shows lists and maps in
// brackets, which it does not read back.
func typedValues(v pflag.Value) []string {
	list, ok := v.(pflag.SliceValue)
	switch {
	case !ok && strings.HasPrefix(v.Type(), "stringTo"):
		return []string{strings.TrimSuffix(strings.TrimPrefix(v.String(), "["), "]")}
	case !ok:
		return []string{v.String()}
	}
	values := slices.Clone(list.GetSlice())
	if len(values) == 0 {
		return []string{""}
	}
	if v.Type() == "stringSlice" { // each of which is read as a line of CSV
		for i, value := range values {
			values[i] = csvField(value)
		}
	}
	return values
}

// csvField quotes a value where CSV needs it.
func csvField(value string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{value}) // a Builder takes everything
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
