package answer

import "github.com/sluicehq/sluice/internal/wire/jsonpick"

// Place is a place in a dialect's texts, and what the value that stands there tells.
type Place[W any] struct {
	At    string
	How   jsonpick.How
	Tells W
}

// Under returns the places as they are below each of the prefixes ("", "response.", "[].").
func Under[W any](places []Place[W], prefixes ...string) []Place[W] {
	var all []Place[W]
	for _, prefix := range prefixes {
		for _, p := range places {
			p.At = prefix + p.At
			all = append(all, p)
		}
	}
	return all
}

// Plan is what the meters of a dialect look for. It does not change.
type Plan[W any] struct {
	Set   *jsonpick.Set
	tells []W // by path
}

// Compile makes a Plan of places, no two of which are the same.
func Compile[W any](places []Place[W]) Plan[W] {
	var p Plan[W]
	var paths []jsonpick.Path
	for _, place := range places {
		paths = append(paths, jsonpick.Path{At: place.At, How: place.How})
		p.tells = append(p.tells, place.Tells)
	}
	p.Set = jsonpick.Compile(paths)
	return p
}

// Tells returns what the value of a path tells.
func (p *Plan[W]) Tells(path int) W { return p.tells[path] }
