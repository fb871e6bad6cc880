package provider

import "context"

// echoProvider answers in the process itself.
func echoProvider(m meters) Provider {
	return Provider{
		Slug: "echo", Name: "Echo", Strip: []string{"v1"}, Local: true, Auth: bearer(), Serve: serveEcho,
		Endpoints: openAIEndpoints(m), Source: "this module",
	}
}

func serveEcho(context.Context, Call, []byte) Answer { return Answer{Status: 501} }
