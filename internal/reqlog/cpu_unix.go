//go:build unix

package reqlog

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time that the process has used. 0: it cannot be told.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
