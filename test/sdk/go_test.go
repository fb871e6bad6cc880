package sdk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
)

// goCall makes one call of the Go SDK.
func goCall(ctx context.Context, c call) (any, error) {
	client := openai.NewClient(option.WithAPIKey("sk-test-go"), option.WithBaseURL(c.Base), option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{Transport: &http.Transport{}}))
	chat := openai.ChatCompletionNewParams{
		Model:    "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Wie heißt der Fluss in Maribor? 🏞")},
	}
	switch c.Scenario {
	case "chat":
		return raw(client.Chat.Completions.New(ctx, chat))
	case "stream", "tools":
		chat.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)}
		if c.Scenario == "tools" {
			chat.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
				Name: "get_time", Parameters: openai.FunctionParameters{"type": "object"},
			})}
		}
		return drain(client.Chat.Completions.NewStreaming(ctx, chat))
	case "large":
		chat.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage(strings.Repeat("abcdefgh ", 250_000))}
		return raw(client.Chat.Completions.New(ctx, chat))
	case "embeddings":
		return raw(client.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: "text-embedding-3-small",
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
		}))
	case "responses":
		return drain(client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
			Model: "gpt-5-mini", Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("Hi")},
		}))
	case "transcription":
		speech := make([]byte, 60_000)
		for i := range speech {
			speech[i] = byte(i * 7919)
		}
		return raw(client.Audio.Transcriptions.New(ctx, openai.AudioTranscriptionNewParams{
			Model: "gpt-4o-mini-transcribe", File: openai.File(bytes.NewReader(speech), "speech.mp3", "audio/mpeg"),
		}))
	case "speech":
		resp, err := client.Audio.Speech.New(ctx, openai.AudioSpeechNewParams{
			Model: "tts-1", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: param.NewOpt("alloy")}, Input: "Good morning",
		})
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		hash := sha256.New()
		n, err := io.Copy(hash, resp.Body)
		return map[string]any{"length": n, "sha256": hex.EncodeToString(hash.Sum(nil))}, err
	}
	return nil, fmt.Errorf("the Go driver has no scenario %q", c.Scenario)
}

// raw gives what the SDK made of an answer, as the JSON it kept.
func raw[T interface{ RawJSON() string }](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return json.RawMessage(v.RawJSON()), nil
}

// drain gives the events of a stream.
func drain[T any](s *ssestream.Stream[T]) (any, error) {
	defer s.Close()
	var events []json.RawMessage
	for s.Next() {
		event := s.Current()
		r, ok := any(event).(interface{ RawJSON() string })
		if !ok {
			return nil, fmt.Errorf("%T keeps no JSON", event)
		}
		events = append(events, json.RawMessage(r.RawJSON()))
	}
	return events, s.Err()
}

// goError gives what an application sees of an error, without the address that was called.
func goError(err error) any {
	var api *openai.Error
	if errors.As(err, &api) {
		return map[string]any{"status": api.StatusCode, "body": api.RawJSON(), "code": api.Code, "message": api.Message}
	}
	return err.Error()
}
