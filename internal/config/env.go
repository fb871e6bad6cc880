package config

import (
	"maps"
	"slices"
	"strings"
)

// reserved lists the variables that begin with SLUICE_ and are no settings: those of the commands,
// and what an orchestrator sets for a service of our name (SLUICE_PORT_8088_TCP, SLUICE_SERVICE_HOST).
func reserved(name string) bool {
	switch name {
	case "CONFIG", "TOKEN", "URL", "PROFILE", "PORT":
		return true
	}
	return strings.HasPrefix(name, "TEST_") || strings.HasPrefix(name, "DEBUG_") || strings.HasPrefix(name, "PORT_") || strings.HasPrefix(name, "SERVICE_")
}

// fromEnv reads the environment. A variable that fits no setting is a warning, not an error: the
// environment is shared with others.
func (l *loader) fromEnv() []setting {
	vars := map[string]string{}
	for _, entry := range l.src.Env {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, "SLUICE_") {
			vars[strings.TrimPrefix(name, "SLUICE_")] = value
		}
	}
	var settings []setting
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if reserved(name) {
			continue
		}
		origin := Origin{Kind: FromEnv, Name: "SLUICE_" + name}
		found := l.best(l.byEnv(l.tree, name, nil))
		switch len(found) {
		case 0:
			l.unknownEnv(origin.Name)
		case 1:
			s := found[0]
			s.text, s.origin = vars[name], origin
			// Templates leave empty what they have no value for. A secret is the exception: there, empty
			// is a mistake that would open a door.
			s.nothing = s.text == "" && s.node.leaf != TypeSecret
			settings = append(settings, s)
		default:
			l.problem("", origin, "means more than one setting: "+paths(found), "use the file for it")
		}
	}
	return settings
}

// byEnv lists what the rest of a variable's name may mean below n. Names of map elements are compared
// as they are written in the environment; one that the file does not have is taken in lower case, with
// "-" for "_".
func (l *loader) byEnv(n *node, rest string, path []string) []setting {
	path = path[:len(path):len(path)]
	if n.elem != nil {
		var found []setting
		for i := 1; i < len(rest)-1; i++ {
			if rest[i] == '_' {
				key, known := l.envKey(strings.Join(path, "."), rest[:i])
				if n.known && !known {
					continue
				}
				found = append(found, l.byEnv(n.elem, rest[i+1:], append(path, key))...)
			}
		}
		return found
	}
	var found []setting
	for _, c := range n.children {
		name := strings.ToUpper(c.key)
		if c.leaf != "" && rest == name {
			found = append(found, setting{path: append(path, c.key), node: c})
		} else if after, ok := strings.CutPrefix(rest, name+"_"); ok && c.leaf == "" {
			found = append(found, l.byEnv(c, after, append(path, c.key))...)
		}
	}
	return found
}

// envKey returns the key of the map at path that name stands for, and whether the file has it.
func (l *loader) envKey(path, name string) (key string, known bool) {
	for _, key := range l.known[path] {
		if envName([]string{key}) == "SLUICE_"+name {
			return key, true
		}
	}
	return strings.ReplaceAll(strings.ToLower(name), "_", "-"), false
}

// best returns those of the meanings whose map keys the file knows, or all where there are none.
func (l *loader) best(found []setting) []setting {
	if len(found) < 2 {
		return found
	}
	var known []setting
	for _, s := range found {
		ok := true
		for i := range s.path {
			if keys, isMap := l.known[strings.Join(s.path[:i], ".")]; isMap && !slices.Contains(keys, s.path[i]) {
				ok = false
			}
		}
		if ok {
			known = append(known, s)
		}
	}
	if len(known) == 0 {
		return found
	}
	return known
}

func paths(found []setting) string {
	var names []string
	for _, s := range found {
		names = append(names, strings.Join(s.path, "."))
	}
	return strings.Join(names, ", ")
}

// unknownEnv warns of a variable that means nothing.
func (l *loader) unknownEnv(name string) {
	var names []string
	for _, f := range Fields() {
		names = append(names, f.Env)
	}
	msg := "env " + name + ": no such setting"
	if near := Nearest(name, names); near != "" {
		msg += "; did you mean " + near + "?"
	}
	l.out.Warnings = append(l.out.Warnings, msg)
}

// fromFlags reads the flags that were set.
func (l *loader) fromFlags() []setting {
	var settings []setting
	for _, path := range slices.Sorted(maps.Keys(l.src.Flags)) {
		flag := "--" + strings.NewReplacer(".", "-", "_", "-").Replace(path)
		origin := Origin{Kind: FromFlag, Name: flag}
		found := byPath(l.tree, path, nil)
		if len(found) != 1 {
			l.problem(path, origin, "no such setting", "")
			continue
		}
		s := found[0]
		if s.node.leaf == TypeSecret {
			l.problem(path, origin, "a secret is never a flag, where other users of the machine see it", "use "+envName(s.path)+" or the file")
			continue
		}
		s.text, s.origin = l.src.Flags[path], origin
		settings = append(settings, s)
	}
	return settings
}

// byPath lists the settings that a path may mean: keys of maps may hold dots.
func byPath(n *node, rest string, path []string) []setting {
	path = path[:len(path):len(path)]
	if n.elem != nil {
		var found []setting
		for i := 1; i < len(rest)-1; i++ {
			if rest[i] == '.' {
				found = append(found, byPath(n.elem, rest[i+1:], append(path, rest[:i]))...)
			}
		}
		return found
	}
	var found []setting
	for _, c := range n.children {
		if c.leaf != "" && rest == c.key {
			found = append(found, setting{path: append(path, c.key), node: c})
		} else if after, ok := strings.CutPrefix(rest, c.key+"."); ok && c.leaf == "" {
			found = append(found, byPath(c, after, append(path, c.key))...)
		}
	}
	return found
}
