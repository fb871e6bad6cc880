package sluice

import "log/slog"

// Secret is a credential. Every way of printing it says "[redacted]".
type Secret struct{ v string }

// NewSecret wraps v. An empty v makes a Secret that IsZero.
func NewSecret(v string) Secret { return Secret{v} }

// IsZero reports whether nothing is held.
func (s Secret) IsZero() bool { return s.v == "" }

// String hides the value.
func (Secret) String() string { return "[redacted]" }

// GoString hides the value from %#v.
func (Secret) GoString() string { return "[redacted]" }

// LogValue hides the value from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText hides the value from JSON, YAML and their like.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// UnmarshalText takes the value in, so that a Secret can stand in a configuration struct.
func (s *Secret) UnmarshalText(b []byte) error {
	s.v = string(b)
	return nil
}

// Reveal returns the value. Search for Reveal to audit every use.
func (s Secret) Reveal() string { return s.v }
