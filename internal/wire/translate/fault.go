package translate

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
)

// faultOf is an error of a status, in OpenAI's words.
func faultOf(status int, message string) *Fault {
	if message == "" {
		message = "the provider answered with an error and does not say which"
	}
	f := &Fault{Status: status, Type: "server_error", Message: message}
	switch status {
	case 400, 422:
		f.Type = "invalid_request_error"
		if tooLong(message) {
			f.Code = "context_length_exceeded"
		}
	case 401:
		f.Type, f.Code = "authentication_error", "invalid_api_key"
	case 402:
		f.Type, f.Code = "insufficient_quota", "insufficient_quota"
	case 403:
		f.Type = "permission_error"
	case 404:
		f.Type, f.Code = "invalid_request_error", "model_not_found"
	case 408, 504:
		f.Type, f.Code = "timeout_error", "timeout"
	case 409:
		f.Type = "conflict_error"
	case 413:
		f.Type, f.Code = "invalid_request_error", "request_too_large"
	case 424:
		f.Status, f.Code = 502, "model_error"
	case 429:
		f.Type, f.Code = "rate_limit_error", "rate_limit_exceeded"
		if spent(message) {
			f.Code = "insufficient_quota"
		}
	case 498:
		f.Status, f.Code = 503, "capacity_exceeded"
	case 502, 503:
		f.Status, f.Code = 503, "overloaded"
	case 529:
		f.Type, f.Code = "overloaded_error", "overloaded"
	default:
		if status >= 400 && status < 500 {
			f.Type = "invalid_request_error"
		}
	}
	return f
}

// tooLong reports whether a message says that the prompt is too long for the model. There is no common code.
func tooLong(message string) bool {
	m := strings.ToLower(message)
	for _, s := range []string{
		"prompt is too long", "input is too long", "exceeds the maximum number of tokens", "maximum prompt length", "context length",
		"context window", "reduce the length of the messages", "too many tokens", "longer than the model's", "range of input length", "available context size",
	} {
		if strings.Contains(m, s) {
			return true
		}
	}
	return false
}

// spent reports whether a message of status 429 says that waiting a little does not help.
func spent(message string) bool {
	m := strings.ToLower(message)
	return strings.Contains(m, "quota") && (strings.Contains(m, "exceeded your current quota") || strings.Contains(m, "per day") || strings.Contains(m, "perday") || strings.Contains(m, "plan"))
}

// plainFault is the error of an answer that is not JSON.
func plainFault(status int, h sluice.Header, body []byte) *Fault {
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(body[:min(len(body), 4096)]), " ")
	text = strings.Join(strings.Fields(text), " ")
	for len(text) > 500 || !utf8.ValidString(text) && text != "" {
		text = strings.ToValidUTF8(text[:min(len(text), 500)], "")
	}
	if text == "" {
		text = "the provider answered with status " + strconv.Itoa(status)
	}
	f := faultOf(status, text)
	if f.Type == "server_error" {
		f.Type = "api_error"
	}
	f.After = h.Get("Retry-After")
	return f
}

// chatError writes an error as OpenAI does.
func chatError(f *Fault) []byte {
	o := &out{}
	o.open('{')
	o.key("error").open('{')
	o.key("message").str(f.Message)
	o.key("type").str(f.Type)
	o.key("param").raw(orNull(f.Param))
	o.key("code").raw(orNull(f.Code))
	o.close('}')
	o.close('}')
	return o.b
}

// orNull is a text, or null for an empty one.
func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return quoted(s)
}
