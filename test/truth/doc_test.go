// Package truth tests the numbers: a driver that knows nothing of the product but its documentation sends mixed
// calls through the built program, some over restarts and kills, and keeps its own count of what each one
// must have used and cost. Then every view of the log is compared with that, to the token and the nano-dollar.
//
// SLUICE_TRUTH_CALLS is how many calls are sent; `make truth` sends 50,000.
package truth
