package edges

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestAGoodbyeOverTLS: a client that says close_notify and keeps its connection open has left, although
// nothing is written to it any more.
func TestAGoodbyeOverTLS(t *testing.T) {
	certFile, keyFile := certificate(t)
	closed := make(chan struct{})
	up := upstream.New(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(event)
		c.WaitClosed()
		close(closed)
		return false
	})
	g := gateway.Start(t, gateway.Options{Config: "tls: {cert: \"" + certFile + "\", key: \"" + keyFile + "\"}\n" +
		"providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"})
	config := &tls.Config{InsecureSkipVerify: true} // the certificate is the test's own
	tcp, _ := g.Dial()
	client := tls.Client(tcp, config)
	if _, err := io.WriteString(client, post("", chat)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, len(event))); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	within(t, closed, "the upstream's call is cancelled")

	https := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer https.CloseIdleConnections()
	var row struct{ Result gateway.Row }
	g.Eventually("the row of a client that has gone", func() bool {
		var answer *http.Response
		url := "https://" + g.Addr + "/client/v4/accounts/default/ai-gateway/gateways/default/logs/" + resp.Header.Get("cf-aig-log-id")
		if answer, err = https.Get(url); err != nil {
			return false
		}
		defer answer.Body.Close()
		err = json.NewDecoder(answer.Body).Decode(&row)
		return err == nil && row.Result.Ending == "client_gone"
	}, func() string { return fmt.Sprintf("%v %s", err, &row.Result) })
}
