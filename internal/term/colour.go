package term

import (
	"slices"
	"strings"
)

// ColourChoice is what the command line says about colour.
type ColourChoice int

// The choices of the command line; [ColourAuto] leaves the decision to the environment and the stream.
const (
	ColourAuto  ColourChoice = iota // no option given
	ColourNever                     // --no-color
	ColourForce                     // --force-color
)

// UseColour decides for one stream. The first of these that speaks wins: the command line's choice, NO_COLOR,
// FORCE_COLOR or CLICOLOR_FORCE, TERM=dumb, and at last whether the stream is a terminal. environ has os.Environ's form.
// An empty NO_COLOR says nothing (https://no-color.org); FORCE_COLOR=0 and CLICOLOR_FORCE=0 say nothing either.
func UseColour(choice ColourChoice, environ []string, terminal bool) bool {
	switch choice {
	case ColourNever:
		return false
	case ColourForce:
		return true
	case ColourAuto:
	}
	if Getenv(environ, "NO_COLOR") != "" {
		return false
	}
	for _, name := range []string{"FORCE_COLOR", "CLICOLOR_FORCE"} {
		if v := Getenv(environ, name); v != "" && v != "0" {
			return true
		}
	}
	return terminal && Getenv(environ, "TERM") != "dumb"
}

// Getenv reads one variable from an environment in os.Environ's form; the last setting of a name wins, as it does for a
// child process.
func Getenv(environ []string, name string) string {
	for _, variable := range slices.Backward(environ) {
		if key, value, ok := strings.Cut(variable, "="); ok && key == name {
			return value
		}
	}
	return ""
}
