package main

import (
	"regexp"
	"strings"
	"time"
)

// The lines of a run that found nothing and yet failed: its progress, then a complaint about the time
// and nothing else. A line that is none of them is somebody's complaint.
const (
	progress  = `fuzz: elapsed: \S+, (gathering baseline coverage: |testing seed corpus: |execs: ).*|warning: starting with empty corpus`
	verdict   = `--- FAIL: (\w+) \((\S+)\)`
	tail      = `FAIL|exit status 1|FAIL\t\S+\t\S+`
	outOfTime = `    context deadline exceeded`
)

// timeUp tells whether a failed run of the target name only came to the end of the time it was given.
//
// The engine asks its context for the deadline, and a second context made from it whether it is the one
// that ended; for a moment the first has ended and the second not yet, and then the end of the time is
// reported as an error (internal/fuzz, CoordinateFuzzing). Such a run is as good as one that passed.
//
// The rule is strict: the complaint stands alone, after the time asked for, and no input was being
// minimised, for then an input had failed and the engine may have had no time to say so.
func timeUp(out, name string, asked time.Duration) bool {
	known := regexp.MustCompile(`^(` + progress + `|` + tail + `)$`)
	failed := regexp.MustCompile(`^` + verdict + `$`)
	failures, complaints := 0, 0
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if m := failed.FindStringSubmatch(line); m != nil {
			took, err := time.ParseDuration(m[2])
			if err != nil || took < asked || m[1] != name {
				return false
			}
			failures++
			continue
		}
		switch {
		case line == outOfTime:
			complaints++
		case !known.MatchString(line):
			return false
		}
	}
	return failures == 1 && complaints == 1
}
