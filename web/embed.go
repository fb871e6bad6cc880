//go:build !noui

// Package web holds the dashboard's built pages: what "make web" leaves in dist. Without that step the program
// still builds, and says how to get them. The build tag noui leaves them out.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Pages returns the built pages, index.html at their root; nil where they were not built.
func Pages() fs.FS {
	pages, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil
	}
	if _, err := fs.Stat(pages, "index.html"); err != nil {
		return nil
	}
	return pages
}
