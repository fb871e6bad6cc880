package translate

import "crypto/sha256"

const alphanumerics = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// hashOf returns n letters and digits, 32 at most, that only depend on s.
func hashOf(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	b := make([]byte, n)
	for i := range b {
		b[i] = alphanumerics[int(sum[i])%len(alphanumerics)]
	}
	return string(b)
}

// plainID makes an id of letters, digits, _ and - of at most n bytes. An id that is one already stays; another
// one is changed so that no two become the same.
func plainID(id string, n int) string {
	plain := []byte(id)
	changed := id == "" || len(id) > n
	for i, c := range plain {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			plain[i], changed = '_', true
		}
	}
	if !changed {
		return id
	}
	const tail = 6
	return string(plain[:min(len(plain), n-tail)]) + hashOf(id, tail)
}

// mistralID makes an id of nine letters and digits.
func mistralID(id string) string {
	const n = 9
	plain := len(id) == n
	for i := range len(id) {
		c := id[i]
		plain = plain && (c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9')
	}
	if plain {
		return id
	}
	return hashOf(id, n)
}
