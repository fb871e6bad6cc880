package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
)

// tokenServer answers every call by answer and notes what came.
func tokenServer(t *testing.T, answer func(r *http.Request) string) (c *client.Client, calls *[]string) {
	t.Helper()
	calls = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*calls = append(*calls, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+string(body))
		_, _ = io.WriteString(w, answer(r))
	}))
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{URL: s.URL, Token: sluice.NewSecret("admin"), Account: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, calls
}

func TestCreateToken(t *testing.T) {
	c, calls := tokenServer(t, func(*http.Request) string {
		return `{"success":true,"result":{"id":"1","name":"ci","gateways":null,"permissions":["run"],"status":"valid","value":"slc_x"}}`
	})
	const path = "POST /client/v4/accounts/acme/ai-gateway/tokens Bearer admin "
	ends := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, n := range []struct {
		token client.NewToken
		want  string
	}{
		{client.NewToken{}, `{}`},
		{
			client.NewToken{Name: "ci", Gateways: []string{"prod"}, Permissions: []string{"run", "read"}, Expires: ends, Value: sluice.NewSecret("mine")},
			`{"expires_at":"2027-01-31T00:00:00Z","gateways":["prod"],"name":"ci","permissions":["run","read"],"value":"mine"}`,
		},
	} {
		made, value, err := c.CreateToken(t.Context(), n.token)
		if err != nil || value.Reveal() != "slc_x" || made.ID != "1" || made.Gateways != nil || !json.Valid(made.Raw) {
			t.Errorf("%+v, %v", made, err)
		}
		if got := (*calls)[len(*calls)-1]; got != path+n.want {
			t.Errorf("sent %s; want %s", got, path+n.want)
		}
	}
}

func TestTokensReadsAllPages(t *testing.T) {
	c, calls := tokenServer(t, func(r *http.Request) string {
		page := r.URL.Query().Get("page")
		return fmt.Sprintf(`{"result":[{"id":"%s-1"},{"id":"%s-2"}],"result_info":{"total_pages":3}}`, page, page)
	})
	list, err := c.Tokens(t.Context(), true)
	if err != nil || len(*calls) != 3 {
		t.Fatalf("%d calls, %v", len(*calls), err)
	}
	var ids []string
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	if want := []string{"1-1", "1-2", "2-1", "2-2", "3-1", "3-2"}; !slices.Equal(ids, want) {
		t.Errorf("%v; want %v", ids, want)
	}
}

func TestRevokeToken(t *testing.T) {
	c, calls := tokenServer(t, func(*http.Request) string { return `{"result":{"id":"a/b","status":"revoked"}}` })
	got, err := c.RevokeToken(t.Context(), "a/b")
	if err != nil || got.Status != "revoked" || (*calls)[0] != "DELETE /client/v4/accounts/acme/ai-gateway/tokens/a%2Fb Bearer admin " {
		t.Errorf("%+v, %v, %q", got, err, *calls)
	}
}
