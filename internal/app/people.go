package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/people"
)

// DataDirToken is the file in the data directory that lets commands in which can read it. It is another one at
// each start, and gone when the process ends.
const DataDirToken = "command.token"

// openPeople opens who signs in by name, and writes what commands on this machine show.
func (a *App) openPeople(ctx context.Context, c *config.Config) (err error) {
	a.people, err = people.Open(ctx, people.Options{Store: a.db, Logger: a.logger, Idle: c.SignIn.Idle, Lifetime: c.SignIn.Lifetime})
	if err != nil {
		return err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, by its contract
	a.dataDir = sluice.NewSecret("sld_" + base64.RawURLEncoding.EncodeToString(random[:]))
	if err := writeOwn(filepath.Join(c.DataDir, DataDirToken), a.dataDir.Reveal()+"\n"); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	a.expose(c)
	return nil
}

// writeOwn writes a file for its owner alone, in place of what there was.
func writeOwn(name, text string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// closePeople removes the file that openPeople wrote.
func (a *App) closePeople() error {
	if a.dataDir.IsZero() {
		return nil
	}
	err := os.Remove(filepath.Join(a.first.DataDir, DataDirToken))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// expose notes whether other machines reach the process although nothing in its configuration says that they may.
func (a *App) expose(c *config.Config) { a.exposed.Store(!c.LoopbackOnly() && c.AdminToken.IsZero()) }

// closed reports whether the data plane is closed: it is exposed, and nobody has claimed it. Each request asks.
func (a *App) closed() bool {
	if !a.exposed.Load() {
		return false
	}
	if a.people.Claimed() {
		a.exposed.Store(false) // until the next reload: the last admin stays
		return false
	}
	return true
}

// shut answers calls of a data plane that is closed, in the shape of its errors.
func shut() http.Handler {
	const text = `{"success":false,"result":[],"messages":[],"error":[{"code":2009,"message":"Unauthorized"}],` +
		`"name":"AiGatewayError","httpCode":401,"internalCode":2009,"message":"Unauthorized",` +
		`"description":"nobody has claimed this gateway: open the link that it printed at its start, run sluice auth link where it runs, or set SLUICE_ADMIN_TOKEN"}` + "\n"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(text)) // the client is gone: nobody to tell
	})
}

// printedLasts is how long the link serves that a start prints.
const printedLasts = 24 * time.Hour

// claimLink makes the link that a start prints, where the process is closed without it; the zero Secret otherwise.
func (a *App) claimLink(ctx context.Context) sluice.Secret {
	if !a.closed() {
		return sluice.Secret{}
	}
	link, _, err := a.people.ClaimLink(ctx, printedLasts, time.Now())
	if err != nil {
		a.logger.ErrorContext(ctx, "no link for the first admin: run sluice auth link", "error", err)
	}
	return link
}

// setOIDC makes the identity provider that the configuration names. Who is on the way there begins again.
func (a *App) setOIDC(c *config.Config) error {
	o := &c.OIDC
	if o.Issuer == "" {
		a.oidc.Store(nil)
		return nil
	}
	roots, err := rootCAs(c.Upstream.CAFile)
	if err != nil {
		return err
	}
	const patience = 15 * time.Second
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	rules, err := rules(o.Grants)
	if err != nil {
		return err
	}
	scopes := slices.Clone(o.Scopes)
	if len(scopes) == 0 {
		scopes = []string{"openid", "email", "profile"}
	}
	domains := make([]string, len(o.Domains))
	for i, d := range o.Domains {
		domains[i] = strings.ToLower(d)
	}
	p, err := people.NewProvider(people.OIDC{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, RedirectURL: o.RedirectURL, Scopes: scopes,
		GroupsClaim: o.GroupsClaim, Domains: domains, Unverified: o.UnverifiedEmails != nil && *o.UnverifiedEmails, Rules: rules,
	}, &http.Client{Transport: transport, Timeout: patience})
	if err != nil {
		return err
	}
	a.oidc.Store(&admin.IdentityProvider{Provider: p, Name: o.Name})
	return nil
}

// sameOIDC reports whether two configurations name the same identity provider in the same way.
func sameOIDC(x, y *config.Config) bool { return reflect.DeepEqual(x.OIDC, y.OIDC) }

// rules are the grants as people.Provider takes them.
func rules(grants map[string]config.Grant) ([]people.Rule, error) {
	var list []people.Rule
	for _, g := range grants {
		r := people.Rule{Group: g.Group, Domain: g.Domain, Grant: people.Grant{Account: g.Account, Bodies: g.Bodies != nil && *g.Bodies}}
		if g.Role == "instance" {
			r.Instance = true
			list = append(list, r)
			continue
		}
		role, err := people.ParseRole(g.Role)
		if err != nil {
			return nil, err
		}
		r.Role = role
		list = append(list, r)
	}
	return list, nil
}
