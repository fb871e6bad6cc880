package credential

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newAccount makes a service account's JSON and its key.
func newAccount(t testing.TB, change func(map[string]any)) (string, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account := map[string]any{
		"type": "service_account", "project_id": "my-project", "private_key_id": "0123456789abcdefwxyz",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "gateway@my-project.iam.gserviceaccount.com", "client_id": "1", "universe_domain": "googleapis.com",
		"auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token", "region": "europe-west4",
	}
	if change != nil {
		change(account)
	}
	text, err := json.Marshal(account)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), key
}

func mustParse(t testing.TB, text string, kinds ...Kind) *Key {
	t.Helper()
	k, err := Parse(sluice.NewSecret(text), kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const awsKey = `{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY","region":"us-east-1"}`

func TestKeysAreReadAsPeopleHaveThem(t *testing.T) {
	account, _ := newAccount(t, nil)
	for name, test := range map[string]struct {
		text  string
		kinds []Kind
		want  Key
	}{
		"one text":        {"  sk-0123456789abcd\n", nil, Key{Hint: "abcd"}},
		"a short text":    {"sk-1", nil, Key{}},
		"a Bedrock key":   {"ABSKQmVkcm9ja0FQSUtleS0wMTIz", []Kind{AWS}, Key{Hint: "MTIz"}},
		"the reference's": {awsKey, []Kind{AWS}, Key{Kind: AWS, ID: "AKIDEXAMPLE", Hint: "EKEY", Region: "us-east-1"}},
		"the command line's": {
			`{"AccessKeyId":"ASIA1","SecretAccessKey":"0123456789abcdef","SessionToken":"tok","Region":"EU-West-1","Expiration":"2026"}`,
			[]Kind{AWS},
			Key{Kind: AWS, ID: "ASIA1", Hint: "cdef", Region: "eu-west-1"},
		},
		"the environment's": {
			`{"AWS_ACCESS_KEY_ID":"ASIA1","AWS_SECRET_ACCESS_KEY":"0123456789abcdef","AWS_DEFAULT_REGION":"eu-west-1"}`,
			[]Kind{AWS},
			Key{Kind: AWS, ID: "ASIA1", Hint: "cdef", Region: "eu-west-1"},
		},
		"a service account": {
			account,
			[]Kind{Google},
			Key{Kind: Google, ID: "gateway@my-project.iam.gserviceaccount.com", Hint: "wxyz", Region: "europe-west4", Project: "my-project"},
		},
		"in base64": {
			base64.StdEncoding.EncodeToString([]byte(account)),
			[]Kind{Google},
			Key{Kind: Google, ID: "gateway@my-project.iam.gserviceaccount.com", Hint: "wxyz", Region: "europe-west4", Project: "my-project"},
		},
		"Azure's": {`{"apiKey":"0123456789abcdef","resource":"My-Resource"}`, []Kind{Azure}, Key{Kind: Azure, ID: "my-resource", Hint: "cdef", Resource: "my-resource"}},
	} {
		k, err := Parse(sluice.NewSecret(test.text), test.kinds...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := mustParse(t, k.Stored().Reveal(), All()...)
		for _, got := range []*Key{k, again} {
			seen := *got
			seen.parts, seen.tokens = nil, nil
			if fmt.Sprint(seen) != fmt.Sprint(test.want) {
				t.Errorf("%s: %+v, want %+v", name, seen, test.want)
			}
		}
		if k.parts() != again.parts() {
			t.Errorf("%s: what is stored is another key", name)
		}
		for _, shown := range []string{fmt.Sprintf("%v %+v %#v", k, *k, k), fmt.Sprint(k.Shown(), k.Stored())} {
			for _, secret := range []string{"0123456789abcd", "wJalrXUt", "PRIVATE"} {
				if strings.Contains(shown, secret) {
					t.Errorf("%s: printed %s", name, shown)
				}
			}
		}
	}
}

func TestWhatIsWrongWithAKeyIsNamed(t *testing.T) {
	account := func(change func(map[string]any)) string {
		text, _ := newAccount(t, change)
		return text
	}
	for name, test := range map[string]struct {
		text, field string
		kinds       []Kind
	}{
		"nothing":               {" ", "secret", nil},
		"a space":               {"sk canary", "secret", nil},
		"an object for a text":  {`{"accessKeyId":"canary"}`, "secret", nil},
		"another kind":          {awsKey, "secret", []Kind{Google}},
		"a made up kind":        {`{"kind":"canary"}`, "secret", All()},
		"no JSON":               {`{"accessKeyId": canary`, "secret", All()},
		"an empty object":       {`{}`, "secret", All()},
		"no id":                 {`{"secretAccessKey":"canary","region":"r"}`, "secret.accessKeyId", All()},
		"a bad id":              {`{"accessKeyId":"a/b","secretAccessKey":"canary","region":"r"}`, "secret.accessKeyId", All()},
		"no secret":             {`{"accessKeyId":"canary","region":"r"}`, "secret.secretAccessKey", All()},
		"a secret of two lines": {`{"accessKeyId":"a","secretAccessKey":"can\nary","region":"r"}`, "secret.secretAccessKey", All()},
		"a bad token":           {`{"accessKeyId":"a","secretAccessKey":"canary","sessionToken":"a b","region":"r"}`, "secret.sessionToken", All()},
		"no region":             {`{"accessKeyId":"a","secretAccessKey":"canary"}`, "secret.region", All()},
		"a region that is a host": {
			`{"accessKeyId":"a","secretAccessKey":"canary","region":"evil.example/"}`, "secret.region", All(),
		},
		"twice":             {`{"accessKeyId":"a","access_key_id":"b"}`, "secret.accesskeyid", All()},
		"another account":   {account(func(m map[string]any) { m["type"] = "authorized_user" }), "secret.type", All()},
		"no private key":    {account(func(m map[string]any) { delete(m, "private_key") }), "secret.private_key", All()},
		"a bad private key": {account(func(m map[string]any) { m["private_key"] = "canary" }), "secret.private_key", All()},
		"no address":        {account(func(m map[string]any) { delete(m, "client_email") }), "secret.client_email", All()},
		"another token_uri": {account(func(m map[string]any) { m["token_uri"] = "http://169.254.169.254/" }), "secret.token_uri", All()},
		"no region of it":   {account(func(m map[string]any) { delete(m, "region") }), "secret.region", All()},
		"no resource":       {`{"apiKey":"canary"}`, "secret.resource", All()},
		"a host":            {`{"apiKey":"canary","resource":"r.openai.azure.com"}`, "secret.resource", All()},
		"no Azure key":      {`{"resource":"r"}`, "secret.apiKey", All()},
		"too long":          {strings.Repeat("a", MaxBytes+1), "secret", All()},
	} {
		_, err := Parse(sluice.NewSecret(test.text), test.kinds...)
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Kind != sluice.KindInvalid || e.Field != test.field || strings.Contains(e.Msg+e.Hint, "canary") {
			t.Errorf("%s: %#v; want a fault of %s", name, err, test.field)
		}
	}
}

func TestAKeyMaySeeTheHostsOfItsOwnAlone(t *testing.T) {
	account, _ := newAccount(t, nil)
	global, _ := newAccount(t, func(m map[string]any) { m["region"] = "global" })
	for name, test := range map[string]struct {
		key      *Key
		may, not []string
	}{
		"aws": {
			mustParse(t, awsKey, AWS),
			[]string{"bedrock-runtime.us-east-1.amazonaws.com", "bedrock-runtime-fips.us-east-1.amazonaws.com", "bedrock-mantle.us-east-1.api.aws"},
			[]string{"bedrock-runtime.us-west-2.amazonaws.com", "evil.example", "us-east-1.amazonaws.com", ""},
		},
		"china": {
			mustParse(t, strings.Replace(awsKey, "us-east-1", "cn-north-1", 1), AWS),
			[]string{"bedrock-runtime.cn-north-1.amazonaws.com.cn"},
			[]string{"bedrock-runtime.cn-north-1.amazonaws.com"},
		},
		"google": {mustParse(t, account, Google), []string{"europe-west4-aiplatform.googleapis.com"}, []string{"aiplatform.googleapis.com", "us-central1-aiplatform.googleapis.com"}},
		"global": {mustParse(t, global, Google), []string{"aiplatform.googleapis.com"}, []string{"global-aiplatform.googleapis.com"}},
		"azure": {
			mustParse(t, `{"key":"k","resource":"r"}`, Azure),
			[]string{"r.openai.azure.com", "r.services.ai.azure.com"},
			[]string{"s.openai.azure.com", "r.example.com", "openai.azure.com"},
		},
		"text": {mustParse(t, "sk-1"), nil, []string{"api.openai.com", ""}},
	} {
		for _, host := range test.may {
			if !test.key.MaySee(host) {
				t.Errorf("%s may not see %s", name, host)
			}
		}
		for _, host := range test.not {
			if test.key.MaySee(host) {
				t.Errorf("%s may see %s", name, host)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	account, _ := newAccount(f, nil)
	for _, s := range []string{"sk-1", awsKey, account, `{"apiKey":"a","resource":"r"}`, "e30=", `{"kind":"aws"}`, `{"a":{}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		k, err := Parse(sluice.NewSecret(in), All()...)
		if err != nil {
			if sluice.KindOf(err) != sluice.KindInvalid {
				t.Errorf("%q: %v", in, err)
			}
			return
		}
		again, err := Parse(k.Stored(), All()...)
		if err != nil || again.parts() != k.parts() || again.Kind != k.Kind {
			t.Errorf("%q is stored as another key: %v", in, err)
		}
		for _, host := range []string{"evil.example", "127.0.0.1", "169.254.169.254", ""} {
			if k.MaySee(host) {
				t.Errorf("%q may see %q", in, host)
			}
		}
	})
}
