package term

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Count writes n with thousands separators: 318240 is "318,240".
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	first := len(digits) % 3
	out := make([]byte, 0, len(digits)+len(digits)/3+1)
	out = append(out, sign...)
	out = append(out, digits[:first]...)
	for i := first; i < len(digits); i += 3 {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, digits[i:i+3]...)
	}
	return string(out)
}

// Plural is the noun as it stands behind n: row, rows, batches.
func Plural(n int64, noun string) string {
	switch {
	case n == 1:
		return noun
	case strings.HasSuffix(noun, "ch"):
		return noun + "es"
	}
	return noun + "s"
}

// Counted writes a number with its noun: "1 row", "318,240 rows".
func Counted(n int64, noun string) string { return Count(n) + " " + Plural(n, noun) }

// Printable keeps what stands in a database from moving the cursor or changing colours.
func Printable(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			quoted := strconv.Quote(text)
			return quoted[1 : len(quoted)-1]
		}
	}
	return text
}

// Clock writes a running time the way a stopwatch does: "0:40", "12:05", "1:02:03". Fractions of a second are dropped.
func Clock(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Duration writes a length of time in words' order: "0.2ms", "12ms", "0.4s", "41s", "2m31s", "3h05m". It keeps one decimal
// below a millisecond and below ten seconds, because there the decimal is what people compare.
func Duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case 0 < d && d < time.Millisecond:
		return fmt.Sprintf("%.1fms", d.Seconds()*1000)
	case 0 < d && d < 100*time.Millisecond:
		return fmt.Sprintf("%.0fms", d.Seconds()*1000)
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute-500*time.Millisecond:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	s := int64(d.Round(time.Second) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}

// Rate writes how many a second: "2,140", and "0.4" where the whole number would say nothing of slow work.
func Rate(perSecond float64) string {
	if 0 < perSecond && perSecond < 9.95 {
		return fmt.Sprintf("%.1f", perSecond)
	}
	return Count(int64(perSecond + 0.5))
}

// Percent writes done of total as "27.1 %". It says "100.0 %" only when everything is done: 99.96 % is "99.9 %".
func Percent(done, total int64) string {
	if total <= 0 || done >= total {
		return "100.0 %"
	}
	permille := int64(float64(max(done, 0)) / float64(total) * 1000)
	return fmt.Sprintf("%d.%d %%", permille/10, permille%10)
}
