package app

import (
	"bufio"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// limitMemory tells the runtime of a container's memory limit, unless GOMEMLIMIT does: a collector
// that knows the limit works harder before the kernel ends the process.
//
// Without GOGC in the environment the heap may grow to three times what is live, not twice: what lives
// is small, so that collecting half as often costs little memory.
func limitMemory(logger *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
	if limit := cgroupLimit(); debug.SetMemoryLimit(-1) == math.MaxInt64 && limit > 0 {
		debug.SetMemoryLimit(limit / 10 * 9)
		logger.Debug("memory limit set", "bytes", limit/10*9)
	}
}

// maxBodyMemory bounds the pool for bodies however much memory there is.
const maxBodyMemory = 1 << 30

// bodyMemory is the size of the pool for bodies: as configured, else a quarter of the memory limit.
func bodyMemory(configured int64) int64 {
	if configured > 0 {
		return configured
	}
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		limit = machineMemory()
	}
	return min(limit/4, maxBodyMemory)
}

// cgroupLimit is the memory limit of the process's control group; 0: none is known.
func cgroupLimit() int64 {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n < machineMemory() {
			return n
		}
	}
	return 0
}

// machineMemory is the machine's memory in bytes, and 4 GB where nothing tells.
func machineMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return maxBodyMemory * 4
	}
	defer func() { _ = f.Close() }() // only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			if kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	return maxBodyMemory * 4
}

// clientConns is how many client connections may be open: as configured, else what the file limit
// leaves when each needs one to the provider as well.
func clientConns(configured int) int {
	if configured > 0 {
		return configured
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return 0
	}
	const own = 256 // files of the log, listeners
	return max((int(limit.Cur)-own)/2, 16)
}
