package credential

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential/credentialtest"
)

// TestTheCheckOfSignaturesIsRight takes the example of AWS's documentation ("Create a signed AWS API request", and
// the examples in Python of the Signature Version 4 guide).
func TestTheCheckOfSignaturesIsRight(t *testing.T) {
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}, "X-Amz-Date": {"20150830T123600Z"}}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	got := credentialtest.Signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "GET", "/?Action=ListUsers&Version=2010-05-08", "iam.amazonaws.com",
		h, []string{"content-type", "host", "x-amz-date"}, empty, "20150830T123600Z", "20150830/us-east-1/iam/aws4_request")
	if want := "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// send signs a call and sends it as it is to a server that verifies it.
func send(t *testing.T, k *Key, c Call, secret string) (credentialtest.Signed, http.Header, error) {
	t.Helper()
	var got credentialtest.Signed
	var failed error
	var fields http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fields = r.Header
		got, failed = credentialtest.Verify(r, body, secret)
	}))
	defer server.Close()
	h, err := k.Sign(t.Context(), c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(c.Target, "?")
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), c.Method, server.URL, strings.NewReader(string(c.Body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.URL.Opaque, r.URL.RawQuery = c.Host, path, query
	for _, f := range h {
		r.Header.Add(f.Name, f.Value)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return got, fields, failed
}

func TestCallsAreSignedAsTheyAreSent(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	k := mustParse(t, awsKey, AWS)
	session := mustParse(t, strings.Replace(awsKey, `"region"`, `"sessionToken":"the/session+token==","region"`, 1), AWS)
	const host = "bedrock-runtime.us-east-1.amazonaws.com"
	for name, test := range map[string]struct {
		key  *Key
		call Call
	}{
		"a call":                {k, Call{Method: "POST", Target: "/model/amazon.nova-lite-v1:0/converse", Body: []byte(`{"a":1}`)}},
		"with what was escaped": {k, Call{Method: "POST", Target: "/model/arn%3Aaws%3Abedrock%2Fx%20y/invoke", Body: []byte("{}")}},
		"without a body":        {k, Call{Method: "GET", Target: "/async-invoke?maxResults=1&b=%2F&a=x+y"}},
		"with a session":        {session, Call{Method: "POST", Target: "/model/m/converse", Body: []byte("{}")}},
		"with fields": {k, Call{Method: "POST", Target: "/model/m/converse", Body: []byte("{}"), Header: sluice.Header{
			{Name: "content-type", Value: "application/json"},
			{Name: "X-Amz-Target", Value: "a  b"},
			{Name: "X-Amzn-Bedrock-Trace", Value: "ENABLED"},
			{Name: "X-Amz-Date", Value: "stale"},
			{Name: "Authorization", Value: ""},
			{Name: "x-amz-security-token", Value: "stale"},
			{Name: "Accept", Value: "*/*"},
			{Name: "User-Agent", Value: "u"},
		}}},
		"of bytes": {k, Call{Method: "PUT", Target: "/a/b/", Body: []byte{0, 255, 10}}},
	} {
		test.call.Host, test.call.Service, test.call.Region = host, "bedrock", "us-east-1"
		got, fields, err := send(t, test.key, test.call, secret)
		if err != nil || got.AccessKeyID != "AKIDEXAMPLE" || got.Region != "us-east-1" || got.Service != "bedrock" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if want := map[*Key]string{session: "the/session+token=="}[test.key]; fields.Get("X-Amz-Security-Token") != want {
			t.Errorf("%s: session %q", name, fields.Get("X-Amz-Security-Token"))
		}
		if test.call.Header.Has("content-type") && !slices.Contains(got.Fields, "content-type") {
			t.Errorf("%s: signed %q", name, got.Fields)
		}
		for name, values := range fields {
			if len(values) != 1 {
				t.Errorf("%s is there %d times", name, len(values))
			}
			if strings.Contains(strings.Join(values, ""), "UNSIGNED") {
				t.Errorf("%s: %q", name, values)
			}
		}
	}
}

func TestASignatureIsForItsCallAlone(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	k := mustParse(t, awsKey, AWS)
	call := Call{Method: "POST", Host: "h.example", Target: "/model/m/converse", Body: []byte("{}"), Service: "bedrock", Region: "us-east-1"}
	now := time.Now()
	sign := func(c Call, at time.Time) string {
		h, err := k.Sign(t.Context(), c, at)
		if err != nil {
			t.Fatal(err)
		}
		return h.Get("Authorization")
	}
	first := sign(call, now)
	if sign(call, now) != first {
		t.Error("the same call at the same time has another signature")
	}
	for name, change := range map[string]func(*Call){
		"body": func(c *Call) { c.Body = []byte("{ }") }, "path": func(c *Call) { c.Target = "/model/n/converse" }, "host": func(c *Call) { c.Host = "i.example" },
		"region": func(c *Call) { c.Region = "us-west-2" }, "service": func(c *Call) { c.Service = "s3" }, "method": func(c *Call) { c.Method = "PUT" },
	} {
		other := call
		change(&other)
		if sign(other, now) == first {
			t.Errorf("another %s has the same signature", name)
		}
	}
	if sign(call, now.Add(time.Second)) == first {
		t.Error("another time has the same signature")
	}
	if _, _, err := send(t, k, call, secret+"x"); err == nil {
		t.Error("the check takes a signature of another secret")
	}
}
