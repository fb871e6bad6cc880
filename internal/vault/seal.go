package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// keyBytes is the length of a key: AES-256.
const keyBytes = 32

// key seals and opens. Of the same bytes in two databases, none opens what the other sealed for another
// purpose: the purpose is part of what is sealed.
type key [keyBytes]byte

func newKey() (k key) {
	_, _ = rand.Read(k[:]) // never fails, by its contract
	return k
}

// idBytes is the length of a key's id, which stands before what it sealed.
const idBytes = 8

// id tells keys apart. It tells nothing else of them.
func (k key) id() (id [idBytes]byte) {
	sum := sha256.Sum256(append([]byte("sluice vault key id\x00"), k[:]...))
	copy(id[:], sum[:])
	return id
}

// aead is AES-256-GCM with random nonces. At one key per database, 2^32 seals are far away.
func (k key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err) // the length is right
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size that it wants
	}
	return gcm
}

// What is sealed begins with a version and the id of the key; then come nonce, text and tag.
const (
	sealVersion = 1
	headBytes   = 1 + idBytes
)

// What a thing is sealed for stands first in its context.
const (
	forDataKey    = "sluice data key"
	forCredential = "sluice credential"
	forOther      = "sluice secret"
)

// Why something cannot be opened. They say nothing of what is inside.
var (
	errOtherKey = errors.New("it was sealed by another key")
	errDamaged  = errors.New("it is damaged, or was changed")
)

// seal encrypts plain, bound to context.
func (k key) seal(plain, context []byte) []byte {
	id := k.id()
	head := append([]byte{sealVersion}, id[:]...)
	return k.aead().Seal(head, nil, plain, append(head[:headBytes:headBytes], context...))
}

// open undoes seal. It fails where a bit or the context is another one.
func (k key) open(sealed, context []byte) ([]byte, error) {
	if len(sealed) < headBytes || sealed[0] != sealVersion {
		return nil, errDamaged
	}
	if sealedBy(sealed) != k.id() {
		return nil, errOtherKey
	}
	head, text := sealed[:headBytes:headBytes], sealed[headBytes:]
	plain, err := k.aead().Open(nil, nil, text, append(head, context...))
	if err != nil {
		return nil, errDamaged
	}
	return plain, nil
}

// sealedBy is the id of the key that sealed what is long enough.
func sealedBy(sealed []byte) (id [idBytes]byte) {
	copy(id[:], sealed[1:headBytes])
	return id
}

// context is what a credential's secret is bound to.
func (c *Credential) context() []byte {
	return bound(forCredential, append([]string{c.ID, c.Account, c.Gateway, c.Provider, c.Alias}, c.Hosts...)...)
}

// bound joins what something is bound to: each part behind its length, so that no two lists make the same bytes.
func bound(purpose string, parts ...string) []byte {
	b := []byte(purpose)
	for _, part := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// masters are the master keys, the one that seals first. The others only open.
type masters []key

// maxMasters bounds how many there are at once: one, and two while it is changed.
const maxMasters = 8

// parseMasters reads master keys: 32 bytes each, in base64 or hexadecimal, with white space or commas
// between; what follows a # on a line is no key. Its error has sluice.KindInvalid, and shows nothing of the
// text.
func parseMasters(text string) (masters, error) {
	bad := func(msg string) error {
		return &sluice.Error{Kind: sluice.KindInvalid, Field: "master_key", Msg: msg, Hint: "32 bytes in base64: openssl rand -base64 32"}
	}
	var list masters
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r <= ' ' }) {
			k, ok := parseKey(word)
			switch {
			case !ok:
				return nil, bad("a master key is not 32 bytes in base64 or hexadecimal")
			case len(list) == maxMasters:
				return nil, bad("there are too many master keys")
			}
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return nil, bad("there is no master key")
	}
	return list, nil
}

func parseKey(word string) (k key, ok bool) {
	if len(word) == hex.EncodedLen(keyBytes) {
		n, err := hex.Decode(k[:], []byte(word))
		return k, err == nil && n == keyBytes && k != key{}
	}
	word = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(word, "="))
	if base64.RawStdEncoding.DecodedLen(len(word)) != keyBytes {
		return k, false
	}
	b, err := base64.RawStdEncoding.DecodeString(word)
	copy(k[:], b)
	return k, err == nil && len(b) == keyBytes && k != key{} // zeroes are what a failed generator writes
}

func (k key) text() string { return base64.StdEncoding.EncodeToString(k[:]) }

// openDataKey opens the data key by the master key that sealed it. first: that was the one that seals now.
func (m masters) openDataKey(sealed []byte) (data key, first bool, err error) {
	if len(sealed) < headBytes || sealed[0] != sealVersion {
		return data, false, errDamaged
	}
	for i, master := range m {
		if master.id() != sealedBy(sealed) {
			continue
		}
		plain, err := master.open(sealed, []byte(forDataKey))
		if err != nil || len(plain) != keyBytes {
			return data, false, errDamaged
		}
		copy(data[:], plain)
		return data, i == 0, nil
	}
	return data, false, errOtherKey
}
