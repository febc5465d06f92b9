//go:build !linux

package measure

import "time"

// memory is not watched here.
type memory struct{}

func watchMemory() memory { return memory{} }

func (memory) peak() (growth, total float64) { return Unknown, Unknown }

var began = time.Now()

// CPUTime is the wall clock here.
func CPUTime() time.Duration { return time.Since(began) }
