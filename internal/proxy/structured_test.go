package proxy_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/credential/credentialtest"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/vault"
)

const (
	awsSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	awsJSON   = `{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":"` + awsSecret + `","region":"us-east-1"}`
	converse  = "aws-bedrock/bedrock-runtime/us-east-1/model/amazon.nova-lite-v1:0/converse"
	converses = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`
)

// cloud is an upstream that lives in place of a cloud's, and notes what it got.
type cloud struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
	answers  []int // statuses of the next answers; 200 where there is none
	body     string
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests, c.bodies = append(c.requests, r), append(c.bodies, body)
	status := 200
	if len(c.answers) > 0 {
		status, c.answers = c.answers[0], c.answers[1:]
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if c.body != "" {
		_, _ = io.WriteString(w, c.body)
		return
	}
	_, _ = fmt.Fprintf(w, `{"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"message":"%d %s"}`, status, r.Header.Get("Authorization"))
}

// newCloud starts a gateway whose cloud providers live at a cloud.
func newCloud(t *testing.T, tokenURL string) (*bank, *cloud) {
	t.Helper()
	c := &cloud{}
	up := httptest.NewServer(c)
	t.Cleanup(up.Close)
	b := &bank{t: t}
	b.Gateway = proxytest.Start(t, up.URL, func(conf *config.Config) {
		if conf.Providers == nil {
			conf.Providers = map[string]config.Provider{}
		}
		for _, slug := range []string{"aws-bedrock", "google-vertex-ai", "azure-openai"} {
			conf.Providers[slug] = config.Provider{BaseURL: up.URL}
		}
		if tokenURL != "" {
			conf.Vault.GoogleTokenURL = tokenURL
		}
	})
	_, value, err := b.Tokens.Create(t.Context(), auth.New{Name: "app", Account: "default", Permissions: auth.Run}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.token = value.Reveal()
	return b, c
}

func kinds(k ...credential.Kind) func(*vault.New) { return func(n *vault.New) { n.Kinds = k } }

func (b *bank) post(path, body string, fields ...string) (int, string) {
	b.t.Helper()
	resp, got, err := b.Do("POST", path, b.fields(fields...), strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

func TestCallsToBedrockAreSigned(t *testing.T) {
	b, c := newCloud(t, "")
	b.store(awsJSON, of("aws-bedrock"), kinds(credential.AWS))
	if status, text := b.post(converse+"?x=%2Fy", converses, "token", "Content-Type: application/json", "Authorization: ", "X-Amz-Date: stale"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	got, err := credentialtest.Verify(c.requests[0], c.bodies[0], awsSecret)
	if err != nil || got.AccessKeyID != "AKIDEXAMPLE" || got.Service != "bedrock" || got.Region != "us-east-1" {
		t.Errorf("%+v, %v", got, err)
	}
	if string(c.bodies[0]) != converses || c.requests[0].RequestURI != "/model/amazon.nova-lite-v1:0/converse?x=%2Fy" {
		t.Errorf("%s %s", c.requests[0].RequestURI, c.bodies[0])
	}
	if e := b.Row(); e.Model != "amazon.nova-lite-v1:0" || !e.Usage.Known() || len(e.Notes) == 0 || !strings.Contains(strings.Join(e.Notes, "|"), "****EKEY") {
		t.Errorf("%+v", e)
	}
	// Mantle is another service.
	b.post("aws-bedrock/bedrock-mantle/us-west-2/anthropic/v1/messages", "{}", "token")
	if got, err := credentialtest.Verify(c.requests[1], c.bodies[1], awsSecret); err != nil || got.Service != "bedrock-mantle" || got.Region != "us-west-2" {
		t.Errorf("mantle: %+v, %v", got, err)
	}
}

func TestRetriesAreSignedAnew(t *testing.T) {
	b, c := newCloud(t, "")
	b.store(awsJSON, of("aws-bedrock"), kinds(credential.AWS))
	c.answers = []int{500, 503}
	status, text := b.post(converse, converses, "token", "cf-aig-max-attempts: 3", "cf-aig-retry-delay: 1100")
	if status != 200 || len(c.requests) != 3 {
		t.Fatalf("%d %s after %d tries", status, text, len(c.requests))
	}
	dates := map[string]bool{}
	for i, r := range c.requests {
		got, err := credentialtest.Verify(r, c.bodies[i], awsSecret)
		if err != nil {
			t.Errorf("try %d: %v", i+1, err)
		}
		dates[got.Date] = true
	}
	if len(dates) != 3 {
		t.Errorf("signed at %v", dates)
	}
}

func TestACallersOwnSignaturePasses(t *testing.T) {
	b, c := newCloud(t, "")
	b.store(awsJSON, of("aws-bedrock"), kinds(credential.AWS))
	own := []string{
		"token", "Authorization: AWS4-HMAC-SHA256 Credential=AKIDOWN/20261124/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00",
		"X-Amz-Date: 20261124T000000Z", "X-Amz-Content-Sha256: 11", "X-Amz-Security-Token: own",
	}
	if status, text := b.post(converse, converses, own...); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	for _, field := range own[1:] {
		name, value, _ := strings.Cut(field, ": ")
		if got := c.requests[0].Header.Values(name); len(got) != 1 || got[0] != value {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestASignedCallNeedsItsWholeBody(t *testing.T) {
	b, c := newCloud(t, "")
	b.store(awsJSON, of("aws-bedrock"), kinds(credential.AWS))
	large := strings.Repeat("x", 26<<20)
	if status, text := b.post(converse, large, "token"); status != http.StatusRequestEntityTooLarge || len(c.requests) != 0 {
		t.Errorf("%d %.200s, %d calls", status, text, len(c.requests))
	}
}

func TestAKeyOfARegionStaysThere(t *testing.T) {
	b := newBank(t, nil) // the provider's own hosts
	b.store(awsJSON, of("aws-bedrock"), kinds(credential.AWS))
	status, text := b.post(strings.Replace(converse, "us-east-1", "us-west-2", 1), converses, "token")
	if _, _, says := refusal(t, text); status != http.StatusForbidden || !strings.Contains(says, "bedrock-runtime.us-west-2.amazonaws.com") {
		t.Errorf("%d %s", status, text)
	}
}

// serviceAccount makes a service account and a server that gives tokens for it.
func serviceAccount(t *testing.T) (text string, server *credentialtest.TokenServer) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	const email, id = "gw@p.iam.gserviceaccount.com", "0123456789abcdefwxyz"
	doc, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "p", "private_key_id": id, "client_email": email, "region": "europe-west4",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(doc), credentialtest.NewTokenServer(t, email, id, &key.PublicKey)
}

const generate = "google-vertex-ai/v1/projects/p/locations/europe-west4/publishers/google/models/gemini-2.5-pro:generateContent"

func TestCallsToVertexHaveATokenOfTheServiceAccount(t *testing.T) {
	account, server := serviceAccount(t)
	b, c := newCloud(t, server.URL)
	b.store(account, of("google-vertex-ai"), kinds(credential.Google))
	for range 3 {
		if status, text := b.post(generate, "{}", "token"); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	for _, r := range c.requests {
		if got := r.Header.Values("Authorization"); len(got) != 1 || got[0] != "Bearer ya29.1" {
			t.Errorf("shown %q", got)
		}
	}
	// One that the provider refuses is fetched anew, once.
	c.answers = []int{401}
	if status, text := b.post(generate, "{}", "token"); status != 200 || c.requests[4].Header.Get("Authorization") != "Bearer ya29.2" {
		t.Errorf("%d %s", status, text)
	}
	c.answers = []int{401, 401}
	if status, text := b.post(generate, "{}", "token"); status != 401 || len(c.requests) != 7 || strings.Contains(text, "ya29") {
		t.Errorf("refused twice: %d %s, %d calls", status, text, len(c.requests))
	}
	rows := b.WaitRows(5)
	if got := rows[4].Entry.Attempts; len(got) == 0 {
		t.Errorf("attempts %+v", got)
	}
	// A token of the caller's own passes.
	if b.post(generate, "{}", "token", "Authorization: Bearer ya29.own"); c.requests[7].Header.Get("Authorization") != "Bearer ya29.own" {
		t.Errorf("shown %q", c.requests[7].Header.Get("Authorization"))
	}
}

func TestAServiceAccountWithoutATokenIsAnError(t *testing.T) {
	account, server := serviceAccount(t)
	b, c := newCloud(t, server.URL)
	b.store(account, of("google-vertex-ai"), kinds(credential.Google))
	server.Refuse(400, `{"error":"invalid_grant","error_description":"canary"}`)
	status, text := b.post(generate, "{}", "token")
	code, _, says := refusal(t, text)
	if status != http.StatusBadRequest || code != 2005 || !strings.Contains(says, "invalid_grant") || strings.Contains(text, "canary") || len(c.requests) != 0 {
		t.Errorf("%d %s, %d calls", status, text, len(c.requests))
	}
	if e := b.Row(); e.Success || e.ErrorKind != "upstream" {
		t.Errorf("%+v", e)
	}
}

func TestAKeyOfAnAzureResource(t *testing.T) {
	b, c := newCloud(t, "")
	b.store(`{"apiKey":"0123456789abcdef","resource":"res"}`, of("azure-openai"), kinds(credential.Azure))
	status, text := b.post("azure-openai/res/dep/chat/completions?api-version=2024-10-21", "{}", "token")
	if status != 200 || c.requests[0].Header.Get("api-key") != "0123456789abcdef" || c.requests[0].RequestURI != "/openai/deployments/dep/chat/completions?api-version=2024-10-21" {
		t.Errorf("%d %s %+v", status, text, c.requests)
	}
	// Where the call names the host, another resource's does not get it.
	own := newBank(t, nil)
	own.store(`{"apiKey":"0123456789abcdef","resource":"res"}`, of("azure-openai"), kinds(credential.Azure))
	status, text = own.post("azure-openai/evil/dep/chat/completions", "{}", "token")
	if _, _, says := refusal(t, text); status != http.StatusForbidden || !strings.Contains(says, "evil.openai.azure.com") {
		t.Errorf("%d %s", status, text)
	}
}

func TestKeysOfSeveralPartsAreTested(t *testing.T) {
	account, server := serviceAccount(t)
	b, c := newCloud(t, server.URL)
	signed := b.store(awsJSON, of("aws-bedrock"), kinds(credential.AWS))
	minted := b.store(account, of("google-vertex-ai"), kinds(credential.Google))
	azure := b.store(`{"apiKey":"0123456789abcdef","resource":"res"}`, of("azure-openai"), kinds(credential.Azure))
	test := func(id string) (ok bool, says string) {
		t.Helper()
		k, err := b.Vault.Find("default", "default", id)
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Proxy.Probe(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		return r.Error == "", r.Error
	}
	if ok, says := test(signed.ID); !ok || c.requests[0].RequestURI != "/async-invoke?maxResults=1" {
		t.Errorf("%s, %s", says, c.requests[0].RequestURI)
	}
	if got, err := credentialtest.Verify(c.requests[0], nil, awsSecret); err != nil || got.Region != "us-east-1" {
		t.Errorf("%+v %v", got, err)
	}
	if ok, says := test(minted.ID); !ok || c.requests[1].RequestURI != "/v1/projects/p/locations/europe-west4/cachedContents?pageSize=1" || c.requests[1].Header.Get("Authorization") != "Bearer ya29.1" {
		t.Errorf("%s, %s", says, c.requests[1].RequestURI)
	}
	if ok, says := test(azure.ID); !ok || c.requests[2].RequestURI != "/openai/v1/models" {
		t.Errorf("%s, %s", says, c.requests[2].RequestURI)
	}
	c.answers = []int{403}
	c.body = `{"message":"The security token included in the request is invalid."}`
	if ok, says := test(signed.ID); ok || !strings.Contains(says, "security token") {
		t.Errorf("a bad key: %t %s", ok, says)
	}
	k, err := b.Vault.Update(t.Context(), "default", "default", minted.ID, vault.Change{Secret: sluice.NewSecret(account), Kinds: []credential.Kind{credential.Google}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	server.Refuse(401, `{"error":"invalid_client"}`)
	if ok, says := test(k.ID); ok || !strings.Contains(says, "invalid_client") {
		t.Errorf("a bad account: %t %s", ok, says)
	}
}

func TestACallersServiceAccountIsExchanged(t *testing.T) {
	account, server := serviceAccount(t)
	b, c := newCloud(t, server.URL)
	shown := "Authorization: Bearer " + base64.StdEncoding.EncodeToString([]byte(account))
	for i := range 2 {
		if status, text := b.post(generate, "{}", shown); status != 200 || c.requests[i].Header.Get("Authorization") != "Bearer ya29.1" {
			t.Fatalf("%d %s, shown %q", status, text, c.requests[i].Header.Values("Authorization"))
		}
	}
	if got := c.requests[0].Header.Values("Authorization"); len(got) != 1 {
		t.Errorf("shown %q", got)
	}
	body := `[{"provider":"google-vertex-ai","endpoint":"` + strings.TrimPrefix(generate, "google-vertex-ai/") + `","headers":{"authorization":"` + strings.TrimPrefix(shown, "Authorization: ") + `"},"query":{}}]`
	if status, text := b.post("", body); status != 200 || c.requests[2].Header.Get("Authorization") != "Bearer ya29.1" {
		t.Errorf("universal: %d %s", status, text)
	}
	without := "Authorization: Bearer " + base64.StdEncoding.EncodeToString([]byte(strings.Replace(account, "europe-west4", "", 1)))
	status, text := b.post(generate, "{}", without)
	if _, _, says := refusal(t, text); status != http.StatusBadRequest || !strings.Contains(says, "region") || strings.Contains(text, "PRIVATE") || len(c.requests) != 3 {
		t.Errorf("without a region: %d %s", status, text)
	}
	for _, row := range b.WaitRows(4) {
		for _, f := range row.Entry.ReqHeader {
			if f.Name == "Authorization" && f.Value != "[redacted]" {
				t.Errorf("logged %q", f)
			}
		}
	}
	// To other providers, and as a token that is none, it passes as it is.
	if b.post("openai/chat/completions", "{}", shown); c.requests[3].Header.Get("Authorization") != strings.TrimPrefix(shown, "Authorization: ") {
		t.Error("another provider's was changed")
	}
	if server.Given() != 1 {
		t.Errorf("%d tokens were given", server.Given())
	}
}
