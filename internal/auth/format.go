package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"
	"unsafe"

	sluice "github.com/sluicehq/sluice"
)

// Prefix begins every token that was made here.
const Prefix = "slc_"

// The form of a token: prefix, random characters, checksum.
const (
	prefix      = Prefix
	randomChars = 43 // 62^43 is a little above 2^256
	checkChars  = 6  // 62^6 is above 2^32
	tokenChars  = len(prefix) + randomChars + checkChars
	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Bounds of a token that is imported, in bytes. A shorter one could be guessed.
const (
	minImported = 20
	maxImported = 1024
)

// mint makes a new token's value.
func mint() sluice.Secret {
	b := make([]byte, 0, tokenChars)
	b = append(b, prefix...)
	var random [randomChars]byte
	const fair = 256 - 256%len(alphabet) // bytes from here on would favour some characters
	for len(b) < len(prefix)+randomChars {
		_, _ = rand.Read(random[:]) // never fails, by its contract
		for _, r := range random {
			if int(r) < fair && len(b) < len(prefix)+randomChars {
				b = append(b, alphabet[int(r)%len(alphabet)])
			}
		}
	}
	check := checksum(string(b))
	return sluice.NewSecret(string(append(b, check[:]...)))
}

// checksum is the CRC-32 of a token's head in base 62. It finds every change of four bytes or fewer in a
// row.
func checksum(head string) (c [checkChars]byte) {
	sum := crc32.ChecksumIEEE(bytesOf(head))
	for i := checkChars - 1; i >= 0; i-- {
		c[i] = alphabet[sum%uint32(len(alphabet))]
		sum /= uint32(len(alphabet))
	}
	return c
}

// wellFormed reports whether value has the form of our tokens, its checksum included. It costs nothing
// for most values that are not.
func wellFormed(value string) bool {
	if len(value) != tokenChars || !strings.HasPrefix(value, prefix) {
		return false
	}
	for i := len(prefix); i < len(value); i++ {
		if !alphanumeric(value[i]) {
			return false
		}
	}
	head, check := value[:tokenChars-checkChars], value[tokenChars-checkChars:]
	want := checksum(head)
	return string(want[:]) == check
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// importable reports whether an operator may choose value: visible ASCII without spaces, since it has to
// pass through a header, and not of our own form.
func importable(value string) error {
	invalid := func(msg, hint string) error {
		return &sluice.Error{Kind: sluice.KindInvalid, Field: "value", Msg: msg, Hint: hint}
	}
	if len(value) < minImported || len(value) > maxImported {
		return invalid("the value is too short or too long", "20 to 1024 characters")
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return invalid("the value has characters that cannot be sent", "visible ASCII characters, without spaces")
		}
	}
	if strings.HasPrefix(value, prefix) {
		return invalid("the value looks like a token of this gateway", "values that begin with "+prefix+" are made here: create a token without a value")
	}
	return nil
}

func hashOf(value string) Hash { return sha256.Sum256(bytesOf(value)) }

// bytesOf is a view of s for functions that only read: every request looks a value up, and a copy would be
// garbage.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
