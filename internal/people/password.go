package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	sluice "github.com/sluicehq/sluice"
)

// Bounds of a password: characters, and bytes.
const (
	minPassword      = 10
	maxPasswordBytes = 1024
)

// cost is what a hash takes to compute.
type cost struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// usualCost is what OWASP's cheat sheet on password storage asks for at least.
func usualCost() cost { return cost{memory: 19 << 10, time: 2, threads: 1} }

// The most that a stored hash may ask for: a database that somebody wrote to must not exhaust the process.
const (
	maxMemory = 256 << 10 // KiB
	maxTime   = 16
)

const (
	saltBytes = 16
	hashBytes = 32
	atOnce    = 2 // hashes that are computed at the same time: each takes its memory
)

// hasher computes hashes of passwords, some at a time.
type hasher struct {
	cost  cost
	slots chan struct{}
	dummy string // hash of nothing anybody knows: it takes as long as another
}

func newHasher() *hasher {
	h := &hasher{cost: usualCost(), slots: make(chan struct{}, atOnce)}
	salt, sum := make([]byte, saltBytes), make([]byte, hashBytes)
	_, _ = rand.Read(salt) // never fails, by its contract
	_, _ = rand.Read(sum)
	h.dummy = encodeHash(h.cost, salt, sum)
	return h
}

// checkPassword refuses passwords that are too short or too long to be hashed.
func checkPassword(password sluice.Secret) error {
	text := password.Reveal()
	if utf8.RuneCountInString(text) < minPassword || len(text) > maxPasswordBytes || !utf8.ValidString(text) {
		return &sluice.Error{
			Kind: sluice.KindInvalid, Field: "password", Msg: "the password is too short, or too long",
			Hint: fmt.Sprintf("at least %d characters; several words do well", minPassword),
		}
	}
	return nil
}

// wait takes a slot, unless ctx ends before.
func (h *hasher) wait(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "too many people sign in at the same time", Hint: "try again", Err: ctx.Err()}
	}
}

// hash returns the PHC string of a password that checkPassword let through.
func (h *hasher) hash(ctx context.Context, password sluice.Secret) (string, error) {
	if err := h.wait(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, by its contract
	return encodeHash(h.cost, salt, argon2.IDKey([]byte(password.Reveal()), salt, h.cost.time, h.cost.memory, h.cost.threads, hashBytes)), nil
}

// matches reports whether a password has a hash. Without a hash it takes as long, and is false: how long a
// refusal takes says nothing.
func (h *hasher) matches(ctx context.Context, phc string, password sluice.Secret) (bool, error) {
	if err := h.wait(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	c, salt, want, err := decodeHash(phc)
	there := err == nil
	if !there {
		c, salt, want, err = decodeHash(h.dummy)
		if err != nil {
			return false, err
		}
	}
	text := password.Reveal()
	if len(text) > maxPasswordBytes {
		text, there = "", false
	}
	got := argon2.IDKey([]byte(text), salt, c.time, c.memory, c.threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && there, nil
}

// encodeHash writes a hash as a PHC string.
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
func encodeHash(c cost, salt, sum []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.time, c.threads, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

var errHash = errors.New("not a hash of a password that is known here")

// decodeHash reads a PHC string of argon2id, within bounds.
func decodeHash(phc string) (c cost, salt, sum []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil || n != 3 {
		return c, nil, nil, errHash
	}
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	sum, errSum := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errSum != nil || c.memory < 8*uint32(c.threads) || c.memory > maxMemory || c.time < 1 || c.time > maxTime || c.threads < 1 ||
		len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 || encodeHash(c, salt, sum) != phc {
		return c, nil, nil, errHash
	}
	return c, salt, sum, nil
}
