// Package term is drover's screen: when to use colour, how numbers and durations read, how a question is asked, and how
// progress is shown without ever tearing a log line.
//
// Everything here is told its streams, its size and its clock; nothing reads the process's own. One [Screen] owns the
// output streams of one invocation: every byte for a terminal passes through it, so a live block and the lines above
// it cannot be mixed up, whichever goroutine writes them.
//
// Progress has one model, [Snapshot], made by a [Meter], and four renderers on it: a live block for a terminal, plain
// lines for a log, JSON lines for a program, and none.
package term
