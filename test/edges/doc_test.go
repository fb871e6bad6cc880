// Package edges sends the binary what nobody should send, and answers it as nobody should answer: slow,
// oversized, ambiguous and lying peers. What it promises is that nothing passes from one exchange to
// another, that memory stays bounded, and that the gateway goes on serving.
package edges
