//go:build noui

// Package web holds the dashboard's built pages, which this build leaves out.
package web

import "io/fs"

// Pages returns nil: the pages were left out by the build tag noui.
func Pages() fs.FS { return nil }
