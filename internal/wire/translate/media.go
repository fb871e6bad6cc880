package translate

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// dataURL reads a data: URL (RFC 2397), tolerantly: letters of any case, a missing type, percent-encoding in
// place of base64, the URL alphabet, missing padding, line breaks. ok is false for what is none, or broken.
func dataURL(s string) (m *Media, ok bool) {
	if len(s) < 5 || !strings.EqualFold(s[:5], "data:") {
		return nil, false
	}
	head, data, found := strings.Cut(s[5:], ",")
	if !found {
		return nil, false
	}
	params := strings.Split(head, ";")
	m = &Media{Type: strings.ToLower(strings.TrimSpace(params[0]))}
	encoded := false
	for _, p := range params[1:] {
		encoded = encoded || strings.EqualFold(strings.TrimSpace(p), "base64")
	}
	if !encoded {
		text, fine := percentDecoded(data)
		if !fine {
			return nil, false
		}
		m.Data = base64.StdEncoding.EncodeToString([]byte(text))
	} else if m.Data, ok = standardBase64(data); !ok {
		return nil, false
	}
	if m.Type == "image/jpg" {
		m.Type = "image/jpeg"
	}
	if m.Type == "" || m.Type == "application/octet-stream" {
		m.Type = sniff(m.Data)
	}
	return m, true
}

// percentDecoded undoes percent-encoding. ok is false where it is broken.
func percentDecoded(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b = append(b, byte(n))
		i += 2
	}
	return string(b), true
}

// standardBase64 brings base64 into its usual form. What has it already is not copied.
func standardBase64(s string) (string, bool) {
	if strings.ContainsAny(s, "-_ \r\n\t%") {
		if strings.Contains(s, "%") {
			if u, fine := percentDecoded(s); fine {
				s = u
			}
		}
		s = strings.NewReplacer("-", "+", "_", "/", " ", "", "\r", "", "\n", "", "\t", "").Replace(s)
	}
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return "", false
		}
	}
	if len(s)%4 == 1 {
		return "", false
	}
	return s + strings.Repeat("=", (4-len(s)%4)%4), true
}

// sniff tells a type from the first bytes of base64; "" when it does not know them.
func sniff(data string) string {
	head, err := base64.StdEncoding.DecodeString(data[:min(len(data), 24)/4*4])
	if err != nil {
		return ""
	}
	switch h := string(head); {
	case strings.HasPrefix(h, "\x89PNG"):
		return "image/png"
	case strings.HasPrefix(h, "\xff\xd8\xff"):
		return "image/jpeg"
	case strings.HasPrefix(h, "GIF8"):
		return "image/gif"
	case strings.HasPrefix(h, "RIFF") && len(h) >= 12 && h[8:12] == "WEBP":
		return "image/webp"
	case strings.HasPrefix(h, "%PDF"):
		return "application/pdf"
	}
	return ""
}

// dataURLOf is the data: URL of media that is there in bytes, else its address.
func dataURLOf(m *Media) string {
	if m.Data == "" {
		return m.URL
	}
	return "data:" + m.Type + ";base64," + m.Data
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// fromBase64 undoes base64Of; "" for what is none.
func fromBase64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}
