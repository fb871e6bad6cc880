package reqlog

import sluice "github.com/sluicehq/sluice"

// Redescribe lets change set fields that Described made final, for a request that went on to another
// target. It waits while others read them.
func (l *Log) Redescribe(x *Exchange, change func(e *sluice.LogEntry)) {
	l.running.mu.Lock()
	defer l.running.mu.Unlock()
	change(&x.Entry)
	l.running.change(x)
}
