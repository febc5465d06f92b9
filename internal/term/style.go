package term

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// Style is one meaning on the screen. Colour never carries it alone: each is also a word or a sign in the text.
type Style int

// The styles, each with the colour it has where colour is used.
const (
	Plain   Style = iota // as it is
	Success              // green
	Notice               // cyan
	Warning              // yellow
	Failure              // bold red
	Heading              // bold
	Faint                // faint
)

// look gives a style's rendering. Only the sixteen basic colours are used, so that the user's own palette decides and no
// terminal has to be asked what it can show.
func (s Style) look() lipgloss.Style {
	base := lipgloss.NewStyle()
	switch s {
	case Success:
		return base.Foreground(lipgloss.Green)
	case Notice:
		return base.Foreground(lipgloss.Cyan)
	case Warning:
		return base.Foreground(lipgloss.Yellow)
	case Failure:
		return base.Bold(true).Foreground(lipgloss.Red)
	case Heading:
		return base.Bold(true)
	case Faint:
		return base.Faint(true)
	case Plain:
	}
	return base
}

// Paint renders text in the style when colour is true and returns it unchanged otherwise. Lines are painted one by one,
// so a line taken out of the text still ends its own colour.
func (s Style) Paint(text string, colour bool) string {
	if !colour || s == Plain {
		return text
	}
	look := s.look()
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = look.Render(line)
		}
	}
	return strings.Join(lines, "\n")
}
