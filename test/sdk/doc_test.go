// Package sdk calls a scripted upstream through the providers' own SDKs, once directly and once through
// the program, and compares byte for byte what the upstream received and what the SDK received.
package sdk
