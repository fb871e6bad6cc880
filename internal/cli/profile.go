package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
)

// profile is a server that somebody has signed in to.
type profile struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// profiles are all of them by name, as the file has them.
type profiles map[string]profile

// defaultProfile is the one of who names none.
const defaultProfile = "default"

// profileFile is where profiles are kept; "": there is no place for it.
func (a *commands) profileFile() string {
	base := a.getenv("XDG_CONFIG_HOME")
	if home := a.getenv("HOME"); base == "" && home != "" {
		base = filepath.Join(home, ".config")
	}
	if base == "" {
		return ""
	}
	return filepath.Join(base, "sluice", "profiles.json")
}

// profileName is the profile that a command is for.
func (a *commands) profileName() (name string, said bool) {
	if a.flags.profile != "" {
		return a.flags.profile, true
	}
	if name := a.getenv("SLUICE_PROFILE"); name != "" {
		return name, true
	}
	return defaultProfile, false
}

// readProfiles reads the file. One that others can read is refused: it holds tokens.
func (a *commands) readProfiles() (profiles, error) {
	file := a.profileFile()
	if file == "" {
		return profiles{}, nil
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return profiles{}, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &failure{code: exitConfig, what: file + " holds tokens, and others can read it", hint: "chmod 600 " + file}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list := profiles{}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, &failure{code: exitConfig, what: fmt.Sprintf("%s cannot be read: %v", file, err), hint: "remove it, and sign in again: sluice auth login"}
	}
	return list, nil
}

// writeProfiles replaces the file, for its owner alone.
func (a *commands) writeProfiles(list profiles) error {
	file := a.profileFile()
	if file == "" {
		return &failure{code: exitConfig, what: "there is no place for profiles: neither XDG_CONFIG_HOME nor HOME is set"}
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".profiles-*") // readable for its owner alone
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), file)
}

// signedIn is the profile that a command uses: the one that is named, else the default one. Where an address is
// given and no profile, it is one of that address: a token goes to the server that gave it, and to no other.
func (a *commands) signedIn(address string) (p profile, found bool, err error) {
	name, said := a.profileName()
	list, err := a.readProfiles()
	if err != nil {
		return p, false, err
	}
	p, found = list[name]
	switch {
	case said && !found:
		return p, false, &failure{code: exitDenied, what: fmt.Sprintf("there is no profile %q", name), hint: "sluice auth login --profile " + name}
	case address == "" || found && sameServer(p.URL, address):
		return p, found, nil
	case said:
		return p, false, &failure{code: exitUsage, what: fmt.Sprintf("profile %q is of %s, and another address was given", name, p.URL), hint: "leave one of them out"}
	}
	for _, p := range list {
		if sameServer(p.URL, address) {
			return p, true, nil
		}
	}
	return profile{}, false, nil
}

func sameServer(x, y string) bool { return strings.TrimRight(x, "/") == strings.TrimRight(y, "/") }

// keep stores a token for a server.
func (a *commands) keep(api *client.Client, token sluice.Secret) (name string, err error) {
	name, _ = a.profileName()
	list, err := a.readProfiles()
	if err != nil {
		return name, err
	}
	list[name] = profile{URL: api.URL(), Token: token.Reveal()}
	return name, a.writeProfiles(list)
}
