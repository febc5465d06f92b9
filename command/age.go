package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ageFlag is an option whose value is an age: 30d or 2w, or a duration as Go writes it, 36h or 90m.
type ageFlag time.Duration

// String writes it as Go does.
func (a *ageFlag) String() string { return time.Duration(*a).String() }

// Type names the value.
func (a *ageFlag) Type() string { return "age" }

// Set reads it.
func (a *ageFlag) Set(text string) error {
	age, err := parseAge(text)
	*a = ageFlag(age)
	return err
}

// parseAge reads an age.
func parseAge(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	for unit, length := range map[string]time.Duration{"d": day, "w": 7 * day} {
		number, is := strings.CutSuffix(text, unit)
		if !is {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || n > int64(maxAge/length) {
			return 0, fmt.Errorf("%q is no age: a whole number of days or weeks, up to 200 years", text)
		}
		return time.Duration(n) * length, nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no age: 30d, 2w, 36h or 90m", text)
	case d < 0:
		return 0, errors.New("it must not be negative")
	}
	return d, nil
}

// maxAge is years; what a duration holds is not much more.
const maxAge = 200 * 365 * 24 * time.Hour
