// Package e2e tests the program as a whole: the built binary between clients and a scripted upstream,
// with kills, full disks and broken streams. It knows none of the product's packages.
package e2e
