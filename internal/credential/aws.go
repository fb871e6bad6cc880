package credential

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	sluice "github.com/sluicehq/sluice"
)

func parseAWS(m members) (*Key, error) {
	p := parts{AccessKeyID: m["accesskeyid"], SecretAccessKey: m["secretaccesskey"], SessionToken: m["sessiontoken"]}
	var err error
	switch {
	case p.AccessKeyID == "":
		return nil, invalid("accessKeyId", "the key has no access key id", "accessKeyId, as AWS shows it beside the secret")
	case !visible(p.AccessKeyID) || len(p.AccessKeyID) > 128 || strings.ContainsAny(p.AccessKeyID, "/,="):
		return nil, invalid("accessKeyId", "the access key id has characters that none has", "letters and digits, such as AKIA…")
	case p.SecretAccessKey == "":
		return nil, invalid("secretAccessKey", "the key has no secret access key", "secretAccessKey, as AWS showed it once")
	case !visible(p.SecretAccessKey):
		return nil, invalid("secretAccessKey", "the secret access key has characters that none has", "")
	case p.SessionToken != "" && !visible(p.SessionToken):
		return nil, invalid("sessionToken", "the session token has characters that cannot be sent", "")
	}
	if p.Region, err = m.region("us-east-1"); err != nil {
		return nil, err
	}
	k := &Key{Kind: AWS, ID: p.AccessKeyID, Hint: hintOf(p.SecretAccessKey), Region: p.Region}
	return k.keep(p), nil
}

// awsHosts are Bedrock's in a region.
func awsHosts(region string) []string {
	domain := ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	return []string{"bedrock-runtime." + region + domain, "bedrock-runtime-fips." + region + domain, "bedrock-mantle." + region + ".api.aws"}
}

// Call is a request that is to be signed, as it will be sent.
type Call struct {
	Method string
	Host   string // as in the Host field
	Target string // path and query, to the byte
	Header sluice.Header
	Body   []byte // all of it
	// What the signature is for.
	Service, Region string
}

// Sign returns the header of a call with the key's signature (Signature Version 4) as of now, in place of what
// stands in the fields that it consists of. Host, Content-Type, all x-amz fields and the hash of the body are
// signed. k is of the kind AWS.
func (k *Key) Sign(ctx context.Context, c Call, now time.Time) (sluice.Header, error) {
	sum := sha256.Sum256(c.Body)
	payload := hex.EncodeToString(sum[:])
	path, query, _ := strings.Cut(c.Target, "?")
	r := &http.Request{
		Method: c.Method, Host: c.Host, Header: http.Header{}, ContentLength: int64(len(c.Body)),
		// Opaque, because the signature is for the path as it stands, not as it could be written.
		URL: &url.URL{Scheme: "https", Host: c.Host, Opaque: "//" + c.Host + path, RawQuery: query},
	}
	out := make(sluice.Header, 0, len(c.Header)+4)
	for _, f := range c.Header {
		switch low := strings.ToLower(f.Name); {
		case low == "authorization" || low == "x-amz-date" || low == "x-amz-security-token" || low == "x-amz-content-sha256":
			continue
		case low == "content-type" || strings.HasPrefix(low, "x-amz-"):
			r.Header.Add(f.Name, f.Value)
		}
		out = append(out, f)
	}
	r.Header.Set("X-Amz-Content-Sha256", payload)
	p := k.parts()
	who := aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey, SessionToken: p.SessionToken}
	if err := v4.NewSigner().SignHTTP(ctx, who, r, payload, c.Service, c.Region, now); err != nil {
		return nil, fmt.Errorf("sign a call for %s: %w", c.Host, err)
	}
	for _, name := range [...]string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "Authorization"} {
		if v := r.Header.Get(name); v != "" {
			out = append(out, sluice.Field{Name: name, Value: v})
		}
	}
	return out, nil
}

// Session is the session token of a key of the kind AWS, which is sent; the zero Secret: it has none.
func (k *Key) Session() sluice.Secret { return sluice.NewSecret(k.parts().SessionToken) }
