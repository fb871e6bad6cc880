//go:build !unix

package reqlog

import "time"

// cpuTime is not told here: segments are recompressed whatever else is done.
func cpuTime() time.Duration { return 0 }
