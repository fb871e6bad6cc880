// Package golden sends the recorded exchanges of all providers through the built program and compares
// what its log says of them with what was counted, and what they cost, by hand. It reads the recordings
// of internal/provider/testdata/golden and knows none of the product's packages.
package golden
