package credentialtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TokenServer gives tokens for a service account: ya29.1, ya29.2 and so on.
type TokenServer struct {
	URL string

	mu     sync.Mutex
	given  int
	life   int // seconds
	status int // of refusals; 0: tokens are given
	body   string
	faults []string
}

// NewTokenServer starts a TokenServer for the account of this address and key.
func NewTokenServer(t testing.TB, email, keyID string, key *rsa.PublicKey) *TokenServer {
	t.Helper()
	s := &TokenServer{life: 3600}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.check(r, email, keyID, key); err != nil {
			s.faults = append(s.faults, err.Error())
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if s.status != 0 {
			w.WriteHeader(s.status)
			fmt.Fprint(w, s.body)
			return
		}
		s.given++
		fmt.Fprintf(w, `{"access_token":"ya29.%d","token_type":"Bearer","expires_in":%d}`, s.given, s.life)
	}))
	t.Cleanup(func() {
		server.Close()
		if len(s.faults) > 0 {
			t.Errorf("the token server was asked wrongly: %q", s.faults)
		}
	})
	s.URL = server.URL + "/token"
	return s
}

// Given returns how many tokens were given.
func (s *TokenServer) Given() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// Refuse makes the server answer so from now on; status 0: it gives tokens again.
func (s *TokenServer) Refuse(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body = status, body
}

// check verifies the request as
// https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests tells.
func (s *TokenServer) check(r *http.Request, email, keyID string, key *rsa.PublicKey) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	if r.Method != http.MethodPost || r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return fmt.Errorf("%s with %v", r.Method, r.PostForm)
	}
	parts := strings.Split(r.PostForm.Get("assertion"), ".")
	if len(parts) != 3 {
		return fmt.Errorf("an assertion of %d parts", len(parts))
	}
	var head struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Aud, Scope string
		Iat, Exp        int64
	}
	for i, into := range []any{&head, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, into); err != nil {
			return err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		return err
	}
	now := time.Now().Unix()
	if head.Alg != "RS256" || head.Typ != "JWT" || head.Kid != keyID || claims.Iss != email || claims.Aud != s.URL ||
		claims.Scope != "https://www.googleapis.com/auth/cloud-platform" || claims.Iat > now+60 || claims.Exp < now || claims.Exp > claims.Iat+3600 {
		return fmt.Errorf("head %+v, claims %+v at %d", head, claims, now)
	}
	return nil
}
