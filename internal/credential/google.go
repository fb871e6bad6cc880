package credential

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	sluice "github.com/sluicehq/sluice"
)

// GoogleTokenURL is where tokens for service accounts come from. What an account's JSON names as token_uri is
// checked and not used: whoever stores a key does not choose where calls of the process go.
const GoogleTokenURL = "https://oauth2.googleapis.com/token"

const googleScope = "https://www.googleapis.com/auth/cloud-platform"

func parseGoogle(m members) (*Key, error) {
	p := parts{
		ClientEmail: m["clientemail"], PrivateKeyID: m["privatekeyid"], PrivateKey: m["privatekey"], ProjectID: m["projectid"],
	}
	known := []string{"", GoogleTokenURL, "https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token"}
	var err error
	switch {
	case m["type"] != "" && m["type"] != "service_account":
		return nil, invalid("type", "this is no service account", "its JSON has \"type\": \"service_account\"")
	case p.ClientEmail == "" || !visible(p.ClientEmail) || !strings.Contains(p.ClientEmail, "@"):
		return nil, invalid("client_email", "the service account has no client_email", "store its JSON as Google gave it")
	case p.PrivateKey == "":
		return nil, invalid("private_key", "the service account has no private_key", "store its JSON as Google gave it")
	case !isRSAKey(p.PrivateKey):
		return nil, invalid("private_key", "private_key is no RSA key in PEM", "line ends in it are written \\n in JSON")
	case !slices.Contains(known, m["tokenuri"]):
		return nil, invalid("token_uri", "token_uri is not Google's", "leave it out")
	case p.ProjectID != "" && !visible(p.ProjectID):
		return nil, invalid("project_id", "project_id is no name of one", "")
	}
	if p.Region, err = m.region("us-central1"); err != nil {
		return nil, err
	}
	// The end of the key's PEM is the same for all: its id is what people tell keys apart by.
	k := &Key{Kind: Google, ID: p.ClientEmail, Hint: hintOf(p.PrivateKeyID), Region: p.Region, Project: p.ProjectID, tokens: &tokens{}}
	return k.keep(p), nil
}

// isRSAKey reports whether text is a private key that can sign what Google wants.
func isRSAKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		_, ok := key.(*rsa.PrivateKey)
		return ok
	}
	_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	return err == nil
}

// googleHost is Vertex AI's in a region.
func googleHost(region string) string {
	switch region {
	case "global":
		return "aiplatform.googleapis.com"
	case "us", "eu":
		return "aiplatform." + region + ".rep.googleapis.com"
	}
	return region + "-aiplatform.googleapis.com"
}

// tokens are the token in use of one key, and how the next one is coming. Its mutex is held for moments only.
type tokens struct {
	mu     sync.Mutex
	token  sluice.Secret
	early  time.Time // from then on another one is fetched while this one serves
	late   time.Time // from then on it does not serve any more
	flight chan struct{}
	failed error
	again  time.Time // after failed: when the next try may be made
}

// Bounds of fetching tokens.
const (
	fetchTime  = 15 * time.Second
	earlyBy    = 10 * time.Minute // before a token runs out
	lateBy     = time.Minute      // likewise: calls that begin may take a while to arrive
	pause      = 5 * time.Second  // after a failure
	assumeLife = time.Hour        // of a token that does not say
)

// Minter exchanges service accounts for tokens, one call at a time for each key, and before the token in use
// runs out. It is safe for concurrent use. NewMinter makes one, Close ends it.
type Minter struct {
	client *http.Client
	url    string
	ctx    context.Context //nolint:containedctx // that of fetching, which outlives the call that began it
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	shown map[[sha256.Size]byte]*Key // by the hash of what was shown
}

// maxShown bounds how many service accounts that callers show are known with their tokens.
const maxShown = 256

// IsAccount reports whether a bearer token looks like a service account in base64. It is cheap.
func IsAccount(token string) bool {
	const least, brace = 256, 3 // of bytes; the first characters hold the brace
	if len(token) < least {
		return false
	}
	head, err := base64.StdEncoding.DecodeString(token[:4])
	return err == nil && len(head) == brace && head[0] == '{' && !strings.Contains(token, ".") // a JWT begins so, too
}

// Shown is the key of a service account that a caller shows, in base64: the same for the same text, as long as not
// too many others are shown. The error is Parse's.
func (m *Minter) Shown(text sluice.Secret) (*Key, error) {
	sum := sha256.Sum256([]byte(text.Reveal()))
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.shown[sum]; k != nil {
		return k, nil
	}
	k, err := Parse(text, Google)
	if err != nil {
		return nil, err
	}
	if k.Kind != Google {
		return nil, invalid("", "this is no service account", "its JSON in base64, with a region added")
	}
	if len(m.shown) >= maxShown || m.shown == nil {
		m.shown = map[[sha256.Size]byte]*Key{} // what is under way goes on with what it has
	}
	m.shown[sum] = k
	return k, nil
}

// NewMinter makes a Minter. url is where tokens come from; "": GoogleTokenURL.
func NewMinter(transport http.RoundTripper, url string) *Minter {
	if url == "" {
		url = GoogleTokenURL
	}
	ctx, stop := context.WithCancel(context.Background())
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Minter{client: client, url: url, ctx: ctx, stop: stop}
}

// Close ends what is under way, and waits for that.
func (m *Minter) Close() {
	m.stop()
	m.work.Wait()
}

// Token returns a token for a key of the kind Google. It waits for one only where none serves. Its error has
// sluice.KindUpstream.
func (m *Minter) Token(ctx context.Context, k *Key) (sluice.Secret, error) {
	t := k.tokens
	for {
		now := time.Now()
		t.mu.Lock()
		serves := now.Before(t.late)
		switch {
		case serves && now.Before(t.early), serves && now.Before(t.again):
			defer t.mu.Unlock()
			return t.token, nil
		case !serves && t.failed != nil && now.Before(t.again):
			defer t.mu.Unlock()
			return sluice.Secret{}, t.failed
		}
		if t.flight == nil {
			t.flight = make(chan struct{})
			m.work.Go(func() { m.fetch(k) })
		}
		flight, token := t.flight, t.token
		t.mu.Unlock()
		if serves {
			return token, nil
		}
		select {
		case <-flight:
		case <-ctx.Done():
			return sluice.Secret{}, ctx.Err()
		}
	}
}

// Drop forgets a token that the provider refused, unless another one is in use already.
func (m *Minter) Drop(k *Key, token sluice.Secret) {
	t := k.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token, t.early, t.late = sluice.Secret{}, time.Time{}, time.Time{}
	}
}

// fetch gets another token for k.
func (m *Minter) fetch(k *Key) {
	ctx, cancel := context.WithTimeout(context.WithValue(m.ctx, oauth2.HTTPClient, m.client), fetchTime)
	defer cancel()
	p := k.parts()
	config := &jwt.Config{Email: p.ClientEmail, PrivateKey: []byte(p.PrivateKey), PrivateKeyID: p.PrivateKeyID, Scopes: []string{googleScope}, TokenURL: m.url}
	got, err := exchange(ctx, config)
	now, t := time.Now(), k.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.flight)
	t.flight = nil
	if err != nil {
		t.failed, t.again = noToken(err), now.Add(pause)
		return
	}
	life := assumeLife
	if !got.Expiry.IsZero() {
		life = got.Expiry.Sub(now)
	}
	t.token, t.failed, t.again = sluice.NewSecret(got.AccessToken), nil, time.Time{}
	t.early, t.late = now.Add(life-min(earlyBy, life/2)), now.Add(life-min(lateBy, life/10))
}

// errNoToken is what an answer without a token is.
var errNoToken = errors.New("the answer has no token that can be sent")

// exchange makes one call for a token, obeying ctx.
func exchange(ctx context.Context, config *jwt.Config) (*oauth2.Token, error) {
	// The library's call takes no context, but its client's transport sees that of the client's requests.
	client := *oauth2.NewClient(ctx, nil)
	client.Transport = &bound{ctx, client.Transport}
	got, err := config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, &client)).Token()
	if err != nil {
		return nil, err
	}
	if !visible(got.AccessToken) || len(got.AccessToken) > MaxBytes {
		return nil, errNoToken
	}
	return got, nil
}

// bound gives requests a context.
type bound struct {
	ctx   context.Context //nolint:containedctx // of the requests of one call
	inner http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b *bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.inner.RoundTrip(r.WithContext(b.ctx))
}

// noToken is the failure of an exchange, with Google's word for why.
func noToken(cause error) error {
	e := &sluice.Error{
		Kind: sluice.KindUpstream, Msg: "Google gave no access token for the service account", Err: cause,
		Hint: "'sluice provider test google-vertex-ai' tries it; a key that was deleted or disabled must be stored anew",
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](cause)
	if !ok {
		return e
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(refused.Body, &said) == nil && isWord(said.Error) {
		e.Msg += ": " + said.Error
	}
	e.Err = errors.New("status " + refused.Response.Status) // its own text has all of the answer's body
	return e
}

// isWord reports whether s is one of OAuth's error codes by its form.
func isWord(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}
