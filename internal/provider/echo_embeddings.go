package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// What bounds embeddings of echo.
const (
	echoDimensions    = 256
	echoMaxDimensions = 4096
	echoMaxInputs     = 2048
	echoMaxFloats     = echoMaxInputs * echoDimensions // of all vectors of an answer
)

// embeddingsRequest is an embeddings request, as far as echo reads it:
// https://platform.openai.com/docs/api-reference/embeddings/create 2026-11.
type embeddingsRequest struct {
	Model          string         `json:"model"`
	Input          embeddingInput `json:"input"`
	Dimensions     *int           `json:"dimensions"`
	EncodingFormat string         `json:"encoding_format"`
}

// embeddingInput is what to embed: each element is a text, or a list of tokens as its JSON text.
type embeddingInput struct {
	texts  []string
	tokens int // by echo's rule for texts, counted for lists of tokens
}

// UnmarshalJSON reads a text, a list of texts, a list of tokens, or a list of such lists.
func (in *embeddingInput) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	switch {
	case len(b) > 0 && b[0] == '"':
		return in.add(b)
	case json.Unmarshal(b, &list) != nil:
		return fmt.Errorf("input: %w", json.Unmarshal(b, &list))
	case len(list) > 0 && list[0][0] != '"' && list[0][0] != '[':
		return in.add(b) // one list of tokens
	}
	for _, e := range list {
		if len(in.texts) > echoMaxInputs {
			return nil // refused for their number
		}
		if err := in.add(e); err != nil {
			return err
		}
	}
	return nil
}

// add adds one text or one list of tokens.
func (in *embeddingInput) add(b []byte) error {
	if b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		in.texts = append(in.texts, s)
		in.tokens += echoTokens(len(s))
		return nil
	}
	var ids []int64
	if err := json.Unmarshal(b, &ids); err != nil {
		return err
	}
	in.texts = append(in.texts, fmt.Sprint(ids))
	in.tokens += len(ids)
	return nil
}

// echoEmbeddings answers embeddings: equal texts have equal vectors of length 1, and that is all
// they mean.
func echoEmbeddings(ctx context.Context, r *echoRequest) (Answer, *echoError) {
	var q embeddingsRequest
	if e := echoDecode(r.body, &q); e != nil {
		return Answer{}, e
	}
	if e := r.use(q.Model); e != nil {
		return Answer{}, e
	}
	dims := echoDimensions
	if q.Dimensions != nil {
		dims = *q.Dimensions
	}
	switch n := len(q.Input.texts); {
	case n == 0:
		return Answer{}, echoBad("input", "is missing or empty: give a string or a list of strings")
	case n > echoMaxInputs:
		return Answer{}, echoBad("input", fmt.Sprintf("has more than %d elements", echoMaxInputs))
	case dims < 1 || dims > echoMaxDimensions:
		return Answer{}, echoBad("dimensions", fmt.Sprintf("must be 1 to %d", echoMaxDimensions))
	case n*dims > echoMaxFloats:
		return Answer{}, echoBad("input", fmt.Sprintf("times 'dimensions' must be at most %d", echoMaxFloats))
	case q.EncodingFormat != "" && q.EncodingFormat != "float" && q.EncodingFormat != "base64":
		return Answer{}, echoBad("encoding_format", "must be float or base64")
	}
	type embedding struct {
		Object    string          `json:"object"`
		Index     int             `json:"index"`
		Embedding json.RawMessage `json:"embedding"`
	}
	type usage struct {
		PromptTokens int `json:"prompt_tokens"`
		TotalTokens  int `json:"total_tokens"`
	}
	answer := struct {
		Object string      `json:"object"`
		Data   []embedding `json:"data"`
		Model  string      `json:"model"`
		Usage  usage       `json:"usage"`
	}{Object: "list", Model: q.Model, Usage: usage{q.Input.tokens, q.Input.tokens}}
	write := floatsText
	if q.EncodingFormat == "base64" {
		write = floatsBase64
	}
	for i, text := range q.Input.texts {
		if err := ctx.Err(); err != nil {
			break // nobody reads the rest
		}
		answer.Data = append(answer.Data, embedding{"embedding", i, write(echoVector(text, dims))})
	}
	return r.unary(ctx, answer), nil
}

// echoVector is the unit vector of a text: numbers drawn from its hash.
func echoVector(text string, dims int) []float32 {
	sum := sha256.Sum256([]byte(text))
	state := binary.LittleEndian.Uint64(sum[:])
	v, square := make([]float64, dims), 0.0
	for i := range v {
		// SplitMix64, https://prng.di.unimi.it/splitmix64.c (public domain): its constants.
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		v[i] = float64(int64(z)>>11|1) / (1 << 52) // odd, so never 0
		square += v[i] * v[i]
	}
	length := math.Sqrt(square)
	out := make([]float32, dims)
	for i := range v {
		out[i] = float32(v[i] / length)
	}
	return out
}

// floatsText is a JSON list of numbers.
func floatsText(v []float32) json.RawMessage {
	b := append(make([]byte, 0, len(v)*13+2), '[')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
	}
	return append(b, ']')
}

// floatsBase64 is a JSON string: little-endian float32 numbers in base64, as OpenAI's SDKs want it.
func floatsBase64(v []float32) json.RawMessage {
	raw := make([]byte, 0, len(v)*4)
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	b := append(make([]byte, 0, base64.StdEncoding.EncodedLen(len(raw))+2), '"')
	b = base64.StdEncoding.AppendEncode(b, raw)
	return append(b, '"')
}
