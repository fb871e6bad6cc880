//go:build !unix

package front

// look cannot look here: a departure shows when the answer is written.
func look(uintptr) (gone, bytes bool) { return false, false }
