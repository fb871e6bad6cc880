package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) linkCommand() *cobra.Command {
	c := a.command("link", "Make a one-time link by which somebody becomes an admin", func(cmd *cobra.Command, _ []string) error {
		return a.withAPI(func(api *client.Client) error {
			l, err := api.ClaimLink(cmd.Context())
			if err != nil {
				return err
			}
			return a.showLink(l, "whoever opens it first becomes an admin of every account")
		})
	})
	c.Args = args(0, 0)
	c.Long = "It lets the first admin in, and one who has lost the password. It works where the data directory can be read (in a\n" +
		"container: docker exec NAME sluice auth link), or with the admin token. The link before it no longer serves."
	c.Example = "sluice auth link\nsluice auth link --json"
	return c
}

// showLink prints a link: the address is all that goes to stdout.
func (a *commands) showLink(l *client.Link, what string) error {
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: l.Raw})
	}
	a.say("%s; it serves once, until %s. Without a browser: sluice auth login --link", what, a.stamp(l.ExpiresAt))
	return a.write(printable(l.URL, false) + "\n")
}

// loginFlags are the flags of login.
type loginFlags struct {
	email       string
	token, link bool
}

func (a *commands) loginCommand() *cobra.Command {
	var flags loginFlags
	c := a.command("login", "Sign in, and keep that for the commands to come", func(cmd *cobra.Command, _ []string) error {
		return a.login(cmd.Context(), flags)
	})
	c.Args = args(0, 0)
	c.Long = "The password is asked for on a terminal, and is a line of stdin otherwise. What the server gives for it is kept in\n" +
		"a file that only you can read ($XDG_CONFIG_HOME/sluice/profiles.json), under the name that --profile or SLUICE_PROFILE\n" +
		"says. --token keeps a token instead, which is a line of stdin: the admin token, or a gateway token with read or edit.\n" +
		"--link uses a one-time link, whose address or end is the first line, and sets the password, which is the second."
	c.Example = "sluice auth login --url https://sluice.example.com --email ann@example.com\n" +
		"sluice auth login --url https://sluice.example.com --profile prod --token < token.txt\n" +
		"sluice --profile prod gateway list"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&flags.email, "email", "", "e-mail `address` to sign in with")
	f.BoolVar(&flags.token, "token", false, "keep a token, which is read from stdin, instead of signing in")
	f.BoolVar(&flags.link, "link", false, "use a one-time link, which is read from stdin")
	return c
}

func (a *commands) login(ctx context.Context, flags loginFlags) error {
	if flags.token && flags.link {
		return usage("--token and --link are two ways: give one")
	}
	if !flags.token && !flags.link && flags.email == "" {
		return usage("sign in as whom? --email ann@example.com")
	}
	in := bufio.NewReader(io.LimitReader(a.Stdin, maxTokenLine))
	first := "Password"
	switch {
	case flags.token:
		first = "Token"
	case flags.link:
		first = "Link"
	}
	secret, err := a.askSecret(in, first)
	if err != nil {
		return err
	}
	address, err := a.loginAddress()
	if err != nil {
		return err
	}
	api, err := a.clientFor(address, sluice.Secret{})
	if err != nil {
		return err
	}
	defer api.Close()
	var session *client.Session
	var token sluice.Secret
	switch {
	case flags.token:
		session, token, err = a.loginByToken(ctx, address, secret)
	case flags.link:
		session, token, err = a.loginByLink(ctx, api, in, secret, flags.email)
	default:
		session, token, err = api.SignIn(ctx, flags.email, secret)
	}
	if err != nil {
		return err
	}
	name, err := a.keep(api, token)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: session.Raw})
	}
	a.say("signed in to %s as %s; kept as profile %q", api.URL(), sessionName(session), name)
	return nil
}

// loginAddress is the server to sign in to. A profile may be a new one here, for an address that is said.
func (a *commands) loginAddress() (string, error) {
	if a.flags.url == "" && a.getenv("SLUICE_URL") == "" {
		if name, said := a.profileName(); said {
			list, err := a.readProfiles()
			if err == nil && list[name].URL == "" {
				err = usage("profile %q is new: which server is it of? --url https://…", name)
			}
			if err != nil {
				return "", err
			}
		}
	}
	address, _, err := a.address()
	return address, err
}

// loginByToken checks a token that is to be kept.
func (a *commands) loginByToken(ctx context.Context, address string, token sluice.Secret) (*client.Session, sluice.Secret, error) {
	api, err := a.clientFor(address, token)
	if err != nil {
		return nil, token, err
	}
	defer api.Close()
	s, err := api.Session(ctx)
	if err == nil && (!s.SignedIn || s.Method == "local") {
		err = &failure{code: exitDenied, what: "the server does not know the token", hint: "sluice auth token create --allow read makes one"}
	}
	return s, token, err
}

// loginByLink sets a password by a one-time link: its address, or what stands behind #.
func (a *commands) loginByLink(ctx context.Context, api *client.Client, in *bufio.Reader, link sluice.Secret, email string) (*client.Session, sluice.Secret, error) {
	if _, end, found := strings.Cut(link.Reveal(), "#"); found {
		link = sluice.NewSecret(end)
	}
	password, err := a.askSecret(in, "New password")
	if err != nil {
		return nil, password, err
	}
	return api.UseLink(ctx, link, email, password)
}

// askSecret reads a line that nobody is to see. On a terminal it says what it wants, and shows nothing of it.
func (a *commands) askSecret(in *bufio.Reader, what string) (sluice.Secret, error) {
	if f, ok := a.Stdin.(*os.File); ok && a.InTerminal {
		fmt.Fprintf(a.Stderr, "%s: ", what)
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.Stderr)
		if err != nil {
			return sluice.Secret{}, fmt.Errorf("read from the terminal: %w", err)
		}
		return sluice.NewSecret(strings.TrimSpace(string(line))), nil
	}
	line, err := in.ReadString('\n')
	if err != nil && err != io.EOF {
		return sluice.Secret{}, fmt.Errorf("read from stdin: %w", err)
	}
	secret := sluice.NewSecret(strings.TrimRight(line, "\r\n"))
	if secret.IsZero() {
		return secret, usage("%s: a line of stdin was expected, and nothing came", what)
	}
	return secret, nil
}

// sessionName says in words who a session is of.
func sessionName(s *client.Session) string {
	if s.User != nil {
		return s.User.Email
	}
	return strings.ReplaceAll(s.Method, "_", " ")
}

func (a *commands) logoutCommand() *cobra.Command {
	c := a.command("logout", "Sign out, and forget the profile", func(cmd *cobra.Command, _ []string) error {
		name, _ := a.profileName()
		list, err := a.readProfiles()
		if err != nil {
			return err
		}
		p, found := list[name]
		if !found {
			return &failure{code: exitNotFound, what: fmt.Sprintf("there is no profile %q", name), hint: "sluice auth login"}
		}
		delete(list, name)
		if err := a.writeProfiles(list); err != nil {
			return err
		}
		api, err := a.clientFor(p.URL, sluice.NewSecret(p.Token))
		if err != nil {
			return err
		}
		defer api.Close()
		if err := api.SignOut(cmd.Context()); err != nil {
			return err
		}
		a.say("signed out of %s; profile %q is gone", p.URL, name)
		return nil
	})
	c.Args = args(0, 0)
	c.Long = "The session ends on the server. A token that was kept is forgotten here, and goes on: sluice auth token revoke ends it."
	c.Example = "sluice auth logout\nsluice auth logout --profile prod"
	return c
}

func (a *commands) whoamiCommand() *cobra.Command {
	c := a.command("whoami", "Say who the server takes you for", func(cmd *cobra.Command, _ []string) error {
		return a.withAPI(func(api *client.Client) error {
			s, err := api.Session(cmd.Context())
			if err != nil {
				return err
			}
			return a.showSession(api, s)
		})
	})
	c.Args = args(0, 0)
	c.Example = "sluice auth whoami\nsluice auth whoami --profile prod --json"
	return c
}

func (a *commands) showSession(api *client.Client, s *client.Session) error {
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: s.Raw, rows: []json.RawMessage{s.Raw}})
	}
	if !s.SignedIn {
		return &failure{code: exitDenied, what: "nobody is signed in to " + api.URL(), hint: "sluice auth login --email …"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, by %s, on %s\n", sessionName(s), strings.ReplaceAll(s.Method, "_", " "), api.URL())
	if s.Process {
		b.WriteString("admin of every account, and of the process\n")
	}
	if s.User != nil {
		for _, m := range s.User.Memberships {
			fmt.Fprintf(&b, "%s of account %s\n", m.Role, m.Account)
		}
	}
	if s.ExpiresAt != nil {
		fmt.Fprintf(&b, "until %s\n", a.stamp(*s.ExpiresAt))
	}
	return a.write(printable(b.String(), true))
}
