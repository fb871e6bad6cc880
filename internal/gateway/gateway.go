// Package gateway is the set of all gateways: those that exist by themselves, those of the configuration
// file and those that are stored.
package gateway
